-- What waits. `d:<id>` is a delivery; `q:<place>` has the queued ones of a room in their order, `held:<place>` those of
-- them that gather, or did; `work:<network>` has the rooms of a network in which something waits, each with the bytes of
-- it; `dead:<network>` the dead ones in order. `done` has what is finished, by time. `w:<place>` is how long a room
-- waits. `gather:<place>` is until when each type of events gathers there. `busy` are the networks that ever got
-- something.

local queue = {}
local BEHIND = 2 ^ 50 -- added to the place in the order of all that does not go ahead
local CROWD = 200 -- most deliveries at once of those that have gathered

-- Whether a time is over; one that seems to be so far away is, too: the clock was set back.
function queue.is_over(time, now)
    return time <= now or time > now + LONGEST_WAIT_S
end

function queue.is_queued(id)
    return call('HGET', key('d', id), 'state') == 'queued'
end

function queue.length(where)
    return call('ZCARD', key('q', where))
end

-- Until when an earlier edit waits there of what the edit `event` is about; 0 if none does.
local function edits_held(where, event)
    if event.type ~= 'edit' or not event.target then
        return 0
    end
    local latest, held = 0, call('HGETALL', key('held', where))
    for number = 1, #held, 2 do
        local time = tonumber(held[number + 1])
        if time > latest and not queue.is_over(time, NOW) then
            local other = row(key('ev', call('HGET', key('d', held[number]), 'event')), 'type', 'target')
            if other.type == 'edit' and other.target == event.target then
                latest = time
            end
        end
    end
    return latest
end

-- Until when a delivery waits for more of its type: all that gather in a room become due together. One that need not
-- wait goes before no earlier one: a later edit would be undone by it.
local function held_until(where, gather, event)
    if event.type == 'message' then
        return 0
    end
    local due = tonumber(call('HGET', key('gather', where), event.type) or 0)
    if gather == 0 then
        local gathers = due > NOW and due <= NOW + LONGEST_WAIT_S
        return math.max(edits_held(where, event), gathers and due or 0)
    end
    if not (due > NOW and due <= NOW + gather) then
        due = NOW + gather
        call('HSET', key('gather', where), event.type, exact(due))
    end
    return due
end

-- Put a delivery into the queue of its room, at the place that it has in the order.
function queue.enter(id, delivery)
    local where = place(delivery.network, delivery.room)
    local first = tonumber(delivery.behind) * BEHIND
    call('ZADD', key('q', where), exact(first + tonumber(delivery.seq)), id)
    call('HINCRBY', key('work', delivery.network), delivery.room, delivery.size)
    call('SADD', key('busy'), delivery.network)
    if tonumber(delivery.held) > 0 then
        call('HSET', key('held', where), id, delivery.held)
    end
end

local function leave(id, delivery)
    local where = place(delivery.network, delivery.room)
    call('ZREM', key('q', where), id)
    call('HDEL', key('held', where), id)
    call('HINCRBY', key('work', delivery.network), delivery.room, -tonumber(delivery.size))
    if queue.length(where) == 0 then
        call('HDEL', key('work', delivery.network), delivery.room)
    end
end

-- When an event was said, by our clock: a replayed one, or one that others have overtaken, at the network's time, but not
-- in the future.
local function said_at(event)
    local time = tonumber(event.time)
    if not event.older or time >= NOW then
        return CALL.now
    end
    return time > 0 and event.time or '0'
end

