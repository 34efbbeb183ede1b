history.add('runs', { began = CALL.now, ended = NIL, version = ARGS.version })
return answer()
