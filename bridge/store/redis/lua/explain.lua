local where = place(CALL.network, ARGS.room)
if queue.length(where) > 0 then
    call('HSET', key('w', where), 'reason', ARGS.reason)
    call('HSETNX', key('w', where), 'until', 0)
end
return answer()
