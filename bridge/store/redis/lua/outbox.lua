-- All keys of rooms follow from what waits.
local found = {}

local function add(id, wait)
    local delivery = row(key('d', id), 'seq', 'event', 'network', 'room', 'state', 'since', 'reason')
    delivery.id, delivery.body = id, call('HGET', key('ev', delivery.event), 'body')
    if wait then
        delivery.attempts, delivery.reason = wait.attempts, wait.reason
    end
    found[#found + 1] = delivery
end

for _, network in ipairs(call('SMEMBERS', key('busy'))) do
    for _, room in ipairs(call('HKEYS', key('work', network))) do
        local where = place(network, room)
        local wait = row(key('w', where), 'attempts', 'reason')
        for id in walk(key('q', where), '-inf') do
            add(id, wait)
        end
    end
    for id in walk(key('dead', network), '-inf') do
        add(id)
    end
end
return answer(found)
