return answer(call('HGETALL', key('mem', CALL.network)))
