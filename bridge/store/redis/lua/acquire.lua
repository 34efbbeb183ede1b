-- A lease is a token, and the time until which nobody else gets it. One that ran out stays writable for its owner until
-- somebody has taken it. The same call again is answered as before: its answer may have been lost.
local name, time = key('net', ARGS.network), call('TIME')
local now, held = time[1] + time[2] / 1e6, row(key('net', ARGS.network), 'token', 'until')
for _, network in ipairs(call('SMEMBERS', key('nets'))) do -- the voices of workers that were killed
    local is_voice = string.sub(network, 1, #ARGS.voices) == ARGS.voices and network ~= ARGS.network
    if is_voice and tonumber(call('HGET', key('net', network), 'until') or 0) < now - ARGS.forgotten then
        forget_network(network)
    end
end
if held.token and held.token ~= ARGS.token and tonumber(held['until']) > now then
    return answer(false)
end
call('HSET', name, 'token', ARGS.token, 'until', exact(now + ARGS.seconds), 'worker', ARGS.worker,
    'process', ARGS.process)
call('SADD', key('nets'), ARGS.network)
return answer(true)
