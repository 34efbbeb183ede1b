local delivery = row(key('d', ARGS.delivery), 'network', 'room', 'state')
if delivery.state ~= 'queued' and delivery.state ~= 'dead' then
    return answer(false)
end
local dropped = queue.with_edits(ARGS.delivery)
for _, id in ipairs(dropped) do
    queue.done(id, 'dropped', 'dropped by hand')
end
plans.let_go(set_of(dropped), place(delivery.network, delivery.room))
wake(delivery.network)
return answer(true)
