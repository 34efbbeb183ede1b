-- Mark the store as one that is moved, so that nobody else uses it. Refused while workers run on it, or another such
-- command. The mark ends by itself, unless it has a phase: what was cut short then can be begun again by the same
-- command, and by no other.
local held, time, workers = row(marker, 'token', 'way', 'why', 'until', 'phase'), call('TIME'), {}
local now = time[1] + time[2] / 1e6
if held.token and (tonumber(held['until']) > now or held.way ~= ARGS.way) then
    return answer({ why = held.why })
end
for _, network in ipairs(call('SMEMBERS', key('nets'))) do
    local lease = row(key('net', network), 'token', 'until', 'worker')
    if lease.token and tonumber(lease['until']) > now then
        workers[#workers + 1] = lease.worker or network
    end
end
if #workers > 0 then
    return answer({ workers = workers })
end
call('HSET', marker, 'token', ARGS.token, 'way', ARGS.way, 'why', ARGS.why, 'until', exact(now + ARGS.seconds),
    'phase', held.phase or '')
if (held.phase or '') == '' then
    call('EXPIRE', marker, ARGS.seconds)
end
return answer({ phase = held.phase or '' })
