-- The store can be used from now on, with the users that came with it.
if given(ARGS.users) then
    call('HSET', key('users', 'body'), 'body', ARGS.users, 'revision', 1)
end
call('DEL', marker)
return answer()
