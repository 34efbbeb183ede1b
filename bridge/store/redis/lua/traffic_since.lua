local found, values = {}, call('HGETALL', key('traffic', 'number'))
for at = 1, #values, 2 do
    local day, kind = string.match(values[at], '^(%-?%d+) (%S+)$')
    if tonumber(day) >= ARGS.day then
        found[#found + 1] = { kind, values[at + 1], call('HGET', key('traffic', 'bytes'), values[at]) }
    end
end
return answer(found)
