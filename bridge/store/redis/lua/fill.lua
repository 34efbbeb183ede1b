-- Put rows of a table, as `bridge.store.moving` has them, into a store that is filled. Numbers are decimal strings.
local fill = {}

function fill.networks(item)
    call('SADD', key('nets'), item.name)
    if item.cursor then
        call('HSET', key('net', item.name), 'cursor', item.cursor)
    end
end

function fill.memory(item)
    call('HSET', key('mem', item.network), item.key, item.value)
end

function fill.events(item)
    local name, where = key('ev', item.seq), place(item.network, item.room)
    call('HSET', key('e', where), item.id, item.seq)
    call('SADD', key('places'), where)
    call('ZADD', key('in', where), item.seq, item.seq)
    for _, field in ipairs({ 'network', 'room', 'id', 'type', 'origin', 'excerpt', 'thread', 'kind', 'sender', 'target',
        'body', 'refers' }) do
        if item[field] then
            call('HSET', name, field, item[field])
        end
    end
    if item.removed ~= '0' then
        call('HSET', name, 'removed', '1')
    end
    if item.target then
        call('ZADD', key(item.type == 'edit' and 'edits' or 'about', item.target), item.seq, item.seq)
    end
end

function fill.deliveries(item)
    local name, to = key('d', item.id), messages.to(item.event)
    for _, field in ipairs({ 'seq', 'event', 'network', 'room', 'state', 'since', 'said', 'behind', 'size', 'held',
        'reason', 'done' }) do
        if item[field] then
            call('HSET', name, field, item[field])
        end
    end
    to[#to + 1] = item.id
    call('HSET', key('ev', item.event), 'to', cjson.encode(to))
    if item.state == 'queued' then
        queue.enter(item.id, item)
    elseif item.state == 'dead' then
        call('SADD', key('busy'), item.network)
        call('ZADD', key('dead', item.network), item.seq, item.id)
    else
        call('ZADD', key('done'), item.done or item.since, item.id)
        if item.state == 'sent' then
            call('ZADD', key('sentto', place(item.network, item.room)), item.seq, item.id)
        end
    end
end

function fill.posts(item)
    call('RPUSH', key('p', place(item.network, item.room)),
        cjson.encode({ tonumber(item.part), item.id, cjson.decode(item.deliveries), item.payload }))
end

function fill.rooms(item)
    call('HSET', key('w', place(item.network, item.room)), 'until', item['until'], 'attempts', item.attempts,
        'reason', item.reason)
end

function fill.sent(item)
    messages.sent(item.id, row(key('d', item.id), 'seq', 'network', 'room', 'remotes'), tonumber(item.part), item.remote)
end

function fill.tallies(item)
    call('ZADD', key('minutes'), item.minute, item.minute)
    call('HSET', key('tallies', item.minute), cjson.encode({ item.network, item.room, item.what, item.reason }),
        item.number)
end

function fill.losses(item)
    call('HSET', key('losses', item.network), cjson.encode({ item.room, item.reason }),
        cjson.encode({ tonumber(item.number), item.since, item['until'] }))
end

function fill.media(item)
    files.restore(item)
end

function fill.traffic(item)
    call('HSET', key('traffic', 'number'), item.day .. ' ' .. item.what, item.number)
    call('HSET', key('traffic', 'bytes'), item.day .. ' ' .. item.what, item.bytes)
end

function fill.outages(item)
    history.write('outages', item.seq, { network = item.network, room = item.room, began = item.began,
        ended = item.ended or NIL, reason = item.reason })
    if not item.ended then
        call('HSET', key('lasting'), place(item.network, item.room), item.seq)
    end
end

function fill.runs(item)
    history.write('runs', item.seq, { began = item.began, ended = item.ended or NIL, version = item.version })
end

function fill.counters(item)
    call('HSET', key('counters'), item.name, item.number)
end

function fill.audit(item)
    call('RPUSH', key('users', 'audit'), item.line)
end

local time = call('TIME')
call('HSET', marker, 'until', exact(time[1] + time[2] / 1e6 + ARGS.seconds))
if call('TTL', marker) >= 0 then
    call('EXPIRE', marker, ARGS.seconds)
end
for _, item in ipairs(ARGS.rows) do
    fill[ARGS.table](item)
end
return answer()
