-- Takes over what another store has kept of a pipe.
-- KEYS: the base. ARGV: the nodes that are gone, now, bytes of history a pipe keeps, an epoch to begin with, default
-- length and ttl; then where the pipe stands behind it: epoch, index, taken, floor; then the records, in their order.

leave_out(ARGV[1])
local base, now, history_bytes_max = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local pipe = find_or_begin(base, ARGV[4], ARGV[5], ARGV[6])
local epoch, index, taken, floor = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
if index < pipe.index then return 0 end

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
if index > math.max(known, newest) then pipe.id = '' end
pipe.epoch, pipe.index = epoch, index
pipe.kept_floor, pipe.taken = math.max(pipe.kept_floor, floor), math.min(math.max(pipe.taken, taken), index)
begin_window(pipe, index)
write(pipe)
local listeners, said = listeners_of(base)
list(base, listeners)
let_age(pipe, said)
return 1
