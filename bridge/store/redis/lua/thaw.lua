return answer(plans.thaw(place(ARGS.network, ARGS.room)))
