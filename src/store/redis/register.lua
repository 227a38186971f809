-- Says how many connections of a node listen to a pipe.
-- KEYS: the base. ARGV: node, count, version of the count, now, an epoch to begin with, default length and ttl.
-- Answers epoch, index, id of the newest message, listeners everywhere.

local base, node, count, version, now = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local pipe = find_or_begin(base, ARGV[5], ARGV[6], ARGV[7])
local key = base .. ':listeners'
local before, said = listeners_of(base)
if pipe.is_new then redis.call('DEL', base .. ':kept', base .. ':window') end
if not is_heard(pipe, said, now) then
  -- The window begins here.
  begin_window(pipe, pipe.index)
end
-- A count that was overtaken on its way says nothing any more.
local known = redis.call('HGET', key, node)
if not known or (tonumber(string.match(known, '%d+$')) or 0) < version then
  redis.call('HSET', key, node, whole(count) .. ' ' .. whole(version))
  local pipes = 'cometql:pipes_of:' .. node
  if count > 0 then redis.call('SADD', pipes, base) else redis.call('SREM', pipes, base) end
end
local listeners = listeners_of(base)
-- Zeros stay a while, for counts that come late.
if listeners > 0 then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, 60000) end
if before > 0 or listeners > 0 then pipe.heard_at = math.max(pipe.heard_at, now) end
write(pipe)
list(base, listeners)
settle(pipe, listeners)
return { pipe.epoch, whole(pipe.index), pipe.id, listeners }
