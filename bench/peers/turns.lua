-- The clock of ping-pong, the same for all that are written in Lua.
-- It starts when the loop has told the kernel of all sockets and the heap has its size: when the collector has begun to give
-- back what the rounds leave. Until then a heap grows, and on some machines the first touch of a page costs more than a round.
local WARM_ROUNDS, LOOK_EVERY = 30000, 256

--- @param milliseconds  to measure
-- @param now            a clock in seconds
-- @return a function to be called after each round with the datagram: whether it was the last one, and the result is printed
return function(milliseconds, now)
  local rounds, heap, collected, start, cpu = -WARM_ROUNDS, 0, false, nil, nil
  return function(msg)
    rounds = rounds + 1
    if rounds % LOOK_EVERY ~= 0 then return false end
    if not start then
      local before = heap
      heap = collectgarbage "count"
      collected = collected or heap < before
      if rounds >= 0 and collected then rounds, start, cpu = 0, now(), os.clock() end
    else
      local seconds = now() - start
      if seconds < milliseconds / 1e3 then return false end
      print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(rounds, rounds * #msg, seconds, os.clock() - cpu))
      return true
    end
    return false
  end
end
