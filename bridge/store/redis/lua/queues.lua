-- Looks at the first deliveries of each room only: they are the oldest, unless one was dead and is tried again, which
-- makes it younger.
local function since(found)
    return found[1] and call('HGET', key('d', found[1]), 'since')
end

local found = {}
for _, network in ipairs(call('SMEMBERS', key('busy'))) do
    local number, oldest = 0, nil
    for _, room in ipairs(call('HKEYS', key('work', network))) do
        local name = key('q', place(network, room))
        number = number + call('ZCARD', name)
        for _, time in ipairs({
            since(call('ZRANGEBYSCORE', name, '-inf', '(' .. exact(BEHIND), 'LIMIT', 0, 1)) or '+inf',
            since(call('ZRANGEBYSCORE', name, exact(BEHIND), '+inf', 'LIMIT', 0, 1)) or '+inf',
        }) do
            if time ~= '+inf' and (not oldest or tonumber(time) < tonumber(oldest)) then
                oldest = time
            end
        end
    end
    local dead = call('ZCARD', key('dead', network))
    if number + dead > 0 then
        found[#found + 1] = { network, number, dead, oldest or NIL }
    end
end
return answer(found)
