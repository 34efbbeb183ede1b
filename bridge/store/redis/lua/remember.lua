remember(ARGS.changes)
return answer()
