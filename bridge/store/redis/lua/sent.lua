local where, post, unfinished = place(ARGS.network, ARGS.room), nil, {}
for _, each in ipairs(plans.frozen(where)) do
    if each.id == ARGS.post.id then
        post = each
    else
        for _, id in ipairs(each.deliveries) do
            unfinished[id] = true
        end
    end
end
if not post then
    return answer(false)
end
call('LREM', key('p', where), 1, post.text)
call('DEL', key('w', where))
for _, id in ipairs(ARGS.post.deliveries) do
    local delivery = row(key('d', id), 'seq', 'network', 'room', 'remotes')
    if ARGS.remote ~= '' and delivery.seq then
        messages.sent(id, delivery, post.part, ARGS.remote)
    end
    if not unfinished[id] then
        queue.done(id, 'sent', '')
    end
end
if #ARGS.next > 0 then
    plans.freeze(place(ARGS.network, ARGS.room), ARGS.next)
end
return answer(true)
