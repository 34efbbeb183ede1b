-- What was counted from a minute on: of so many minutes at most, and with the last of them.
local counts, found, number, last = {}, {}, 0, NIL
for _, minute in ipairs(call('ZRANGEBYSCORE', key('minutes'), ARGS.minute, '+inf', 'LIMIT', 0, ARGS.most)) do
    local values = call('HGETALL', key('tallies', minute))
    for at = 1, #values, 2 do
        counts[values[at]] = (counts[values[at]] or 0) + tonumber(values[at + 1])
    end
    last, number = minute, number + #values
    if number > 10 * ARGS.most then
        break
    end
end
for name, each in pairs(counts) do
    found[#found + 1] = { cjson.decode(name), each }
end
return answer({ counts = found, last = last })
