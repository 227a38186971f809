-- Says how many connections of a node listen to pipes.
-- KEYS: the bases. ARGV: the nodes that are gone, node, now; of each pipe the count and its version; what becomes of the
-- mark that a user is here: `tell` (whoever sets it tells the others), `again` (they know) or `leave`; an epoch to begin
-- with, default length and ttl.
-- Answers of each pipe epoch, index, id of the newest message, listeners everywhere, when the user was last dismissed, 1
-- if the user has appeared.
--
-- Most calls find a pipe that the node has listened to before and goes on listening to: then nothing but its count
-- changes. Whatever else hangs on who listens was brought about when its first connection came, and stays until its last
-- has gone.

leave_out(ARGV[1])
local node, now = ARGV[2], tonumber(ARGV[3])

-- What all nodes have said: listeners without those of nodes that are gone, and with them; what this one has; whether
-- anything was said; and who has said an old zero. Zeros stay a minute, for counts that come late.
local function all_said(key)
  local all = { listeners = 0, said = 0, count = 0, version = -1, old = {} }
  local fields = redis.call('HGETALL', key)
  all.is_any = #fields > 0
  for at = 1, #fields, 2 do
    local name = fields[at]
    local count, version, told_at = string.match(fields[at + 1], '^(%d+) (%d+) (%d+)$')
    count = tonumber(count) or 0
    all.said = all.said + count
    if not GONE[name] then all.listeners = all.listeners + count end
    if name == node then
      all.count, all.version = count, tonumber(version) or -1
    elseif count == 0 and told_at and told_at + 60000 < now then
      all.old[#all.old + 1] = name
    end
  end
  return all
end

-- A pipe that was not there. Somebody may have deleted the hash alone: numbers begin anew, and streams only go forward.
local function begin(base, epoch, default_length, default_ttl)
  redis.call('DEL', base .. ':kept', base .. ':window')
  redis.call('HSET', base, 'epoch', epoch, 'index', '0', 'default_length', default_length, 'default_ttl', default_ttl)
  return { epoch, '0', '' }
end

-- The first connection of this node has come: it is seen to that the pipe is found, stays, and has a window.
local function come(base, key, before, is_new)
  must_be_seen_to(base, node, true)
  if before.said > 0 then return end
  if before.is_any then redis.call('PERSIST', key) end
  if is_new then return end
  local head = redis.call('HMGET', base, 'heard_at', 'index')
  if not is_heard({ heard_at = tonumber(head[1]) or 0 }, 0, now) then
    redis.call('DEL', base .. ':window')
    redis.call('HSET', base, 'window_floor', head[2], 'window_bytes', '0')
  end
  redis.call('PERSIST', base)
  redis.call('PERSIST', base .. ':kept')
end

-- Nobody listens any more, also not at a node that is gone: the pipe gets its time to live, and the window its last
-- minute.
local function let_go(base, key, was_heard)
  redis.call('PEXPIRE', key, 60000)
  local head = redis.call('HMGET', base, 'heard_at', 'length', 'ttl', 'default_ttl')
  if was_heard then redis.call('HSET', base, 'heard_at', whole(math.max(tonumber(head[1]) or 0, now))) end
  local ttl = head[2] and head[3] or head[4]
  let_age({ base = base, is_set = head[2] ~= false, ttl = tonumber(ttl) or 0 }, 0)
end

-- Puts the pipe into the listing of those that are heard, or takes it out. What it keeps has not changed.
local function list_heard(base, listeners)
  local bucket, tenant, kind, name = parts_of(base)
  if kind == 'n' then
    mark(bucket .. tenant .. ':heard', listeners > 0, name)
  else
    local is_there = listeners > 0 or redis.call('XLEN', base .. ':kept') > 0
    mark(bucket .. tenant .. ':logs', is_there, string.format('%010d', name))
  end
end

-- The last connection of this node has gone, or there was none.
local function go(base, key, before, after, is_present)
  local must = redis.call('EXISTS', base .. ':wills:' .. node) == 1 or is_present and after.listeners == 0
  must_be_seen_to(base, node, must)
  if after.said == 0 then let_go(base, key, before.said > 0) end
end

-- Answers the mark of a log that its user is here, `node version` of the call that has set it.
local function appear(base, present, wanted, mine)
  if present or wanted == 'leave' then return present end
  present = wanted == 'tell' and mine or wanted
  redis.call('HSET', base, 'present', present)
  return present
end

local function register(base, count, version, wanted, epoch, default_length, default_ttl)
  local key, _, _, kind = base .. ':listeners', parts_of(base)
  local before = all_said(key)
  local head = redis.call('HMGET', base, 'epoch', 'index', 'id', 'dismissed_at', 'present')
  local is_new = not head[1]
  if is_new then head = begin(base, epoch, default_length, default_ttl) end
  -- A count that was overtaken on its way says nothing any more.
  local is_latest, present, mine = before.version < version, head[5], node .. ' ' .. whole(version)
  local after = { listeners = before.listeners, said = before.said, count = before.count }
  if is_latest then
    local more = count - before.count
    after = { listeners = before.listeners + (GONE[node] and 0 or more), said = before.said + more, count = count }
    for _, name in ipairs(before.old) do
      redis.call('HDEL', key, name)
    end
    redis.call('HSET', key, node, table.concat({ whole(count), whole(version), whole(now) }, ' '))
    if kind == 'l' and count > 0 then present = appear(base, present, wanted, mine) end
  end
  if is_new or is_latest and (before.count == 0 or count == 0) then
    if after.count > 0 then
      come(base, key, before, is_new)
    else
      go(base, key, before, after, kind == 'l' and present)
    end
    if after.count > 0 or after.listeners == 0 then list_heard(base, after.listeners) end
  end
  return head[1], head[2], head[3] or '', after.listeners, head[4] or '0', present == mine and 1 or 0
end

local answers, at = {}, 4
for _, base in ipairs(KEYS) do
  local told = { register(base, tonumber(ARGV[at]), tonumber(ARGV[at + 1]), unpack(ARGV, at + 2, at + 5)) }
  for _, part in ipairs(told) do
    answers[#answers + 1] = part
  end
  at = at + 6
end
return answers
