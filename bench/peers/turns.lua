-- The clock of ping-pong, the same for all that are written in Lua.
-- It starts when the loop has told the kernel of all sockets and the heap has its size: a heap that may still grow does so, and
-- on some machines the first touch of a page costs as much as a round.
local WARM_ROUNDS, LOOK_EVERY = 30000, 256

--- @param milliseconds  to measure
-- @param now            a clock in seconds
-- @return a function to be called after each round with the datagram: whether it was the last one, and the result is printed
return function(milliseconds, now)
  local rounds, start, cpu = -WARM_ROUNDS, nil, nil
  return function(msg)
    rounds = rounds + 1
    if rounds == 0 then
      start, cpu = now(), os.clock()
    elseif rounds > 0 and rounds % LOOK_EVERY == 0 then
      local seconds = now() - start
      if seconds < milliseconds / 1e3 then return false end
      print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(rounds, rounds * #msg, seconds, os.clock() - cpu))
      return true
    end
    return false
  end
end
