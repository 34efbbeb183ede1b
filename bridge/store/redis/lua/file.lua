local file = files.find(ARGS.handle)
if not file or file.kind == 'text' or tonumber(file['until']) <= NOW then
    return answer()
end
local event = row(key('ev', file.event), 'network', 'room', 'id')
return answer({ event = { event.network, event.room, event.id }, file = file })
