local wait = key('w', place(CALL.network, ARGS.room))
if call('EXISTS', wait) == 1 then
    call('HSET', wait, 'until', 0)
end
wake(CALL.network)
return answer()
