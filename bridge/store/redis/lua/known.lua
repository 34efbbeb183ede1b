local found = {}
for number, event in ipairs(ARGS.events) do
    found[number] = messages.known(event[1], event[2], event[3]) or NIL
end
return answer(found)
