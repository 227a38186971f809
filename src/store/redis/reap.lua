-- Takes back what a node that is gone has said of its listeners, some pipes at a time.
-- ARGV: node, now, how many pipes. Answers how many there were; none is the end.

local node, now = ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', 'cometql:lease:' .. node) == 1 then return 0 end
local bases = redis.call('SPOP', 'cometql:pipes_of:' .. node, tonumber(ARGV[3]))
for _, base in ipairs(bases) do
  redis.call('HDEL', base .. ':listeners', node)
  local pipe, listeners = find(base), listeners_of(base)
  list(base, listeners)
  if pipe then
    pipe.heard_at = math.max(pipe.heard_at, now)
    write(pipe)
    settle(pipe, listeners)
  end
end
if #bases == 0 then redis.call('SREM', 'cometql:nodes', node) end
return #bases
