-- What was published behind a position.
-- KEYS: the base. ARGV: epoch, index, now, most messages, most bytes, an epoch for a pipe that is not there; that is not
-- written. Answers epoch and index of the pipe, 1 if something is lost, 1 if there is more, then the records.

local epoch, index, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local messages_max, bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5])
local pipe = find(KEYS[1])
if not pipe then return { ARGV[6], '0', 1, 0 } end

local function from(stream, floor, oldest)
  local key = pipe.base .. stream
  if index < floor or redis.call('EXISTS', key) == 0 then return nil end
  return page(key, index + 1, messages_max, bytes_max, oldest, true)
end

local records, more
if epoch == pipe.epoch and index == pipe.index then
  records, more = {}, 0
elseif epoch == pipe.epoch and index < pipe.index then
  records, more = from(':kept', pipe.kept_floor, oldest_kept(pipe, now))
  local _, said = listeners_of(pipe.base)
  if not records and is_heard(pipe, said, now) then
    records, more = from(':window', pipe.window_floor, now - WINDOW_MILLIS_MAX)
  end
end
local answer = { pipe.epoch, whole(pipe.index), records and 0 or 1, more or 0 }
for _, record in ipairs(records or {}) do
  answer[#answer + 1] = record
end
return answer
