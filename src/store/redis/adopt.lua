-- Takes over what another store has kept of a pipe.
-- KEYS: the base. ARGV: the nodes that are gone, now, bytes of history a pipe keeps, an epoch to begin with, default
-- length and ttl; then where the pipe stands behind it: epoch, index, taken, floor; then the records, in their order.
-- Answers how many of them the pipe keeps, and how many it does not keep because they are too old or too much. It is the
-- same when the call is repeated: a record is looked for in its place, where another one may stand.

leave_out(ARGV[1])
local base, now, history_bytes_max = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local pipe = find_or_begin(base, ARGV[4], ARGV[5], ARGV[6])
local epoch, index, taken, floor = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local key = base .. ':kept'

local function adopted()
  local kept, trimmed = 0, 0
  for at = 11, #ARGV do
    local record = ARGV[at]
    local _, _, number = struct.unpack('>BI8I8', record)
    local place = whole(number) .. '-0'
    local there = redis.call('XRANGE', key, place, place)[1]
    if there and string.sub(there[2][2], 26, 41) == string.sub(record, 26, 41) then
      kept = kept + 1
    elseif not there and number <= pipe.kept_floor then
      trimmed = trimmed + 1
    end
  end
  return { kept, trimmed }
end

if index < pipe.index then return adopted() end

local known, newest = pipe.index, 0
for at = 11, #ARGV do
  local record = ARGV[at]
  local _, _, number, sent_at = struct.unpack('>BI8I8I8', record)
  newest = number
  if number > known then
    pipe.id, pipe.sent_at = string.sub(record, 26, 41), math.max(pipe.sent_at, sent_at)
    keep(pipe, number, record, now, history_bytes_max)
  end
end
-- The floor of another store does not say what was trimmed here.
local answer = adopted()
if index > math.max(known, newest) then pipe.id = '' end
pipe.epoch, pipe.index = epoch, index
pipe.kept_floor, pipe.taken = math.max(pipe.kept_floor, floor), math.min(math.max(pipe.taken, taken), index)
begin_window(pipe, index)
write(pipe)
local listeners, said = listeners_of(base)
list(base, listeners)
let_age(pipe, said)
return answer