-- Queue a delivery of an event, if it is new; returns whether it is.
function queue.add(wanted, event, seq)
    local name, where = key('d', wanted.id), place(wanted.network, wanted.room)
    local about = { type = event.type, target = call('HGET', key('ev', seq), 'target') }
    local held = held_until(where, tonumber(wanted.gather), about)
    if call('EXISTS', name) == 1 then
        return false
    end
    local delivery = { network = wanted.network, room = wanted.room, size = event.size, held = exact(held) }
    delivery.behind = wanted.ahead and 0 or 1
    delivery.seq = call('HINCRBY', key('counters'), 'deliveries', 1)
    call('HSET', name, 'seq', delivery.seq, 'event', seq, 'network', wanted.network, 'room', wanted.room,
        'state', 'queued', 'since', CALL.now, 'said', said_at(event), 'behind', delivery.behind, 'size', event.size,
        'held', delivery.held, 'reason', '')
    queue.enter(wanted.id, delivery)
    local to = messages.to(seq)
    to[#to + 1] = wanted.id
    call('HSET', key('ev', seq), 'to', cjson.encode(to))
    call('HSETNX', key('ev', seq), 'body', event.body)
    call('HSETNX', key('ev', seq), 'refers', cjson.encode(event.refers))
    return true
end

-- Take a delivery that is queued or dead out of where it is; returns it, or nil.
local function taken(id)
    local delivery = row(key('d', id), 'seq', 'event', 'network', 'room', 'state', 'said', 'size')
    if delivery.state == 'queued' then
        leave(id, delivery)
    elseif delivery.state == 'dead' then
        call('ZREM', key('dead', delivery.network), id)
    else
        return nil
    end
    return delivery
end

-- The text of an event is kept only while some delivery needs it.
local function drop_body(seq)
    for _, id in ipairs(messages.to(seq)) do
        local state = call('HGET', key('d', id), 'state')
        if state == 'queued' or state == 'dead' then
            return
        end
    end
    call('HDEL', key('ev', seq), 'body', 'refers')
end

-- Finish a delivery. Its row stays, so that its event is recognised if it is heard again.
function queue.done(id, state, reason)
    local delivery = taken(id)
    if not delivery then
        return
    end
    call('HSET', key('d', id), 'state', state, 'reason', reason, 'done', CALL.now)
    call('ZADD', key('done'), CALL.now, id)
    if state == 'sent' then
        call('ZADD', key('sentto', place(delivery.network, delivery.room)), delivery.seq, id)
    end
    drop_body(delivery.event)
end

-- A delivery that is queued for `network` can never be sent; returns it, or nil.
function queue.bury(id, network, reason)
    local delivery = row(key('d', id), 'state', 'network')
    if delivery.state ~= 'queued' or delivery.network ~= network then
        return nil
    end
    delivery = taken(id)
    call('HSET', key('d', id), 'state', 'dead', 'reason', reason, 'done', CALL.now)
    call('ZADD', key('dead', network), delivery.seq, id)
    return delivery
end

-- Queue a dead delivery again, at its old place; returns its network, or nil.
function queue.revive(id)
    local delivery = row(key('d', id), 'seq', 'network', 'room', 'state', 'behind', 'size', 'held')
    if delivery.state ~= 'dead' then
        return nil
    end
    call('ZREM', key('dead', delivery.network), id)
    call('HSET', key('d', id), 'state', 'queued', 'reason', '', 'since', CALL.now, 'said', CALL.now)
    call('HDEL', key('d', id), 'done')
    queue.enter(id, delivery)
    return delivery.network
end

-- A delivery, which is queued or dead, and the edits of its message that are so, too, in the same room.
function queue.with_edits(id)
    local delivery, found, edits = row(key('d', id), 'event', 'network', 'room', 'state'), { id }, {}
    if not delivery.event then
        return found
    end
    for _, seq in ipairs(call('ZRANGE', key('edits', delivery.event), 0, -1)) do
        local edit = messages.delivery(seq, delivery.network, delivery.room)
        if edit and edit.state == delivery.state then
            edits[#edits + 1] = edit
        end
    end
    table.sort(edits, function(one, other)
        return tonumber(one.seq) < tonumber(other.seq)
    end)
    for _, edit in ipairs(edits) do
        found[#found + 1] = edit.id
    end
    return found
end

-- The queued deliveries of a room that do not gather any more, in order, each with its place in the order.
function queue.due(where, now)
    local held = call('HGETALL', key('held', where))
    local gathers = {}
    for number = 1, #held, 2 do
        gathers[held[number]] = not queue.is_over(tonumber(held[number + 1]), now)
    end
    local each = walk(key('q', where), '-inf')
    return function()
        local id, score = each()
        while id and gathers[id] do
            id, score = each()
        end
        return id, score
    end
end

-- Whether a queued event is about one that is frozen for that room.
local function is_about(event, frozen, network, room)
    if not event.target or not next(frozen) then
        return false
    end
    for _, id in ipairs(messages.to(event.target)) do
        if frozen[id] then
            local there = row(key('d', id), 'network', 'room')
            if there.network == network and there.room == room then
                return true
            end
        end
    end
    return false
end

-- The first `each` deliveries of a room, and those behind them that a network may show as one with the last: that crowd
-- shall not become many lines. Without those that are `frozen`, and what is about these.
local function first(network, room, each, now, frozen)
    local found, last = {}, nil
    for id in queue.due(place(network, room), now) do
        local delivery = row(key('d', id), 'event', 'said', 'held')
        local event = row(key('ev', delivery.event), 'type', 'target', 'body', 'refers')
        if not frozen[id] and not is_about(event, frozen, network, room) then
            local gathered = tonumber(delivery.held) > 0 and event.type or nil
            local alike = gathered and last and last.gathered == gathered and last.target == event.target
            if #found == math.max(each, CROWD) or (#found >= each and not alike) then
                break
            end
            last = { id = id, seq = delivery.event, said = delivery.said, gathered = gathered, target = event.target,
                body = event.body, refers = event.refers }
            found[#found + 1] = last
        end
    end
    return found
end

-- The edits of an event that wait for a room, in order.
local function waiting_edits(seq, network, room)
    local found = {}
    for _, edit in ipairs(call('ZRANGE', key('edits', seq), 0, -1)) do
        local delivery = messages.delivery(edit, network, room)
        if delivery and delivery.state == 'queued' then
            found[#found + 1] = { delivery.id, call('HGET', key('ev', edit), 'body') }
        end
    end
    return found
end

-- The deliveries of a room with all that rendering them needs, as `Owed` has it; without those of edits that their
-- messages, which wait too, have in them already.
function queue.owed(network, room, each, now, frozen)
    local owed, merged = {}, {}
    for _, item in ipairs(first(network, room, each, now, frozen)) do
        if not merged[item.id] then
            local edits, context = waiting_edits(item.seq, network, room), {}
            for _, edit in ipairs(edits) do
                merged[edit[1]] = true
            end
            for _, refers in ipairs(decoded(item.refers)) do
                local known = messages.known(refers[1], refers[2], refers[3], { network, room }, tonumber(item.seq))
                if known then
                    context[#context + 1] = { refers, known }
                end
            end
            owed[#owed + 1] = { delivery = item.id, body = item.body, said = item.said, edits = edits,
                context = context }
        end
    end
    return owed
end

-- Forget a delivery that is finished, and its event with the last one.
function queue.forget(id, forget_event)
    local delivery = row(key('d', id), 'seq', 'event', 'network', 'room', 'remotes')
    messages.unsend(id, delivery)
    call('ZREM', key('done'), id)
    call('ZREM', key('sentto', place(delivery.network, delivery.room)), id)
    call('DEL', key('d', id))
    local left = {}
    for _, other in ipairs(messages.to(delivery.event)) do
        if other ~= id then
            left[#left + 1] = other
        end
    end
    if #left > 0 then
        call('HSET', key('ev', delivery.event), 'to', cjson.encode(left))
    else
        forget_event(delivery.event)
    end
end
