local function earliest_said(seq)
    local first = nil
    for _, id in ipairs(messages.to(seq)) do
        local said = call('HGET', key('d', id), 'said')
        if not first or tonumber(said) < tonumber(first) then
            first = said
        end
    end
    return first
end

-- When the last message of a room was said.
local function heard(where)
    local offset = 0
    repeat
        local seqs = call('ZREVRANGE', key('in', where), offset, offset + 99)
        for _, seq in ipairs(seqs) do
            local event = row(key('ev', seq), 'type', 'origin')
            if event.type == 'message' and event.origin ~= 'ours' then
                return earliest_said(seq)
            end
        end
        offset = offset + 100
    until #seqs == 0
    return nil
end

local found = {}
for number, room in ipairs(ARGS.rooms) do
    local where = place(room[1], room[2])
    local last = call('ZREVRANGE', key('sentto', where), 0, 0)[1]
    found[number] = { heard(where) or NIL, last and call('HGET', key('d', last), 'done') or NIL }
end
return answer(found)
