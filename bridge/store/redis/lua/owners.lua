local time, owners = call('TIME'), {}
local now = time[1] + time[2] / 1e6
for _, network in ipairs(call('SMEMBERS', key('nets'))) do
    local held = row(key('net', network), 'token', 'until', 'worker')
    if held.token and held.worker and tonumber(held['until']) > now then
        owners[network] = { held.worker, call('HGET', key('mem', network), ARGS.report) or '' }
    end
end
return answer(owners)
