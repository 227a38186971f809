-- A page of what a pipe keeps.
-- KEYS: the base. ARGV: `after`, `newest` or `untaken`, a number, now, most messages, most bytes, an epoch for a pipe that
-- is not there; that is not written. Answers epoch and index of the pipe, 1 if there is more, then the records.

local since, number, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local messages_max, bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5])
local pipe = find(KEYS[1])
if not pipe then return { ARGV[6], '0', 0 } end
local key = pipe.base .. ':kept'

-- The index of the message that has so many behind it, with itself.
local function newest(count)
  if count >= redis.call('XLEN', key) then return 0 end
  local last, left = '+', count
  while true do
    local entries = redis.call('XREVRANGE', key, last, '-', 'COUNT', math.min(left, 16))
    left = left - #entries
    local first = entries[#entries][1]
    if left == 0 then return index_of(first) end
    last = '(' .. first
  end
end

local records, more = {}, 0
if since ~= 'newest' or number > 0 then
  local from = number + 1
  if since == 'untaken' then from = pipe.taken + 1 end
  if since == 'newest' then from = newest(number) end
  records, more = page(key, from, messages_max, bytes_max, oldest_kept(pipe, now), false)
end
local answer = { pipe.epoch, whole(pipe.index), more }
for _, record in ipairs(records) do
  answer[#answer + 1] = record
end
return answer
