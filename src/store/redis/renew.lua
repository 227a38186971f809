-- A server that came back with an older state would use indexes twice. Of each pipe that a node has heard: if the pipe
-- stands before what was heard, or has another message in its place, it begins a new epoch behind both.
-- KEYS: bases. ARGV of each: epoch, index and id of the newest message that was heard, an epoch to begin with.
-- Answers how many have begun one.

-- Whether another message than the one that was heard stands at an index.
local function is_another(pipe, index, id)
  if index == pipe.index then return pipe.id ~= id end
  -- The pipe stood there before anything was published in its epoch: what has that index is of an epoch before.
  if id == '' then return false end
  for _, stream in ipairs({ ':window', ':kept' }) do
    local entry = redis.call('XRANGE', pipe.base .. stream, whole(index), whole(index))[1]
    if entry then return string.sub(entry[2][2], 26, 41) ~= id end
  end
  return false
end

local renewed = 0
for number, base in ipairs(KEYS) do
  local at = (number - 1) * 4
  local epoch, index, id = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local pipe = find(base)
  if pipe and pipe.epoch == epoch and index > 0 and (pipe.index < index or is_another(pipe, index, id)) then
    pipe.epoch, pipe.index, pipe.id = ARGV[at + 4], math.max(pipe.index, index), ''
    write(pipe)
    renewed = renewed + 1
  end
end
return renewed
