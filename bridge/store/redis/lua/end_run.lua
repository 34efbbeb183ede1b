-- The last run of that version; '': of any.
local last = tonumber(call('HGET', key('counters'), 'runs') or 0)
for number = last, math.max(1, last - 1000), -1 do
    if call('HEXISTS', key('runs'), number) == 1 then
        local run = history.read('runs', number)
        if ARGS.version == '' or run.version == ARGS.version then
            run.ended = history.later(run.began, CALL.now)
            history.write('runs', number, run)
            break
        end
    end
end
return answer()
