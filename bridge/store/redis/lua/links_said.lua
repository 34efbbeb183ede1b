-- All files and texts with links that somebody said, in those rooms if any are given: each sender, with the handles and
-- events of theirs.
local wanted = given(ARGS.rooms) and {} or nil
for _, room in ipairs(wanted and ARGS.rooms or {}) do
    wanted[place(room[1], room[2])] = true
end
local by_sender, found = {}, {}
for handle in walk(key('until'), '-inf') do
    local file = files.find(handle)
    local event = file and row(key('ev', file.event), 'network', 'room', 'sender') or {}
    if event.sender and (not wanted or wanted[place(event.network, event.room)]) then
        if not by_sender[event.sender] then
            by_sender[event.sender] = {}
            found[#found + 1] = { event.sender, by_sender[event.sender] }
        end
        table.insert(by_sender[event.sender], { handle, file.event })
    end
end
return answer(found)
