-- An event's id is unique in its room only: all rooms are asked.
local number, texts = 0, 0
for _, where in ipairs(call('SMEMBERS', key('places'))) do
    local seq = call('HGET', key('e', where), ARGS.event)
    if seq and (ARGS.network == '' or call('HGET', key('ev', seq), 'network') == ARGS.network) then
        local more, more_texts = files.revoke_of(seq)
        number, texts = number + more, texts + more_texts
    end
end
return answer({ number, texts })
