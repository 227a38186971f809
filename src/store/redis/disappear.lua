-- A user has gone if nobody listens to its log any more; whoever is answered so tells the others.
-- KEYS: the base. ARGV: the nodes that are gone, the node that asks, what tells this call from others.
-- Answers 1 if the user was here until now; the same again for a call that comes twice.

leave_out(ARGV[1])
local base, node = KEYS[1], ARGV[2]
if listeners_of(base) > 0 then
  -- Somebody else will ask.
  if count_of(base, node) == 0 then must_be_seen_to(base, node, false) end
  return 0
end
if redis.call('HDEL', base, 'present') == 1 then redis.call('HSET', base, 'absent', ARGV[3]) end
note(base, node)
return redis.call('HGET', base, 'absent') == ARGV[3] and 1 or 0
