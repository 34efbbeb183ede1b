return answer(call('HGET', key('net', CALL.network), 'cursor') or NIL)
