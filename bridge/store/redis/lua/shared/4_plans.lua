-- Frozen posts: `p:<place>` is the list of those of a room, in order, each as JSON: part, id, deliveries, payload.

local plans = {}

function plans.frozen(where)
    local posts = {}
    for number, text in ipairs(call('LRANGE', key('p', where), 0, -1)) do
        local part, id, deliveries, payload = unpack(cjson.decode(text))
        posts[number] = { part = part, id = id, deliveries = deliveries, payload = payload, text = text }
    end
    return posts
end

-- The deliveries that the posts carry, as a set.
function plans.carried(posts)
    local carried = {}
    for _, post in ipairs(posts) do
        for _, id in ipairs(post.deliveries) do
            carried[id] = true
        end
    end
    return carried
end

-- The first part number after those of a delivery that were sent before it was rendered again.
local function next_part(id)
    local next_one = 0
    for _, sent in ipairs(decoded(call('HGET', key('d', id), 'remotes'))) do
        next_one = math.max(next_one, sent[1] + 1)
    end
    return next_one
end

-- Freeze posts, numbered from `least` or, if their deliveries are half sent, from a higher number.
local function insert(where, posts, least)
    local carried = plans.carried(posts)
    for id in pairs(carried) do
        if not queue.is_queued(id) then
            return {} -- one was dropped since it was rendered: render again
        end
        least = math.max(least, next_part(id))
    end
    for number, post in ipairs(posts) do
        call('RPUSH', key('p', where), cjson.encode({ least + number - 1, post.id, post.deliveries, post.payload }))
    end
    return posts
end

-- Freeze posts, unless posts are frozen there already; returns the frozen ones.
function plans.freeze(where, posts)
    local frozen = plans.frozen(where)
    return #frozen > 0 and frozen or insert(where, posts, 0)
end

-- Freeze posts after those that are frozen, unless these carry one of their deliveries.
function plans.append(where, posts)
    local frozen = plans.frozen(where)
    local carried = plans.carried(frozen)
    for id in pairs(plans.carried(posts)) do
        if carried[id] then
            return {}
        end
    end
    return insert(where, posts, #frozen > 0 and frozen[#frozen].part + 1 or 0)
end

-- Unfreeze all posts, unless an earlier post of a delivery in them was sent.
function plans.thaw(where)
    local frozen = plans.frozen(where)
    for id in pairs(plans.carried(frozen)) do
        if next_part(id) > 0 then
            return false
        end
    end
    call('DEL', key('p', where))
    return #frozen > 0
end

-- Freeze posts if they carry only deliveries in `new`, and exactly what is due in the room.
function plans.take_up(where, posts, new)
    local carried, left = plans.carried(posts), 0
    for id in pairs(carried) do
        if not new[id] then
            return false
        end
        left = left + 1
    end
    for id in queue.due(where, NOW) do
        if not carried[id] then
            return false
        end
        left = left - 1
    end
    if left ~= 0 then
        return false
    end
    plans.freeze(where, posts)
    return true
end

-- All deliveries that share a post with one of `deliveries`, or with one that does, and so on.
local function entangled(posts, deliveries)
    local found, grew = {}, false
    for id in pairs(deliveries) do
        found[id] = true
    end
    local function takes(post)
        for _, id in ipairs(post.deliveries) do
            if found[id] then
                return true
            end
        end
        return false
    end
    for _ = 1, #posts do
        for _, post in ipairs(posts) do
            if takes(post) then
                for _, id in ipairs(post.deliveries) do
                    grew = grew or not (found[id] or deliveries[id])
                    found[id] = true
                end
            end
        end
    end
    return takes, grew
end

-- The posts that do not stay frozen without `deliveries`. If their posts carry nothing else, all other posts stay.
-- Otherwise the deliveries that share a post with them, and all that follow, are rendered again, to stay in order;
-- earlier posts stay, since they may be half sent.
local function loosened(posts, deliveries)
    local takes, shared = entangled(posts, deliveries)
    local found, behind = {}, false
    for _, post in ipairs(posts) do
        behind = takes(post) or (shared and behind)
        if behind then
            found[#found + 1] = post
        end
    end
    return found
end

-- Unfreeze what carries one of `deliveries`, a set of those that end together. End the room's wait if nothing is queued
-- there any more.
function plans.let_go(deliveries, where)
    for _, post in ipairs(loosened(plans.frozen(where), deliveries)) do
        call('LREM', key('p', where), 1, post.text)
    end
    if queue.length(where) == 0 then
        call('DEL', key('w', where))
    end
end

-- Unfreeze deliveries that end together, given as pairs of place and id.
function plans.let_all_go(ended)
    local places = {}
    for _, each in ipairs(ended) do
        places[each[1]] = places[each[1]] or {}
        places[each[1]][each[2]] = true
    end
    for where, deliveries in pairs(places) do
        plans.let_go(deliveries, where)
    end
end

-- The posts as the answer has them.
function plans.told(posts)
    local told = {}
    for number, post in ipairs(posts) do
        told[number] = { post.id, post.deliveries, post.payload }
    end
    return told
end
