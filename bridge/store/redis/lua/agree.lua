call('HSETNX', key('mem', ARGS.network), ARGS.name, ARGS.value)
return answer(call('HGET', key('mem', ARGS.network), ARGS.name))
