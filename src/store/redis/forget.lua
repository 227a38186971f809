-- Nothing was found of a node that is gone. What it had sent may still arrive: it is looked for once more, and then it
-- is forgotten. KEYS: who is gone. ARGV: its name, after how many milliseconds since it is gone.

local number, since, due = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^(%d+) (%d+) (%d+)')
if not number then return 0 end
if tonumber(due) > 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  due = whole(tonumber(since) + tonumber(ARGV[2]))
  redis.call('HSET', KEYS[1], ARGV[1], table.concat({ number, since, due, '- 0' }, ' '))
end
return 0
