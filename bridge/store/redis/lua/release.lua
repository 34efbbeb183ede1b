if call('HGET', key('net', ARGS.network), 'token') == ARGS.token then
    call('HDEL', key('net', ARGS.network), 'token', 'until')
end
return answer()
