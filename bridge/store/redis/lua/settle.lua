local fates = {}

function fates.waits()
    local where = place(CALL.network, ARGS.room)
    if queue.length(where) > 0 then
        call('HSET', key('w', where), 'until', ARGS.till, 'reason', ARGS.reason)
        call('HINCRBY', key('w', where), 'attempts', 1)
    end
    return {}
end

function fates.dead()
    local bodies, ended = {}, {}
    for _, id in ipairs(ARGS.deliveries) do
        local delivery = queue.bury(id, CALL.network, ARGS.reason)
        if delivery then
            bodies[#bodies + 1] = call('HGET', key('ev', delivery.event), 'body')
            ended[#ended + 1] = { place(delivery.network, delivery.room), id }
        end
    end
    plans.let_all_go(ended)
    return bodies
end

function fates.shown()
    for _, id in ipairs(ARGS.deliveries) do
        queue.done(id, 'sent', '')
    end
    return {}
end

function fates.dropped()
    local queued = {}
    for _, id in ipairs(ARGS.deliveries) do
        local delivery = losses.read(id)
        if delivery.state == 'queued' and delivery.network == CALL.network then
            queued[#queued + 1] = delivery
        end
    end
    losses.lose(queued, ARGS.reason)
    return {}
end

return answer(fates[ARGS.fate]())
