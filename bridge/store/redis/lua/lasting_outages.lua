local found = {}
for _, number in ipairs(call('HVALS', key('lasting'))) do
    local outage = history.read('outages', number)
    if outage.network == CALL.network then
        found[#found + 1] = outage
    end
end
return answer(found)
