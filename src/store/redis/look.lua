-- KEYS: the base. ARGV: the nodes that are gone. Answers listeners everywhere, and length and ttl if they were set.

leave_out(ARGV[1])
local set = redis.call('HMGET', KEYS[1], 'length', 'ttl')
local listeners = listeners_of(KEYS[1])
if not set[1] then return { listeners } end
return { listeners, set[1], set[2] or '0' }
