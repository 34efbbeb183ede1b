local stored, time = call('HGET', key('net', CALL.network), 'cursor') or NIL, call('TIME')
if stored ~= ARGS.cursor then
    return refused('rewound', stored)
end
call('HSET', key('net', CALL.network), 'until', exact(time[1] + time[2] / 1e6 + ARGS.seconds))
return answer()
