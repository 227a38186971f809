-- Deletes messages by index. The holes raise no floor. KEYS: the base. ARGV: the indexes. Answers how many there were.

local pipe = find(KEYS[1])
if not pipe then return 0 end

local function remove(stream, bytes, index)
  local key, id = pipe.base .. stream, index .. '-0'
  local entry = redis.call('XRANGE', key, id, id)[1]
  if not entry then return bytes, 0 end
  redis.call('XDEL', key, id)
  return math.max(0, bytes - #entry[2][2]), 1
end

local erased = 0
for _, index in ipairs(ARGV) do
  local was_kept
  pipe.kept_bytes, was_kept = remove(':kept', pipe.kept_bytes, index)
  if was_kept == 1 then pipe.window_bytes = remove(':window', pipe.window_bytes, index) end
  erased = erased + was_kept
end
if erased > 0 then
  local listeners = listeners_of(pipe.base)
  write(pipe)
  list(pipe.base, listeners)
  settle(pipe, listeners)
end
return erased
