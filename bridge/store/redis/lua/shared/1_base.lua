-- What every verb begins with. KEYS[1] is the prefix of all keys, with the hash tag that keeps them in one slot; the
-- other KEYS are those that can be known before. A verb that follows an id from one row to the next makes further
-- keys of that prefix: they are in the same slot, and cannot be known before the rows are read.
-- ARGV[1] is what each call has, ARGV[2] the arguments of the verb, both as JSON. Times are decimal strings: cjson
-- would round them.

local PREFIX = KEYS[1]
local CALL, ARGS = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local NOW = tonumber(CALL.now)
local LONGEST_WAIT_S = 3600
local KEPT_ANSWERS = 500 -- of each network: many times what one worker asks at once
local REDACTED = 'removed before it was delivered' -- a reason, and no loss
local NIL = cjson.null
local call = redis.call
local woken = {}

local function key(...)
    return PREFIX .. table.concat({ ... }, ':')
end

-- A room, as part of a key. The length keeps ('a', 'bc') and ('ab', 'c') apart.
local function place(network, room)
    return #network .. ':' .. network .. room
end

-- Those fields of a hash, by name; false where there is none.
local function row(name, ...)
    local values, found = call('HMGET', name, ...), {}
    for number, field in ipairs({ ... }) do
        found[field] = values[number]
    end
    return found
end

-- A number with all its digits.
local function exact(number)
    return string.format('%.17g', number)
end

local function given(value)
    return value ~= nil and value ~= NIL and value ~= false
end

local function decoded(text)
    return text and cjson.decode(text) or {}
end

local function set_of(list)
    local members = {}
    for _, each in ipairs(list) do
        members[each] = true
    end
    return members
end

-- The members of a sorted set, each with its score, from those with score `from` on: read in pieces, by rank.
local function walk(name, from)
    local rank = from == '-inf' and 0 or call('ZCOUNT', name, '-inf', '(' .. from)
    local found, at = {}, 1
    return function()
        if at > #found then
            found, at = call('ZRANGE', name, rank, rank + 199, 'WITHSCORES'), 1
            rank = rank + 200
            if #found == 0 then
                return nil
            end
        end
        at = at + 2
        return found[at - 2], tonumber(found[at - 1])
    end
end

-- Set what the network has to remember; NIL forgets it.
local function remember(changes)
    for name, value in pairs(changes) do
        if given(value) then
            call('HSET', key('mem', CALL.network), name, value)
        else
            call('HDEL', key('mem', CALL.network), name)
        end
    end
end

-- Forget a network for which nothing can wait.
local function forget_network(network)
    call('DEL', key('net', network), key('mem', network), key('answers', network), key('calls', network))
    call('HDEL', key('bells'), network)
    call('SREM', key('nets'), network)
end

-- The network may have new work.
local function wake(network)
    woken[network] = true
end

-- Doorbells: a number that grows, for who looks, and a message with it, for who listens.
local function ring()
    local rung = {}
    for network in pairs(woken) do
        local number = call('HINCRBY', key('bells'), network, 1)
        call('PUBLISH', key('ready', network), number)
        rung[#rung + 1] = { network, number }
    end
    return rung
end

-- Keep an answer, for the same call when it is repeated because that answer was lost.
local function keep(text)
    local answers, order = key('answers', CALL.network), key('calls', CALL.network)
    call('HSET', answers, CALL.id, text)
    if call('RPUSH', order, CALL.id) > KEPT_ANSWERS then
        call('HDEL', answers, call('LPOP', order))
    end
end

local function answer(result)
    if result == nil then
        result = NIL
    end
    local text = cjson.encode({ result, ring() })
    if CALL.id then
        keep(text)
    end
    return text
end

-- Nothing was changed.
local function refused(why, stored)
    return cjson.encode({ refused = why, stored = stored or NIL })
end

-- Only who moves the store uses it meanwhile: `moving` says who does, and why the others have to wait.
local marker = CALL.marker or key('moving')
if (call('HGET', marker, 'token') or nil) ~= CALL.mover and not CALL.moves then
    return refused('moved', call('HGET', marker, 'why'))
end
if CALL.confirm then -- a call that changes nothing would be confirmed at once, without waiting for those before it
    call('INCR', key('confirmed'))
end
if CALL.token and call('HGET', key('net', CALL.network), 'token') ~= CALL.token then
    return refused('lost')
end
if CALL.id then
    local earlier = call('HGET', key('answers', CALL.network), CALL.id)
    if earlier then
        return earlier
    end
end
