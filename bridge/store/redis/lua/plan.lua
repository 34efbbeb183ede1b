return answer(plans.told(plans.freeze(place(ARGS.network, ARGS.room), ARGS.posts)))
