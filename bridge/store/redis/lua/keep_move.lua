-- The store is still moved; with a phase: from now on it can be used again only when the move has come to its end.
local time = call('TIME')
call('HSET', marker, 'until', exact(time[1] + time[2] / 1e6 + ARGS.seconds))
if given(ARGS.phase) then
    call('HSET', marker, 'phase', ARGS.phase, 'why', ARGS.why)
    call('PERSIST', marker)
elseif call('TTL', marker) >= 0 then
    call('EXPIRE', marker, ARGS.seconds)
end
return answer()
