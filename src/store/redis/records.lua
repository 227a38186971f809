-- Records in the order of their names. KEYS: the shelf. ARGV: the name behind which they begin (empty: the first), how
-- many. Answers of each its name and its value.

local after = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local names = redis.call('ZRANGEBYLEX', KEYS[1] .. ':names', after, '+', 'LIMIT', 0, tonumber(ARGV[2]))
local answer = {}
for _, name in ipairs(names) do
  local value = redis.call('HGET', KEYS[1], name)
  answer[#answer + 1], answer[#answer + 2] = name, value or ''
end
return answer
