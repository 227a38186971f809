-- KEYS: the base. Answers listeners everywhere, and length and ttl if they were set.

local set = redis.call('HMGET', KEYS[1], 'length', 'ttl')
local listeners = listeners_of(KEYS[1])
if not set[1] then return { listeners } end
return { listeners, set[1], set[2] or '0' }
