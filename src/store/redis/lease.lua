-- A node says that it is there, and hears who else is and who is gone.
-- KEYS: the leases (node -> "number since until"), who is gone (node -> "number since due by claimed_until"). ARGV: node,
-- the number it had (0: none), the name it had before (empty: none), how long a lease is valid, in milliseconds.
-- Answers 0 if the lease went on, 1 if the node was not known, 2 if it is said to be gone and needs another name; its
-- number; how many are gone and who; the numbers of the others.

local leases, gone = KEYS[1], KEYS[2]
local node, wanted, before, valid = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local now = millis()
if redis.call('HEXISTS', gone, node) == 1 then return { 2, 0, 0 } end

local own, others, is_taken, names = nil, {}, {}, {}
local fields = redis.call('HGETALL', leases)
for at = 1, #fields, 2 do
  local number, since, valid_until = string.match(fields[at + 1], '^(%d+) (%d+) (%d+)$')
  local lease = { node = fields[at], number = tonumber(number), since = tonumber(since), valid_until = tonumber(valid_until) }
  is_taken[lease.number] = true
  if lease.node == node then own = lease else others[#others + 1] = lease end
end
fields = redis.call('HGETALL', gone)
for at = 1, #fields, 2 do
  names[#names + 1] = fields[at]
  -- Messages of connections with its number may be on their way.
  if fields[at] ~= before then is_taken[tonumber(string.match(fields[at + 1], '^%d+'))] = true end
end

local status = own and 0 or 1
if not own then
  own = { number = wanted, since = now, valid_until = 0 }
  if wanted == 0 or is_taken[wanted] then
    own.number = 1
    while is_taken[own.number] do
      own.number = own.number + 1
    end
  end
elseif now > own.valid_until - valid / 2 then
  -- It was late; so may be the others, if it was the server that was away.
  own.since = now
end
redis.call('HSET', leases, node, table.concat({ whole(own.number), whole(own.since), whole(now + valid) }, ' '))

local numbers = {}
for _, other in ipairs(others) do
  if other.valid_until >= now then
    numbers[#numbers + 1] = other.number
  elseif now - own.since >= valid then
    redis.call('HDEL', leases, other.node)
    redis.call('HSET', gone, other.node, table.concat({ whole(other.number), whole(now), '0 - 0' }, ' '))
    names[#names + 1] = other.node
  end
end
local answer = { status, own.number, #names }
for _, name in ipairs(names) do
  answer[#answer + 1] = name
end
for _, number in ipairs(numbers) do
  answer[#answer + 1] = number
end
return answer
