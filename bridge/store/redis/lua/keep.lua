local time = call('TIME')
call('HSET', key('net', CALL.network), 'until', exact(time[1] + time[2] / 1e6 + ARGS.seconds))
return answer()
