-- What a removal takes out of the store: what waits to be delivered of the removed message.

local removals = {}

-- Whether the removed event itself was sent to that room, wholly or in part, or is frozen there.
local function has_begun(seq, network, room)
    local there = messages.delivery(seq, network, room)
    if not there then
        return false
    end
    local frozen = plans.carried(plans.frozen(place(network, room)))
    return there.state == 'sent' or #decoded(there.remotes) > 0 or frozen[there.id] == true
end

-- The deliveries that wait, or are dead, and make no sense any more, as the event `seq` is removed: of itself and of what
-- is about it; and of the removal, where the event surely never came. `frozen`: it has to be finished all the same,
-- unless it is certain that it was not sent: what had arrived could not be removed else.
local function fruitless(seq)
    local events, found = messages.about(seq), {}
    events[#events + 1] = seq
    for _, event in ipairs(events) do
        local type = call('HGET', key('ev', event), 'type')
        for _, id in ipairs(messages.to(event)) do
            local delivery = row(key('d', id), 'network', 'room', 'state')
            local waits = delivery.state == 'queued' or delivery.state == 'dead'
            if waits and not (type == 'redaction' and has_begun(seq, delivery.network, delivery.room)) then
                delivery.id, delivery.where = id, place(delivery.network, delivery.room)
                delivery.frozen = plans.carried(plans.frozen(delivery.where))[id]
                found[#found + 1] = delivery
            end
        end
    end
    return found
end

-- Drop what makes no sense any more, as the event `seq` is removed, unless it is frozen. Returns the ids of all.
function removals.drop_fruitless(seq)
    local all = {}
    for _, delivery in ipairs(fruitless(seq)) do
        if not delivery.frozen then
            queue.done(delivery.id, 'dropped', REDACTED)
            plans.let_go({ [delivery.id] = true }, delivery.where)
        end
        all[#all + 1] = delivery.id
        wake(delivery.network)
    end
    return all
end

-- The removed events that deliveries are of, or about.
function removals.of(deliveries)
    local found = {}
    for _, id in ipairs(deliveries) do
        local seq = call('HGET', key('d', id), 'event')
        for _, event in ipairs({ seq, call('HGET', key('ev', seq), 'target') }) do
            if event and call('HGET', key('ev', event), 'removed') == '1' then
                found[event] = true
            end
        end
    end
    return found
end
