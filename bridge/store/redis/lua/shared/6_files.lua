-- Files and whole texts that have links. `m:<handle>` is one, `media:<seq>` are those of an event, `until` has all by the
-- time at which their links expire. `linked` counts for each event the links of it and of its edits that work: it is
-- kept as long. `texts` and `guests` have the texts, and those of guests, by their events; `counters` their bytes.

local files = {}
local TEXT = 'text' -- the kind, and the source, of a whole text

local function count(file, number)
    local event = row(key('ev', file.event), 'type', 'target')
    for _, seq in ipairs({ file.event, event.type == 'edit' and event.target or nil }) do
        if call('HINCRBY', key('linked'), seq, number) <= 0 then
            call('HDEL', key('linked'), seq)
        end
    end
end

local function weigh(file, bytes)
    call('HINCRBY', key('counters'), 'texts', bytes)
    if file.guest == '1' then
        call('HINCRBY', key('counters'), 'guests', bytes)
    end
end

local function read(handle)
    local file = row(key('m', handle), 'event', 'kind', 'name', 'size', 'mime', 'source', 'until', 'text', 'guest')
    return file.event and file or nil
end

-- The file with that handle; nil if there is none, or it was revoked.
function files.find(handle)
    local file = read(handle)
    return file and file.source ~= '' and file or nil
end

-- Its links work no more; returns its kind, or nil if they did not work.
function files.revoke(handle)
    local file = files.find(handle)
    if not file then
        return nil
    end
    call('HSET', key('m', handle), 'source', '', 'name', '', 'text', '')
    count(file, -1)
    if file.kind == TEXT then
        weigh(file, -tonumber(file.size))
        call('ZREM', key('texts'), handle)
        call('ZREM', key('guests'), handle)
    end
    return file.kind
end

function files.forget(handle)
    local file = read(handle)
    files.revoke(handle)
    call('SREM', key('media', file.event), handle)
    call('ZREM', key('until'), handle)
    call('DEL', key('m', handle))
end

local function insert(handle, seq, file, guest)
    local name = key('m', handle)
    if call('EXISTS', name) == 1 then
        if file.expires > tonumber(call('HGET', name, 'until')) then
            call('HSET', name, 'until', file.expires)
            call('ZADD', key('until'), file.expires, handle)
        end
        return
    end
    call('HSET', name, 'event', seq, 'kind', file.kind, 'name', file.name, 'size', file.size, 'mime', file.mime,
        'source', file.source, 'until', file.expires, 'text', file.text or '', 'guest', guest and '1' or '0')
    call('SADD', key('media', seq), handle)
    call('ZADD', key('until'), file.expires, handle)
    count({ event = seq }, 1)
    if file.kind == TEXT then
        weigh({ guest = guest and '1' or '0' }, file.size)
        call('ZADD', key('texts'), seq, handle)
        if guest then
            call('ZADD', key('guests'), seq, handle)
        end
    end
end

-- Put a file or a text that was kept in another store into this one, as it was there.
function files.restore(file)
    local event = row(key('ev', file.event), 'network', 'sender')
    local note = event.network ~= 'bots' and event.sender and cjson.decode(event.sender).note
    file.guest = note == 'guest' and '1' or '0'
    call('HSET', key('m', file.handle), 'event', file.event, 'kind', file.kind, 'name', file.name,
        'size', file.size or '', 'mime', file.mime, 'source', file.source, 'until', file['until'], 'text', file.text,
        'guest', file.guest)
    call('SADD', key('media', file.event), file.handle)
    call('ZADD', key('until'), file['until'], file.handle)
    if file.source == '' then
        return -- it was revoked
    end
    count(file, 1)
    if file.kind == TEXT then
        weigh(file, file.size)
        call('ZADD', key('texts'), file.event, file.handle)
        if file.guest == '1' then
            call('ZADD', key('guests'), file.event, file.handle)
        end
    end
end

-- The text of an edit replaces the one before it, however short it is now, unless a later one has done so.
local function replace_text(text, seq, about)
    local file = files.find(text.handle)
    local last = call('ZREVRANGE', key('edits', about), 0, 0)[1]
    if not file or (last and tonumber(last) > tonumber(seq)) then
        return
    end
    call('HSET', key('m', text.handle), 'text', text.text, 'size', text.size)
    if file.kind == TEXT then
        weigh(file, text.size - tonumber(file.size))
    end
end

local function is_removed(seq)
    return seq and call('HGET', key('ev', seq), 'removed') == '1'
end

-- Keep the files and the text of an event, which edits `target`. A revoked one stays revoked; nothing is kept of a
-- removed message.
function files.keep(event, seq, target)
    local removed = is_removed(seq) or is_removed(target)
    local text = event.whole
    if given(text) then
        if text.expires > 0 and not removed then
            local file = { kind = TEXT, name = '', size = text.size, mime = 'text/plain', source = TEXT }
            file.expires, file.text = text.expires, text.text
            insert(text.handle, seq, file, event.guest)
        end
        replace_text(text, seq, target or seq)
    end
    for _, file in ipairs(removed and {} or event.media) do
        insert(file.handle, seq, file, event.guest)
    end
end

-- The handles of what is of an event, or of its edits; and of the text of its message, if it is an edit.
local function of_event(seq)
    local found, event = {}, row(key('ev', seq), 'type', 'target')
    local function add(other, only_text)
        for _, handle in ipairs(call('SMEMBERS', key('media', other))) do
            if not only_text or call('HGET', key('m', handle), 'kind') == TEXT then
                found[handle] = true
            end
        end
    end
    add(seq)
    for _, edit in ipairs(call('ZRANGE', key('edits', seq), 0, -1)) do
        add(edit)
    end
    if event.type == 'edit' and event.target then
        add(event.target, true)
        for _, edit in ipairs(call('ZRANGE', key('edits', event.target), 0, -1)) do
            add(edit, true)
        end
    end
    return found
end

-- Revoke the links to the files and the text of an event, and of its edits; returns how many files and how many texts.
function files.revoke_of(seq)
    local number, texts = 0, 0
    for handle in pairs(of_event(seq)) do
        local kind = files.revoke(handle)
        if kind == TEXT then
            texts = texts + 1
        elseif kind then
            number = number + 1
        end
    end
    return number, texts
end

-- Forget at most `most` files whose links have expired; returns how many.
function files.expire(most)
    local old = call('ZRANGEBYSCORE', key('until'), '-inf', '(' .. CALL.now, 'LIMIT', 0, most)
    for _, handle in ipairs(old) do
        files.forget(handle)
    end
    return #old
end

-- Forget at most `most` texts of that index, the oldest first, until they take no more than `bound` bytes.
local function shrink(index, bound, most)
    local number = 0
    while number < most and tonumber(call('HGET', key('counters'), index) or 0) > bound do
        local oldest = call('ZRANGE', key(index), 0, 0)[1]
        if not oldest then
            break
        end
        files.forget(oldest)
        number = number + 1
    end
    return number
end

function files.fit(all, guests, most)
    return shrink('guests', guests, most) + shrink('texts', all, most)
end
