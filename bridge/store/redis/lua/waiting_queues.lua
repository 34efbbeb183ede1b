-- The queues in which something waits or is dead: each with its network, and its room; without one, the dead ones.
local found = {}
for _, network in ipairs(call('SMEMBERS', key('busy'))) do
    for _, room in ipairs(call('HKEYS', key('work', network))) do
        found[#found + 1] = { network = network, room = room }
    end
    if call('EXISTS', key('dead', network)) == 1 then
        found[#found + 1] = { network = network }
    end
end
return answer(found)
