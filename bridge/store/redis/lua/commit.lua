local name, moves = key('net', CALL.network), given(ARGS.cursor)
if moves then
    local stored = call('HGET', name, 'cursor') or NIL
    if stored ~= ARGS.expect and stored ~= ARGS.cursor then
        return refused('rewound', stored)
    end
    if stored ~= ARGS.expect then
        return answer({ new = 0 }) -- stored already
    end
end

local seqs, new, number = {}, {}, 0
for _, delivery in ipairs(ARGS.deliveries) do -- an event that goes nowhere is not kept
    local event, seq = ARGS.events[delivery.event], seqs[delivery.event]
    if not seq then
        local target
        seq, target = messages.store(event)
        files.keep(event, seq, target)
        seqs[delivery.event] = seq
    end
    if queue.add(delivery, event, seq) then
        new[delivery.id] = true
    end
end

-- Erase what is removed: its excerpts, and what waits to be delivered of it, perhaps of this commit.
local erased = {}
for _, target in ipairs(ARGS.removed) do
    local seq = messages.seq(messages.source(unpack(target)))
    if seq then
        messages.erase(seq)
        files.revoke_of(seq)
        for _, id in ipairs(removals.drop_fruitless(seq)) do
            erased[id], new[id] = true, nil
        end
    end
end
for _ in pairs(new) do
    number = number + 1
end

local minute = math.floor(NOW / 60)
for _, count in ipairs(ARGS.counts) do
    call('ZADD', key('minutes'), minute, minute)
    call('HINCRBY', key('tallies', minute), cjson.encode(count), 1)
end
remember(ARGS.changes)
if number > 0 or #ARGS.deliveries == 0 then -- else the call is repeated because its answer was lost
    for _, loss in ipairs(ARGS.told) do
        losses.tell(loss)
    end
end
if moves and ARGS.cursor ~= ARGS.expect then
    call('HSET', name, 'cursor', ARGS.cursor)
end

-- Freeze the posts of rooms whose network is run by the same process, which will send them.
local planned, is_planned, ours = {}, {}, call('HGET', name, 'process')
for _, offer in ipairs(ARGS.offers) do
    local where, other = place(offer.network, offer.room), row(key('net', offer.network), 'token', 'process')
    if other.token and other.process == ours and plans.take_up(where, offer.posts, new) then
        planned[#planned + 1] = { offer.network, offer.room }
        is_planned[where] = true
    end
end
for _, delivery in ipairs(ARGS.deliveries) do
    if not is_planned[place(delivery.network, delivery.room)] then
        wake(delivery.network)
    end
end

local gone = {}
for id in pairs(erased) do
    gone[#gone + 1] = id
end
return answer({ new = number, planned = planned, erased = gone })
