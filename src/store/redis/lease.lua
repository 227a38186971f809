-- A node is there. ARGV: node, how long that is believed, in milliseconds.
-- Answers 1 if it was believed until now, then some nodes that are believed no more.

local key = 'cometql:lease:' .. ARGV[1]
local was_there = redis.call('EXISTS', key)
redis.call('SET', key, '1', 'PX', ARGV[2])
redis.call('SADD', 'cometql:nodes', ARGV[1])
local answer = { was_there }
for _, node in ipairs(redis.call('SMEMBERS', 'cometql:nodes')) do
  if #answer < 17 and redis.call('EXISTS', 'cometql:lease:' .. node) == 0 then answer[#answer + 1] = node end
end
return answer
