local where = place(ARGS.network, ARGS.room)
local number = call('HGET', key('lasting'), where)
if number then
    local outage = history.read('outages', number)
    outage.ended = history.later(outage.began, ARGS.ended) -- the clock may have been set back
    history.write('outages', number, outage)
    call('HDEL', key('lasting'), where)
end
return answer()
