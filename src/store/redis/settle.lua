-- What a node that is gone had to do with a pipe has been seen to.
-- KEYS: the base. ARGV: the nodes that are gone, the node, now, 1 if all its wills are, else the connections whose
-- wills are: while there are others, it stays to be seen to.

leave_out(ARGV[1])
local base, node, now = KEYS[1], ARGV[2], tonumber(ARGV[3])
leave_out(node)
local wills = base .. ':wills:' .. node
for at = 5, #ARGV do
  redis.call('HDEL', wills, ARGV[at])
end
if ARGV[4] == '1' then redis.call('DEL', wills) end
if redis.call('EXISTS', wills) == 1 then return 0 end

local had_listeners = count_of(base, node) > 0
redis.call('HDEL', base .. ':listeners', node)
must_be_seen_to(base, node, false)
local pipe, listeners, said = find(base), listeners_of(base)
list(base, listeners)
if said == 0 then redis.call('PEXPIRE', base .. ':listeners', 60000) end
if pipe then
  if had_listeners then pipe.heard_at = math.max(pipe.heard_at, now) end
  write(pipe)
  let_age(pipe, said)
end
return 1
