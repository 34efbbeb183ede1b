-- What waits or is dead in some queues, each from behind a place in its order: so many deliveries, and bytes, at most.
-- With the number of the queue where it ended, and the place there, if it did not come to the end of all.
local found, bytes = {}, 0

local function add(id, wait)
    local delivery = row(key('d', id), 'seq', 'event', 'network', 'room', 'state', 'since', 'reason')
    local event = row(key('ev', delivery.event), 'network', 'origin')
    delivery.id, delivery.heard, delivery.origin = id, event.network, event.origin
    if ARGS.bodies then
        delivery.body = call('HGET', key('ev', delivery.event), 'body')
        bytes = bytes + #delivery.body
        delivery.attempts, delivery.reason = wait.attempts, wait.reason or delivery.reason
    end
    found[#found + 1] = delivery
end

for number, each in ipairs(ARGS.queues) do
    local where = given(each.room) and place(each.network, each.room)
    local wait = where and row(key('w', where), 'attempts', 'reason') or {}
    local items = call('ZRANGEBYSCORE', where and key('q', where) or key('dead', each.network), '(' .. each.after, '+inf',
        'WITHSCORES', 'LIMIT', 0, ARGS.most - #found)
    for at = 1, #items, 2 do
        add(items[at], wait)
        if #found == ARGS.most or bytes > ARGS.most_bytes then
            return answer({ found = found, number = number, after = items[at + 1] })
        end
    end
end
return answer({ found = found })
