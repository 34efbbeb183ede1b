local network, room, id = messages.source_of(ARGS.network, ARGS.room, ARGS.remote)
return answer(network and { network, room, id } or NIL)
