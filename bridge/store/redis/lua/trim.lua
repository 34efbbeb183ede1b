return answer(losses.lose(losses.excess(CALL.network, tonumber(ARGS.before), ARGS.most, ARGS.most_bytes)))
