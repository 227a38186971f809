-- Part of a bucket's part of a listing. What has gone without a word is taken off it.
-- KEYS: the listing, whose name ends with `kept`, `heard`, `settings` or `logs`. ARGV: the nodes that are gone, the name
-- behind which it begins (empty: the first), how many names are looked at.
-- Answers the name to go on behind (empty: the end), then of each pipe its name and two numbers.

leave_out(ARGV[1])
local after, count = ARGV[2], tonumber(ARGV[3])
local tenant, what = string.match(KEYS[1], '^(cometql:{%d+}:%d+):(%a+)$')
local names = redis.call('ZRANGEBYLEX', KEYS[1], after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, count)
local answer = { #names == count and names[#names] or '' }
for _, name in ipairs(names) do
  local base = tenant .. (what == 'logs' and ':l:' .. whole(tonumber(name)) or ':n:' .. name)
  local first, second = 0, '0'
  if what == 'settings' then
    local set = redis.call('HMGET', base, 'length', 'ttl')
    first, second = set[1], set[2] or '0'
  else
    if what ~= 'heard' then first = redis.call('XLEN', base .. ':kept') end
    if what ~= 'kept' and first == 0 then first = listeners_of(base) end
    if first == 0 then first = nil end
  end
  if first then
    answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = name, first, second
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
return answer
