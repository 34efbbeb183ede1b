local where, seqs = place(ARGS.network, ARGS.room), {}
for _, seq in ipairs(call('ZREVRANGE', key('in', where), 0, ARGS.most - 1)) do
    seqs[seq] = true
end
for _, id in ipairs(call('ZREVRANGE', key('sentto', where), 0, ARGS.most - 1)) do
    seqs[call('HGET', key('d', id), 'event')] = true
end

local function is_recent(seq)
    for _, id in ipairs(messages.to(seq)) do
        if tonumber(call('HGET', key('d', id), 'said')) >= tonumber(ARGS.since) then
            return true
        end
    end
    return false
end

local order, found = {}, {}
for seq in pairs(seqs) do
    if call('HGET', key('ev', seq), 'type') == 'message' and is_recent(seq) then
        order[#order + 1] = tonumber(seq)
    end
end
table.sort(order, function(one, other)
    return one > other
end)
for number = 1, math.min(#order, ARGS.most) do
    local event = row(key('ev', order[number]), 'network', 'room', 'id')
    found[number] = messages.known(event.network, event.room, event.id, { ARGS.network, ARGS.room })
end
return answer(found)
