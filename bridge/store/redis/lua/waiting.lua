local where, number = place(ARGS.network, ARGS.room), 0
local frozen = plans.carried(plans.frozen(where))
for id in walk(key('q', where), '-inf') do
    if not frozen[id] and call('HGET', key('ev', call('HGET', key('d', id), 'event')), 'origin') ~= 'ours' then
        number = number + 1
    end
end
return answer(number)
