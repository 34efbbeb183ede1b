local frozen = plans.carried(plans.frozen(place(ARGS.network, ARGS.room)))
return answer(queue.owed(ARGS.network, ARGS.room, 1, NOW, frozen)[1])
