-- Where pipes stand, and whether a node is counted there.
-- KEYS: bases. ARGV: node. Answers of each epoch and index (0: it is not there), and the version of the node's count.

local answer = {}
for _, base in ipairs(KEYS) do
  local head = redis.call('HMGET', base, 'epoch', 'index')
  local _, version = count_of(base, ARGV[1])
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = head[1] or '0', head[2] or '0', math.max(version, 0)
end
return answer
