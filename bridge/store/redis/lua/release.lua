if call('HGET', key('net', ARGS.network), 'token') == ARGS.token then
    call('HDEL', key('net', ARGS.network), 'token', 'until')
    if ARGS.voice then -- of one worker, which has ended
        call('DEL', key('net', ARGS.network), key('mem', ARGS.network))
        call('SREM', key('nets'), ARGS.network)
    end
end
return answer()
