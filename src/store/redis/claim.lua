-- Of those who are gone, one that nobody sees to: whoever asks sees to it for some time.
-- KEYS: who is gone. ARGV: the node that asks, for how long, in milliseconds; only this one (empty: any).
-- Answers its name, if there is one.

local node, now = ARGV[1], millis()
local fields = redis.call('HGETALL', KEYS[1])
local found, head
for at = 1, #fields, 2 do
  local name = fields[at]
  local number, since, due, by, claimed_until = string.match(fields[at + 1], '^(%d+) (%d+) (%d+) (%S+) (%d+)$')
  local is_mine = by == node
  local is_free = is_mine or tonumber(claimed_until) < now
  if (ARGV[3] == '' or ARGV[3] == name) and tonumber(due) <= now and is_free and (is_mine or not found) then
    found, head = name, table.concat({ number, since, due }, ' ')
    if is_mine then break end
  end
end
if not found then return {} end
redis.call('HSET', KEYS[1], found, table.concat({ head, node, whole(now + tonumber(ARGV[2])) }, ' '))
return { found }
