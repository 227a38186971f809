-- Gives a record a value, or removes it. KEYS: the shelf. ARGV: name, and the value unless it is to be removed.
-- Answers 1 if there was one.

local names = KEYS[1] .. ':names'
local was = redis.call('HEXISTS', KEYS[1], ARGV[1])
if ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', names, 0, ARGV[1])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', names, ARGV[1])
end
return was
