return answer(files.revoke(ARGS.handle) and 1 or 0)
