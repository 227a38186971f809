-- Part of a listing. ARGV: tenant, `kept`, `heard`, `settings` or `logs`, the name behind which it begins (empty: the
-- first), how many names are looked at. What has gone without a word is taken off the listing.
-- Answers the name to go on behind (empty: the end), then of each pipe its name and two numbers.

local tenant, what, after, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local key = 'cometql:{' .. tenant .. '}:' .. what
local names
if what == 'logs' then
  names = redis.call('ZRANGEBYSCORE', key, after == '' and '-inf' or '(' .. after, '+inf', 'LIMIT', 0, count)
else
  names = redis.call('ZRANGEBYLEX', key, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, count)
end
local answer = { #names == count and names[#names] or '' }
for _, name in ipairs(names) do
  local base = 'cometql:{' .. tenant .. ':' .. (what == 'logs' and 'l' or 'n') .. ':' .. name .. '}'
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
    redis.call('ZREM', key, name)
  end
end
return answer
