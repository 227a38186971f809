-- Deletes messages by index. The holes raise no floor.
-- KEYS: the base. ARGV: the nodes that are gone, now, the indexes. Answers how many there were.

local pipe = find(KEYS[1])
if not pipe then return 0 end

leave_out(ARGV[1])
local listeners, said = listeners_of(pipe.base)
expire(pipe, said, tonumber(ARGV[2]))

local function remove(stream, bytes, weigh, index)
  local key, id = pipe.base .. stream, index .. '-0'
  local entry = redis.call('XRANGE', key, id, id)[1]
  if not entry then return bytes, 0 end
  redis.call('XDEL', key, id)
  return math.max(0, bytes - weigh(entry[2][2])), 1
end

local erased = 0
for at = 3, #ARGV do
  local was_kept
  pipe.kept_bytes, was_kept = remove(':kept', pipe.kept_bytes, record_bytes, ARGV[at])
  pipe.window_bytes = remove(':window', pipe.window_bytes, text_bytes, ARGV[at])
  erased = erased + was_kept
end
write(pipe)
list(pipe.base, listeners)
let_age(pipe, said)
return erased
