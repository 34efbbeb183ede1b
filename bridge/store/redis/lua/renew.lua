local stored = call('HGET', key('net', CALL.network), 'cursor') or NIL
if stored ~= ARGS.cursor then
    return refused('rewound', stored)
end
return answer()
