local numbers, all = history.all('runs')
local found = {}
table.sort(numbers)
for _, number in ipairs(numbers) do
    local run = cjson.decode(all[number])
    if tonumber(run.began) >= tonumber(ARGS.since) then
        found[#found + 1] = run
    end
end
return answer(found)
