-- What was queued since then and is finished was finished since then; the rest waits or is dead. All keys of deliveries
-- follow from that. Reads all of them: for the command line only.
local fates, reasons, carried, number = {}, {}, {}, 0

local function is_of_people(delivery)
    if tonumber(delivery.since) < tonumber(ARGS.since) or delivery.network == 'bots' or delivery.reason == REDACTED then
        return false
    end
    local event = row(key('ev', delivery.event), 'network', 'origin')
    return event.network ~= 'bots' and event.origin ~= 'ours'
end

local function add(id)
    local delivery = row(key('d', id), 'event', 'network', 'room', 'state', 'since', 'reason')
    if not is_of_people(delivery) then
        return
    end
    local fate = cjson.encode({ delivery.network, delivery.room, delivery.state })
    fates[fate] = (fates[fate] or 0) + 1
    if delivery.state == 'dead' or delivery.state == 'dropped' then
        reasons[delivery.reason] = (reasons[delivery.reason] or 0) + 1
    end
    if not carried[delivery.event] then
        carried[delivery.event], number = true, number + 1
    end
end

for id in walk(key('done'), ARGS.since) do
    add(id)
end
for _, network in ipairs(call('SMEMBERS', key('busy'))) do
    for _, room in ipairs(call('HKEYS', key('work', network))) do
        for id in walk(key('q', place(network, room)), '-inf') do
            add(id)
        end
    end
    for id in walk(key('dead', network), '-inf') do
        add(id)
    end
end

local counts = {}
for minute in walk(key('minutes'), ARGS.minute) do
    local values = call('HGETALL', key('tallies', minute))
    for at = 1, #values, 2 do
        counts[values[at]] = (counts[values[at]] or 0) + tonumber(values[at + 1])
    end
end

local function pairs_of(numbers, decode)
    local found = {}
    for name, each in pairs(numbers) do
        found[#found + 1] = { decode and cjson.decode(name) or name, each }
    end
    return found
end

return answer({ carried = number, fates = pairs_of(fates, true), lost = pairs_of(reasons),
    counts = pairs_of(counts, true) })
