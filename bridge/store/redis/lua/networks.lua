local numbers = {}
for _, network in ipairs(call('SMEMBERS', key('nets'))) do
    numbers[network] = 0
end
for _, network in ipairs(call('SMEMBERS', key('busy'))) do
    local number = 0
    for _, room in ipairs(call('HKEYS', key('work', network))) do
        number = number + queue.length(place(network, room))
    end
    if number > 0 or call('ZCARD', key('dead', network)) > 0 then
        numbers[network] = number
    end
end
return answer(numbers)
