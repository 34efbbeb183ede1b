local found, values = {}, call('HGETALL', key('losses', CALL.network))
for number = 1, #values, 2 do
    found[#found + 1] = { cjson.decode(values[number]), cjson.decode(values[number + 1]) }
end
return answer(found)
