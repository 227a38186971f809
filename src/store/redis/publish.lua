-- Numbers, keeps and announces a batch.
-- KEYS: the base of each pipe. ARGV: the nodes that are gone, now, bytes of history a pipe keeps; of each pipe an epoch
-- to begin with, the length and the ttl it has by default; of each message the number of its pipe, 1 if its id was chosen, 1 if its sender
-- listens, and its body, which begins with its id.
-- Answers of each message: epoch, index, receivers, 1 if it is a repeat.

leave_out(ARGV[1])
local now, history_bytes_max = tonumber(ARGV[2]), tonumber(ARGV[3])
local pipes, at = {}, 4
for number, base in ipairs(KEYS) do
  local pipe = find_or_begin(base, ARGV[at], ARGV[at + 1], ARGV[at + 2])
  pipe.listeners, pipe.said = listeners_of(base)
  pipe.is_heard = is_heard(pipe, pipe.said, now)
  pipes[number], at = pipe, at + 3
end

local function keep_in_window(pipe, record)
  local key = pipe.base .. ':window'
  if not pipe.is_heard then
    if pipe.window_bytes > 0 then begin_window(pipe, pipe.index) end
    pipe.window_floor = pipe.index
    return
  end
  if pipe.listeners > 0 then pipe.heard_at = now end
  redis.call('XADD', key, whole(pipe.index) .. '-0', 'm', record)
  -- The window may have run out since: then what it held is gone.
  if redis.call('XLEN', key) == 1 and pipe.window_bytes > 0 then
    pipe.window_bytes, pipe.window_floor = 0, pipe.index - 1
  end
  local oldest = now - WINDOW_MILLIS_MAX
  pipe.window_bytes, pipe.window_floor = trim(key, pipe.window_bytes + text_bytes(record), pipe.window_floor,
    text_bytes, function(count, bytes, first)
      return count > WINDOW_MESSAGES_MAX or bytes > WINDOW_BYTES_MAX or sent_at_of(first) < oldest
    end)
  redis.call('PEXPIRE', key, whole(WINDOW_MILLIS_MAX + 1000))
end

local answers = {}
local function answer(epoch, index, receivers, is_repeat)
  for _, part in ipairs({ epoch, index, receivers, is_repeat }) do
    answers[#answers + 1] = part
  end
end

while at <= #ARGV do
  local pipe, is_chosen, sender, body = pipes[tonumber(ARGV[at])], ARGV[at + 1] == '1', tonumber(ARGV[at + 2]), ARGV[at + 3]
  at = at + 4
  local id = string.sub(body, 1, 16)
  local known = is_chosen and redis.call('GET', pipe.base .. ':id:' .. id)
  local epoch, index, receivers, published_at
  if known then epoch, index, receivers, published_at = string.match(known, '^(%d+) (%d+) (%d+) (%d+)$') end
  if epoch and now - tonumber(published_at) <= REPEAT_MILLIS then
    answer(epoch, index, receivers, 1)
  else
    pipe.is_touched = true
    pipe.index, pipe.id = pipe.index + 1, id
    pipe.sent_at = math.max(pipe.sent_at, now)
    local record = struct.pack('>BI8I8I8', 1, tonumber(pipe.epoch), pipe.index, pipe.sent_at) .. body
    keep(pipe, pipe.index, record, now, history_bytes_max)
    keep_in_window(pipe, record)
    receivers = math.max(0, pipe.listeners - sender)
    if is_chosen then
      local told = table.concat({ pipe.epoch, whole(pipe.index), whole(receivers), whole(now) }, ' ')
      redis.call('SET', pipe.base .. ':id:' .. id, told, 'PX', whole(REPEAT_MILLIS))
    end
    redis.call('SPUBLISH', pipe.base, record)
    answer(pipe.epoch, whole(pipe.index), receivers, 0)
  end
end

for _, pipe in ipairs(pipes) do
  if pipe.is_touched then
    write(pipe)
    if pipe.length > 0 then list(pipe.base, pipe.listeners) end
    let_age(pipe, pipe.said)
  end
end
return answers
