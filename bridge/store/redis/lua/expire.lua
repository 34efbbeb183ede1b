-- Everything is found by what is finished. Each call removes some: it takes milliseconds.
local gone = files.expire(ARGS.most) + files.fit(ARGS.all_texts, ARGS.guests_texts, ARGS.most)

local old = {}
for id, time in walk(key('done'), '-inf') do
    if time >= tonumber(ARGS.before) or #old == ARGS.most then
        break
    end
    if call('HEXISTS', key('linked'), call('HGET', key('d', id), 'event')) == 0 then
        old[#old + 1] = id
    end
end
for _, id in ipairs(old) do
    queue.forget(id, function(seq)
        for _, handle in ipairs(call('SMEMBERS', key('media', seq))) do
            files.forget(handle)
        end
        messages.forget(seq)
    end)
end

for _, minute in ipairs(call('ZRANGEBYSCORE', key('minutes'), '-inf', '(' .. ARGS.minute, 'LIMIT', 0, 20)) do
    gone = gone + call('HLEN', key('tallies', minute))
    call('DEL', key('tallies', minute))
    call('ZREM', key('minutes'), minute)
end
for _, field in ipairs(call('HKEYS', key('traffic', 'number'))) do
    if tonumber(string.match(field, '^%-?%d+')) < ARGS.day then
        call('HDEL', key('traffic', 'number'), field)
        call('HDEL', key('traffic', 'bytes'), field)
        gone = gone + 1
    end
end
gone = gone + #old
if gone == 0 then -- last: it reads all that it has
    gone = history.expire('outages') + history.expire('runs')
end
return answer(gone)
