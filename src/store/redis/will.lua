-- What is to be published for a connection should its node die.
-- KEYS: the base. ARGV: node, connection, and the will unless it is taken back.

local wills = KEYS[1] .. ':wills:' .. ARGV[1]
if ARGV[3] then
  redis.call('HSET', wills, ARGV[2], ARGV[3])
else
  redis.call('HDEL', wills, ARGV[2])
end
note(KEYS[1], ARGV[1])
return 0
