-- What every script begins with. Constants in capitals are put before it by script.rs.
--
-- A pipe is a hash at its base, `cometql:{bucket}:tenant:n:name` or `cometql:{bucket}:tenant:l:user`, and what hangs on
-- the base: `:kept` and `:window` (streams by index), `:listeners` (node -> "count version told_at"), `:id:…` (chosen
-- ids), `:wills:node` (connection -> event, NUL, text). All that a script touches has the tag of its first key.

-- The last key never exists, and has said what it was there for: the slot is not on its way to another server.
KEYS[#KEYS] = nil

local PLACES = {
  'epoch', 'index', 'id', 'sent_at', 'kept_floor', 'kept_bytes', 'window_floor', 'window_bytes', 'heard_at', 'taken',
  'default_length', 'default_ttl', 'length', 'ttl',
}

-- Numbers beyond 14 digits would be written with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

-- The pipe as it stands; nil when it is not there.
local function find(base)
  local values = redis.call('HMGET', base, unpack(PLACES))
  if not values[1] then return nil end
  local pipe = { base = base, epoch = values[1], id = values[3] or '', is_set = values[13] ~= false }
  for at, place in ipairs(PLACES) do
    if place ~= 'epoch' and place ~= 'id' then pipe[place] = tonumber(values[at]) or 0 end
  end
  if not pipe.is_set then pipe.length, pipe.ttl = pipe.default_length, pipe.default_ttl end
  return pipe
end

-- The pipe, or a new one in an epoch of its own, which is not written yet.
local function find_or_begin(base, epoch, default_length, default_ttl)
  local pipe = find(base)
  if pipe then return pipe end
  -- Somebody may have deleted the hash alone: numbers begin anew, and streams only go forward.
  redis.call('DEL', base .. ':kept', base .. ':window')
  pipe = { base = base, epoch = epoch, id = '', is_set = false, is_new = true }
  for _, place in ipairs(PLACES) do
    pipe[place] = pipe[place] or 0
  end
  pipe.default_length, pipe.default_ttl = tonumber(default_length), tonumber(default_ttl)
  pipe.length, pipe.ttl = pipe.default_length, pipe.default_ttl
  return pipe
end

local function write(pipe)
  redis.call('HSET', pipe.base, 'epoch', pipe.epoch, 'index', whole(pipe.index), 'id', pipe.id,
    'sent_at', whole(pipe.sent_at), 'kept_floor', whole(pipe.kept_floor), 'kept_bytes', whole(pipe.kept_bytes),
    'window_floor', whole(pipe.window_floor), 'window_bytes', whole(pipe.window_bytes),
    'heard_at', whole(pipe.heard_at), 'taken', whole(pipe.taken),
    'default_length', whole(pipe.default_length), 'default_ttl', whole(pipe.default_ttl))
end

-- Nodes that are gone. What they have said does not count, whether or not somebody has seen to it yet.
local GONE = {}
local function leave_out(nodes)
  for node in string.gmatch(nodes, '%S+') do
    GONE[node] = true
  end
end

-- What the server's clock says, in milliseconds.
local function millis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Of a base: what the keys of its bucket begin with, tenant, `n` or `l`, and name.
local function parts_of(base)
  return string.match(base, '^(cometql:{%d+}:)(%d+):(%a):(.*)$')
end

-- Connections that listen, without those of nodes that are gone; and with them, as long as nobody has taken back what
-- such a node has said: somebody behind it has listened a moment ago.
local function listeners_of(base)
  local total, said = 0, 0
  local fields = redis.call('HGETALL', base .. ':listeners')
  for at = 1, #fields, 2 do
    local count = tonumber(string.match(fields[at + 1], '^%d+')) or 0
    said = said + count
    if not GONE[fields[at]] then total = total + count end
  end
  return total, said
end

-- How many connections of one node listen, and the version of that count.
local function count_of(base, node)
  local count, version = string.match(redis.call('HGET', base .. ':listeners', node) or '', '^(%d+) (%d+)')
  return tonumber(count) or 0, tonumber(version) or -1
end

-- Whether the recovery window goes on: somebody listens, as far as was said, or has until a minute ago.
local function is_heard(pipe, said, now)
  return said > 0 or (pipe.heard_at > 0 and now - pipe.heard_at < WINDOW_MILLIS_MAX)
end

local function mark(key, is_in, member)
  if is_in then redis.call('ZADD', key, 0, member) else redis.call('ZREM', key, member) end
end

-- Puts the pipe into the listings it belongs to, and takes it out of the others.
local function list(base, listeners)
  local bucket, tenant, kind, name = parts_of(base)
  local keeps = redis.call('XLEN', base .. ':kept') > 0
  if kind == 'l' then
    -- As many digits for each, so that they stand in the order of their numbers.
    mark(bucket .. tenant .. ':logs', keeps or listeners > 0, string.format('%010d', name))
  else
    mark(bucket .. tenant .. ':kept', keeps, name)
    mark(bucket .. tenant .. ':heard', listeners > 0, name)
  end
end

-- Puts the pipe among those that must be seen to when a node dies, or takes it out; and the node among those that have
-- such pipes in this bucket.
local function must_be_seen_to(base, node, is_so)
  local bucket = parts_of(base)
  local pipes, nodes = bucket .. 'pipes_of:' .. node, bucket .. 'nodes'
  if is_so then
    redis.call('SADD', pipes, base)
    redis.call('SADD', nodes, node)
  else
    redis.call('SREM', pipes, base)
    if redis.call('EXISTS', pipes) == 0 then redis.call('SREM', nodes, node) end
  end
end

-- The same, as it is. A user who has gone is here until somebody has told the others; as long as he is on another node,
-- that one sees to it.
local function note(base, node)
  local _, _, kind = parts_of(base)
  must_be_seen_to(base, node, count_of(base, node) > 0 or redis.call('EXISTS', base .. ':wills:' .. node) == 1
    or kind == 'l' and redis.call('HEXISTS', base, 'present') == 1 and listeners_of(base) == 0)
end

-- Gives a pipe that nobody keeps or hears its time to live, and takes it from one that somebody does. Who was said to
-- listen counts until somebody has seen to it.
local function let_age(pipe, said)
  local millis = IDLE_MILLIS
  if pipe.is_set or said > 0 then
    millis = nil
  elseif redis.call('XLEN', pipe.base .. ':kept') > 0 then
    millis = pipe.ttl > 0 and pipe.ttl * 1000 + IDLE_MILLIS or nil
  end
  for _, key in ipairs({ pipe.base, pipe.base .. ':kept' }) do
    if millis then redis.call('PEXPIRE', key, whole(millis)) else redis.call('PERSIST', key) end
  end
end

-- Of a record: version, epoch, index, time in milliseconds, and what the node has made of the rest.
local function sent_at_of(record)
  local _, _, _, sent_at = struct.unpack('>BI8I8I8', record)
  return sent_at
end

local function index_of(id)
  return tonumber(string.match(id, '^%d+'))
end

-- What a window counts of a record: its texts, without head, id and the like. An empty message counts as well: a window
-- of no bytes holds nothing.
local function text_bytes(record)
  return math.max(1, #record - 47)
end

local function record_bytes(record)
  return #record
end

-- Removes the oldest of a stream while `is_too_much(count, bytes, record)`; answers the bytes left and the floor, which
-- is raised to the highest index that was removed.
local function trim(key, bytes, floor, weigh, is_too_much)
  local count = redis.call('XLEN', key)
  while count > 0 do
    local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
    local record = first[2][2]
    if not is_too_much(count, bytes, record) then break end
    redis.call('XDEL', key, first[1])
    count, bytes, floor = count - 1, math.max(0, bytes - weigh(record)), math.max(floor, index_of(first[1]))
  end
  return bytes, floor
end

local function begin_window(pipe, floor)
  redis.call('DEL', pipe.base .. ':window')
  pipe.window_floor, pipe.window_bytes = floor, 0
end

-- When what a pipe keeps was sent at the earliest.
local function oldest_kept(pipe, now)
  return pipe.ttl > 0 and now - pipe.ttl * 1000 or 0
end

-- Puts a record at the end of the history, as long as the pipe keeps any, and removes what is too much of it then.
local function keep(pipe, index, record, now, bytes_max)
  if pipe.length == 0 then
    pipe.kept_floor = index
    return
  end
  local key, oldest = pipe.base .. ':kept', oldest_kept(pipe, now)
  redis.call('XADD', key, whole(index) .. '-0', 'm', record)
  pipe.kept_bytes, pipe.kept_floor = trim(key, pipe.kept_bytes + #record, pipe.kept_floor, record_bytes,
    function(count, bytes, first)
      return count > pipe.length or bytes > bytes_max or sent_at_of(first) < oldest
    end)
end

-- Removes what is too old: it was trimmed, and cannot be deleted any more.
local function expire(pipe, said, now)
  if is_heard(pipe, said, now) then
    local oldest = now - WINDOW_MILLIS_MAX
    pipe.window_bytes, pipe.window_floor = trim(pipe.base .. ':window', pipe.window_bytes, pipe.window_floor, text_bytes,
      function(_, _, first) return sent_at_of(first) < oldest end)
  else
    begin_window(pipe, pipe.index)
  end
  if pipe.ttl == 0 then return end
  local oldest = oldest_kept(pipe, now)
  pipe.kept_bytes, pipe.kept_floor = trim(pipe.base .. ':kept', pipe.kept_bytes, pipe.kept_floor, record_bytes,
    function(_, _, first) return sent_at_of(first) < oldest end)
end

-- A page of a stream from an index on. What is older than `oldest` is passed over; with `is_strict` the page is nil
-- then.
local function page(key, from, messages_max, bytes_max, oldest, is_strict)
  local records, bytes, start = {}, 0, whole(from)
  while true do
    local entries = redis.call('XRANGE', key, start, '+', 'COUNT', 16)
    for _, entry in ipairs(entries) do
      local record = entry[2][2]
      if #records > 0 and (#records >= messages_max or bytes + #record > bytes_max) then return records, 1 end
      if sent_at_of(record) >= oldest then
        records[#records + 1], bytes = record, bytes + #record
      elseif is_strict then
        return nil
      end
      start = '(' .. entry[1]
    end
    if #entries < 16 then return records, 0 end
  end
end
