-- A lease is a token, and the time until which nobody else gets it. One that ran out stays writable for its owner until
-- somebody has taken it. The same call again is answered as before: its answer may have been lost.
local name, time = key('net', ARGS.network), call('TIME')
local now, held = time[1] + time[2] / 1e6, row(key('net', ARGS.network), 'token', 'until')
if held.token and held.token ~= ARGS.token and tonumber(held['until']) > now then
    return answer(false)
end
call('HSET', name, 'token', ARGS.token, 'until', exact(now + ARGS.seconds), 'worker', ARGS.worker,
    'process', ARGS.process)
call('SADD', key('nets'), ARGS.network)
return answer(true)
