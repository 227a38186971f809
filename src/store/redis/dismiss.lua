-- Sends away whoever has logged in as the user of a log. When it was is kept for nodes that do not hear it.
-- KEYS: the base. ARGV: an epoch to begin with, default length and ttl.

local pipe = find_or_begin(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if pipe.is_new then
  local _, said = listeners_of(pipe.base)
  write(pipe)
  let_age(pipe, said)
end
-- Later than any before, also when the server is another one whose clock is behind.
local before = tonumber(redis.call('HGET', pipe.base, 'dismissed_at')) or 0
local at = math.max(before + 1, millis())
redis.call('HSET', pipe.base, 'dismissed_at', whole(at))
redis.call('SPUBLISH', pipe.base, struct.pack('>BI8', 0, at))
return 0
