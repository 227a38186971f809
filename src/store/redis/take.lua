-- Marks what a user has taken of its log. KEYS: the base. ARGV: the index.

local pipe = find(KEYS[1])
if pipe then
  local taken = math.min(tonumber(ARGV[1]), pipe.index)
  if taken > pipe.taken then redis.call('HSET', pipe.base, 'taken', whole(taken)) end
end
return 0
