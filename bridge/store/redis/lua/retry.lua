local revived = false
for _, id in ipairs(queue.with_edits(ARGS.delivery)) do
    local network = queue.revive(id)
    if network then
        wake(network)
        revived = true
    end
end
return answer(revived)
