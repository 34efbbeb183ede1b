if call('HGET', key('net', ARGS.network), 'token') == ARGS.token then
    call('HDEL', key('net', ARGS.network), 'token', 'until')
    if ARGS.voice then -- of one worker, which has ended
        forget_network(ARGS.network)
    end
end
return answer()
