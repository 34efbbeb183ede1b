return answer(plans.told(plans.append(place(ARGS.network, ARGS.room), ARGS.posts)))
