-- A node goes. KEYS: the leases, who is gone. ARGV: node.

local number = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%d+') or '0'
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSETNX', KEYS[2], ARGV[1], table.concat({ number, whole(millis()), '0 - 0' }, ' '))
return 0
