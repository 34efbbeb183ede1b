local where = place(ARGS.network, ARGS.room)
local number = call('HGET', key('lasting'), where)
if number then
    local outage = history.read('outages', number)
    outage.reason = ARGS.reason
    history.write('outages', number, outage)
else
    local outage = { network = ARGS.network, room = ARGS.room, began = ARGS.began, ended = NIL, reason = ARGS.reason }
    call('HSET', key('lasting'), where, history.add('outages', outage))
end
return answer()
