-- Outages of rooms and runs of the daemon: `outages` and `runs` are hashes of JSON by number, `counters` has the last
-- number of each; `lasting` has the number of the outage that lasts in a room.

local history = {}
local YEAR_S, MOST = 365 * 86400, 10000

function history.read(table, number)
    return cjson.decode(call('HGET', key(table), number))
end

function history.write(table, number, item)
    call('HSET', key(table), number, cjson.encode(item))
end

function history.add(table, item)
    local number = call('HINCRBY', key('counters'), table, 1)
    history.write(table, number, item)
    return number
end

-- All that are kept, in order.
function history.all(table)
    local values, numbers, found = call('HGETALL', key(table)), {}, {}
    for at = 1, #values, 2 do
        numbers[#numbers + 1] = tonumber(values[at])
        found[tonumber(values[at])] = values[at + 1]
    end
    return numbers, found
end

-- The later of two times, as it is spelled.
function history.later(one, other)
    return tonumber(one) > tonumber(other) and one or other
end

-- Forget what is over for a year, and what is too much; returns how many.
function history.expire(name)
    local numbers, found = history.all(name)
    local last, gone = tonumber(call('HGET', key('counters'), name) or 0), 0
    for _, number in ipairs(numbers) do
        local item = cjson.decode(found[number])
        local over = tonumber(given(item.ended) and item.ended or item.began)
        if over < NOW - YEAR_S or number <= last - MOST then
            call('HDEL', key(name), number)
            if name == 'outages' and not given(item.ended) then
                call('HDEL', key('lasting'), place(item.network, item.room))
            end
            gone = gone + 1
        end
    end
    return gone
end
