-- Revoke those of them that are still of the same event.
local number, texts = 0, 0
for _, link in ipairs(ARGS.links) do
    local kind = call('HGET', key('m', link[1]), 'event') == link[2] and files.revoke(link[1])
    if kind == 'text' then
        texts = texts + 1
    elseif kind then
        number = number + 1
    end
end
return answer({ number, texts })
