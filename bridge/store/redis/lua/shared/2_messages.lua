-- The message map. `ev:<seq>` is an event, with the ids of its deliveries in `to`; `e:<place>` has the seq of each event
-- by its id, `in:<place>` all in order; `places` are the rooms of all events. `edits:<seq>` and `about:<seq>` are the
-- edits of an event, and what else is about it. `src:<place>` has by each remote id the deliveries that it carries.

local messages = {}
local LOOKED_THROUGH = 200 -- events before another at most, of which one may be the last that was said in a room

function messages.seq(network, room, id)
    return call('HGET', key('e', place(network, room)), id)
end

-- The ids of the deliveries of an event, in order.
function messages.to(seq)
    return decoded(call('HGET', key('ev', seq), 'to'))
end

-- The event that was sent to a room as `remote`: its network, room and id.
function messages.source_of(network, room, remote)
    local carried = decoded(call('HGET', key('src', place(network, room)), remote))[1]
    if not carried then
        return nil
    end
    local event = row(key('ev', call('HGET', key('d', carried[2]), 'event')), 'network', 'room', 'id')
    return event.network, event.room, event.id
end

-- The event as first heard: in another room, if we carried it to this one ourselves.
function messages.source(network, room, id)
    local at, there, as = messages.source_of(network, room, id)
    if at then
        return at, there, as
    end
    return network, room, id
end

-- The delivery of an event to a room; nil if there is none.
function messages.delivery(seq, network, room)
    for _, id in ipairs(messages.to(seq)) do
        local delivery = row(key('d', id), 'network', 'room', 'state', 'seq', 'remotes')
        if delivery.network == network and delivery.room == room then
            delivery.id = id
            return delivery
        end
    end
    return nil
end

