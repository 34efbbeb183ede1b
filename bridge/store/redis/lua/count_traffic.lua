local day = math.floor(NOW / 86400)
for _, used in ipairs(ARGS.used) do
    call('HINCRBY', key('traffic', 'number'), day .. ' ' .. used[1], used[2])
    call('HINCRBY', key('traffic', 'bytes'), day .. ' ' .. used[1], used[3])
end
return answer()
