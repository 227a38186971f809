-- Some of the pipes of a bucket that must be seen to for a node, with some of the wills it had set for them.
-- KEYS: the set of them. ARGV: node, most pipes, most wills of a pipe, most bytes.
-- Answers of each pipe its base, the number of wills, and of each its connection and the will.

local node, wills_max, bytes_left = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local answer = {}
for _, base in ipairs(redis.call('SRANDMEMBER', KEYS[1], tonumber(ARGV[2]))) do
  if bytes_left <= 0 then break end
  local wills = redis.call('HRANDFIELD', base .. ':wills:' .. node, wills_max, 'WITHVALUES')
  answer[#answer + 1], answer[#answer + 2] = base, #wills / 2
  for _, part in ipairs(wills) do
    answer[#answer + 1], bytes_left = part, bytes_left - #part
  end
end
return answer