-- The ids of an event in a room, in the order of its parts.
function messages.remote_ids(network, room, id, there)
    local seq, ids = messages.seq(network, room, id), {}
    local delivery = seq and messages.delivery(seq, there[1], there[2])
    local remotes = delivery and decoded(delivery.remotes) or {}
    table.sort(remotes, function(one, other)
        return one[1] < other[1]
    end)
    for _, each in ipairs(remotes) do
        ids[#ids + 1] = each[2]
    end
    return ids
end

function messages.ids(network, room, id, there)
    if network == there[1] and room == there[2] then
        return { id }
    end
    return messages.remote_ids(network, room, id, there)
end

local function last_edit(seq)
    local edit = call('ZREVRANGE', key('edits', seq), 0, 0)[1]
    return edit and call('HGET', key('ev', edit), 'excerpt')
end

-- The excerpt of the last edit of an event that was sent to a room, else its own.
local function before(seq, excerpt, there)
    for _, edit in ipairs(call('ZREVRANGE', key('edits', seq), 0, -1)) do
        local delivery = messages.delivery(edit, there[1], there[2])
        if delivery and delivery.state == 'sent' then
            return call('HGET', key('ev', edit), 'excerpt')
        end
    end
    return excerpt
end

-- Whether people saw, or will see, an event in that room.
local function is_there(seq, event, there)
    if event.network == there[1] and event.room == there[2] then
        return true
    end
    local delivery = messages.delivery(seq, there[1], there[2])
    return delivery and (delivery.state == 'queued' or delivery.state == 'sent')
end

-- Whether `last` is of the thread of `by`, which begins with the event `root`.
local function is_of_thread(last, root, by)
    local event = row(key('ev', by), 'network', 'room', 'thread')
    if not event.thread or event.thread == '' then
        return false
    end
    if last.network ~= event.network or last.room ~= event.room or last.thread ~= event.thread then
        return false
    end
    local begins = row(key('ev', root), 'network', 'room', 'id')
    local network, room, id = messages.source(event.network, event.room, event.thread)
    return begins.network == network and begins.room == room and begins.id == id
end

-- Whether the event `seq` was the last message said or sent there before `by`; or, if it is the root of the thread of
-- `by`, whether the last one was of that thread.
local function is_last(seq, by, there)
    for number = by - 1, math.max(1, by - LOOKED_THROUGH + 1), -1 do
        local event = row(key('ev', number), 'network', 'room', 'type', 'thread')
        if event.type == 'message' and is_there(number, event, there) then
            return number == tonumber(seq) or is_of_thread(event, seq, by)
        end
    end
    return false
end

-- Where an event was said, and where it went.
local function rooms(source, seq)
    local found = { { source[1], source[2] } }
    for _, id in ipairs(messages.to(seq)) do
        local delivery = row(key('d', id), 'state', 'network', 'room')
        if delivery.state == 'queued' or delivery.state == 'sent' then
            found[#found + 1] = { delivery.network, delivery.room }
        end
    end
    return found
end

-- What is known of an event, as `Known` has it; nil if nothing is. `there`: the room asked about; `by`: the event that
-- refers to it.
function messages.known(network, room, id, there, by)
    local source = { messages.source(network, room, id) }
    local ids = there and messages.ids(source[1], source[2], source[3], there) or {}
    local seq = messages.seq(source[1], source[2], source[3])
    if not seq then
        return #ids > 0 and { source = source, ids = ids } or nil
    end
    local event = row(key('ev', seq), 'sender', 'excerpt', 'thread', 'removed', 'type', 'kind')
    local known = { source = source, ids = ids, who = event.sender or NIL, type = event.type, kind = event.kind }
    known.removed = event.removed == '1'
    known.excerpt = not known.removed and last_edit(seq) or event.excerpt
    known.rooms = rooms(source, seq)
    if there then
        known.before = before(seq, event.excerpt, there)
        known.last = by ~= nil and is_last(seq, by, there)
        if event.thread ~= '' then
            local root = { messages.source(source[1], source[2], event.thread) }
            known.thread = messages.ids(root[1], root[2], root[3], there)[1] or NIL
        end
    end
    return known
end

-- Store an event if it is new; returns its seq, and the seq of what it is about.
function messages.store(event)
    local where, target = place(event.network, event.room), nil
    if given(event.target) then
        local network, room, id = messages.source(unpack(event.target))
        target = messages.seq(network, room, id) or nil
    end
    local seq = call('HGET', key('e', where), event.id)
    if seq then
        return seq, target
    end
    seq = tostring(call('HINCRBY', key('counters'), 'events', 1))
    local name = key('ev', seq)
    call('HSET', key('e', where), event.id, seq)
    call('SADD', key('places'), where)
    call('ZADD', key('in', where), seq, seq)
    call('HSET', name, 'network', event.network, 'room', event.room, 'id', event.id, 'type', event.type,
        'origin', event.origin, 'excerpt', event.excerpt, 'thread', event.thread, 'kind', event.kind)
    if given(event.sender) then
        call('HSET', name, 'sender', event.sender)
    end
    if target then
        call('HSET', name, 'target', target)
        call('ZADD', key(event.type == 'edit' and 'edits' or 'about', target), seq, seq)
    end
    return seq, target
end

-- The events about another: edits first.
function messages.about(seq)
    local found = call('ZRANGE', key('edits', seq), 0, -1)
    for _, each in ipairs(call('ZRANGE', key('about', seq), 0, -1)) do
        found[#found + 1] = each
    end
    return found
end

-- Erase the excerpts of a redacted event and of the events about it.
function messages.erase(seq)
    call('HSET', key('ev', seq), 'excerpt', '', 'removed', '1')
    for _, each in ipairs(messages.about(seq)) do
        call('HSET', key('ev', each), 'excerpt', '')
    end
end

-- Record that a delivery was sent as `remote`, as its part of that number.
function messages.sent(id, delivery, part, remote)
    local remotes = decoded(delivery.remotes)
    remotes[#remotes + 1] = { part, remote }
    call('HSET', key('d', id), 'remotes', cjson.encode(remotes))
    local name = key('src', place(delivery.network, delivery.room))
    local carried = decoded(call('HGET', name, remote))
    carried[#carried + 1] = { tonumber(delivery.seq), id }
    table.sort(carried, function(one, other)
        return one[1] < other[1]
    end)
    call('HSET', name, remote, cjson.encode(carried))
end

-- Forget which remote ids a delivery has.
function messages.unsend(id, delivery)
    local name = key('src', place(delivery.network, delivery.room))
    for _, sent in ipairs(decoded(delivery.remotes)) do
        local left = {}
        for _, each in ipairs(decoded(call('HGET', name, sent[2]))) do
            if each[2] ~= id then
                left[#left + 1] = each
            end
        end
        if #left > 0 then
            call('HSET', name, sent[2], cjson.encode(left))
        else
            call('HDEL', name, sent[2])
        end
    end
end

-- Forget an event.
function messages.forget(seq)
    local event = row(key('ev', seq), 'network', 'room', 'id', 'target', 'type')
    local where = place(event.network, event.room)
    call('HDEL', key('e', where), event.id)
    call('ZREM', key('in', where), seq)
    if event.target then
        call('ZREM', key(event.type == 'edit' and 'edits' or 'about', event.target), seq)
    end
    call('DEL', key('ev', seq))
    if call('EXISTS', key('e', where)) == 0 then
        call('SREM', key('places'), where)
    end
end
