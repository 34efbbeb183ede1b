-- Deliveries that were finished from `since` on, without the first `skip` of them: each with when.
local found = {}
local items = call('ZRANGEBYSCORE', key('done'), ARGS.since, '+inf', 'WITHSCORES', 'LIMIT', ARGS.skip, ARGS.most)
for at = 1, #items, 2 do
    local delivery = row(key('d', items[at]), 'event', 'network', 'room', 'state', 'since', 'reason')
    local event = row(key('ev', delivery.event), 'network', 'origin')
    delivery.id, delivery.done, delivery.heard, delivery.origin = items[at], items[at + 1], event.network, event.origin
    found[#found + 1] = delivery
end
return answer(found)
