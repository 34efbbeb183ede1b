local number = call('HGET', key('counters'), 'runs')
if number and call('HEXISTS', key('runs'), number) == 1 then
    local run = history.read('runs', number)
    run.ended = history.later(run.began, CALL.now)
    history.write('runs', number, run)
end
return answer()
