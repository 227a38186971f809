-- Sets how much a pipe keeps, or removes that and the history.
-- KEYS: the base. ARGV: the nodes that are gone, now, length (empty: remove), ttl, an epoch to begin with, default length
-- and ttl.
-- Answers 1 if it was set before.

leave_out(ARGV[1])
local base, length = KEYS[1], tonumber(ARGV[3])
local bucket, tenant, kind, name = parts_of(base)
local pipe = find(base)
if not pipe and not length then return 0 end
pipe = pipe or find_or_begin(base, ARGV[5], ARGV[6], ARGV[7])
local listeners, said = listeners_of(base)
expire(pipe, said, tonumber(ARGV[2]))
local was_set = pipe.is_set and 1 or 0
local key = base .. ':kept'

if length then
  pipe.is_set, pipe.length, pipe.ttl = true, length, tonumber(ARGV[4])
  if length == 0 then
    redis.call('DEL', key)
    pipe.kept_bytes, pipe.kept_floor = 0, pipe.index
  end
  write(pipe)
  redis.call('HSET', base, 'length', whole(length), 'ttl', ARGV[4])
else
  -- What was kept is deleted from the window too; no floor rises, and the empty stream stays to say so.
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  if first then
    for _, entry in ipairs(redis.call('XRANGE', base .. ':window', first[1], '+', 'COUNT', WINDOW_MESSAGES_MAX)) do
      redis.call('XDEL', base .. ':window', entry[1])
      pipe.window_bytes = math.max(0, pipe.window_bytes - text_bytes(entry[2][2]))
    end
    redis.call('XTRIM', key, 'MAXLEN', 0)
  end
  pipe.is_set, pipe.length, pipe.ttl, pipe.kept_bytes = false, pipe.default_length, pipe.default_ttl, 0
  write(pipe)
  redis.call('HDEL', base, 'length', 'ttl')
end
if kind == 'n' then mark(bucket .. tenant .. ':settings', pipe.is_set, name) end
list(base, listeners)
let_age(pipe, said)
return was_set
