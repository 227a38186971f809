-- Says how many connections of a node listen to a pipe.
-- KEYS: the base. ARGV: the nodes that are gone, node, count, version of the count, now; what becomes of the mark that a
-- user is here: `tell` (whoever sets it tells the others), `again` (they know) or `leave`; an epoch to begin with,
-- default length and ttl.
-- Answers epoch, index, id of the newest message, listeners everywhere, when the user was last dismissed, 1 if the user
-- has appeared.

leave_out(ARGV[1])
local base, node, count, version, now = KEYS[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local _, _, kind = parts_of(base)
local pipe = find_or_begin(base, ARGV[7], ARGV[8], ARGV[9])
local key = base .. ':listeners'
local before, said = listeners_of(base)
if not is_heard(pipe, said, now) then
  -- The window begins here.
  begin_window(pipe, pipe.index)
end

-- Zeros stay a minute, for counts that come late.
local function forget_old_zeros()
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local told_at = tonumber(string.match(fields[at + 1], '^0 %d+ (%d+)$'))
    if told_at and told_at + 60000 < now then redis.call('HDEL', key, fields[at]) end
  end
end

-- Answers 1 if the user has appeared; the same again for a call that comes twice.
local function appear(is_latest)
  local present, mine = redis.call('HGET', base, 'present'), node .. ' ' .. whole(version)
  if not present and is_latest and count > 0 and ARGV[6] ~= 'leave' then
    present = ARGV[6] == 'tell' and mine or ARGV[6]
    redis.call('HSET', base, 'present', present)
  end
  return present == mine and 1 or 0
end

-- A count that was overtaken on its way says nothing any more.
local _, known = count_of(base, node)
local is_latest = known < version
if is_latest then
  forget_old_zeros()
  redis.call('HSET', key, node, table.concat({ whole(count), whole(version), whole(now) }, ' '))
end
local has_appeared = kind == 'l' and appear(is_latest) or 0
note(base, node)
local listeners
listeners, said = listeners_of(base)
if said > 0 then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, 60000) end
if before > 0 or listeners > 0 then pipe.heard_at = math.max(pipe.heard_at, now) end
write(pipe)
list(base, listeners)
let_age(pipe, said)
local dismissed_at = redis.call('HGET', base, 'dismissed_at') or '0'
return { pipe.epoch, whole(pipe.index), pipe.id, listeners, dismissed_at, has_appeared }
