local now, without, heads = tonumber(ARGS.now), set_of(ARGS.without), {}
for _, room in ipairs(call('HKEYS', key('work', CALL.network))) do
    local where = place(CALL.network, room)
    local wait = row(key('w', where), 'until', 'attempts')
    if not without[room] and queue.is_over(tonumber(wait['until'] or 0), now) then
        local id, score = queue.due(where, now)()
        if id then
            heads[#heads + 1] = { room = room, where = where, seq = score % BEHIND, attempts = wait.attempts or 0 }
        end
    end
end
table.sort(heads, function(one, other)
    return one.seq < other.seq
end)
local found = {}
for number = 1, math.min(#heads, ARGS.rooms) do
    local head = heads[number]
    local posts = plans.frozen(head.where)
    local owed = #posts == 0 and queue.owed(CALL.network, head.room, ARGS.each, now, {}) or {}
    found[number] = { room = head.room, attempts = tonumber(head.attempts), posts = plans.told(posts), owed = owed }
end
return answer(found)
