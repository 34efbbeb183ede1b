return answer(messages.remote_ids(ARGS.event[1], ARGS.event[2], ARGS.event[3], { ARGS.network, ARGS.room }))
