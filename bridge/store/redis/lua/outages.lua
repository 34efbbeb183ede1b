local numbers, all = history.all('outages')
local found = {}
for _, number in ipairs(numbers) do
    local outage = cjson.decode(all[number])
    if not given(outage.ended) or tonumber(outage.ended) >= tonumber(ARGS.since) then
        found[#found + 1] = outage
    end
end
return answer(found)
