-- Messages given up because they are too old, or too many wait for a room. `losses:<network>` counts them by room and
-- reason until people are told.

local losses = {}
local TOO_OLD, TOO_MANY = 'waited too long', 'too many waited'
local AT_ONCE = 500 -- deliveries of a room at once: takes milliseconds, so that dropping never delays a message

local function note(delivery, reason)
    local name, field = key('losses', delivery.network), cjson.encode({ delivery.room, reason })
    local text = call('HGET', name, field)
    local number, since, till = 0, delivery.said, delivery.said
    if text then
        number, since, till = unpack(cjson.decode(text))
    end
    since = tonumber(delivery.said) < tonumber(since) and delivery.said or since
    till = tonumber(delivery.said) > tonumber(till) and delivery.said or till
    call('HSET', name, field, cjson.encode({ number + 1, since, till }))
end

-- People were told of `loss`. What was lost since it was read remains.
function losses.tell(loss)
    local name, field = key('losses', loss.network), cjson.encode({ loss.room, loss.reason })
    local text = call('HGET', name, field)
    if not text then
        return
    end
    local number, since, till = unpack(cjson.decode(text))
    if number <= loss.number then
        call('HDEL', name, field)
        return
    end
    since = tonumber(loss.till) > tonumber(since) and loss.till or since
    call('HSET', name, field, cjson.encode({ number - loss.number, since, till }))
end

-- A delivery as `losses.lose` needs it.
function losses.read(id)
    local delivery = row(key('d', id), 'event', 'network', 'room', 'state', 'since', 'said')
    delivery.id = id
    return delivery
end

-- Give deliveries up. Messages of our own never count.
function losses.lose(deliveries, reason)
    local ended, ids = {}, {}
    for number, delivery in ipairs(deliveries) do
        queue.done(delivery.id, 'dropped', reason)
        ids[number] = delivery.id
        ended[number] = { place(delivery.network, delivery.room), delivery.id }
        if reason ~= REDACTED and call('HGET', key('ev', delivery.event), 'origin') ~= 'ours' then
            note(delivery, reason)
        end
    end
    plans.let_all_go(ended)
    if reason == REDACTED then
        for seq in pairs(removals.of(ids)) do -- the removal itself, too, if nothing was sent
            removals.drop_fruitless(seq)
        end
    end
    return #deliveries
end

-- The first `most` deliveries of a room that are old, or those that are not; none that is frozen or goes ahead.
local function oldest(where, old, limit, most)
    local frozen, found = plans.carried(plans.frozen(where)), {}
    for id in walk(key('q', where), exact(BEHIND)) do
        if #found >= most then
            break
        end
        if not frozen[id] then
            local delivery = losses.read(id)
            if (tonumber(delivery.since) < limit) == old then
                found[#found + 1] = delivery
            end
        end
    end
    return found
end

-- How many of the oldest deliveries in a queue are over its bounds: all that have `most` or more behind them, or
-- `most_bytes` with those behind them; but the newest stays. At most as many as are dropped at once.
local function number_over(where, bytes, most, most_bytes)
    local left, over = queue.length(where), 0
    for id in walk(key('q', where), '-inf') do
        if over == AT_ONCE or not (left > most or (left > 1 and bytes > most_bytes)) then
            break
        end
        bytes = bytes - tonumber(call('HGET', key('d', id), 'size'))
        left, over = left - 1, over + 1
    end
    return over
end

-- Whether the first of a room that does not go ahead was queued before `limit`.
local function has_old_head(where, limit)
    local head = call('ZRANGEBYSCORE', key('q', where), exact(BEHIND), '+inf', 'LIMIT', 0, 1)[1]
    return head and tonumber(call('HGET', key('d', head), 'since')) < limit
end

-- Some deliveries to drop, and the reason: those queued before `limit`, or the oldest of a room with too many.
function losses.excess(network, limit, most, most_bytes)
    local work = call('HGETALL', key('work', network))
    for number = 1, #work, 2 do
        local where = place(network, work[number])
        local over = number_over(where, tonumber(work[number + 1]), most, most_bytes)
        if over > 0 or has_old_head(where, limit) then
            local old = oldest(where, true, limit, AT_ONCE)
            local many = #old == 0 and oldest(where, false, limit, over) or {}
            if #old + #many > 0 then
                return #old > 0 and old or many, #old > 0 and TOO_OLD or TOO_MANY
            end
        end
    end
    return {}, ''
end
