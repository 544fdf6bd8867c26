-- The clock of ping-pong, the same for all that are written in Lua.
-- It starts after so many rounds, when the loop has told the kernel of all sockets, as soon as the collector gives back what
-- they left: until then a heap grows, and on some machines the first touch of a page costs more than a round.
local WARM_ROUNDS, LOOK_EVERY = 30000, 256

--- @param milliseconds  to measure
-- @param now            a clock in seconds
-- @return a function to be called after each round with the datagram: whether it was the last one, and the result is printed
return function(milliseconds, now)
  local rounds, heap, start, cpu = 0, 0, nil, nil

  local function may_start()
    local before = heap
    heap = collectgarbage "count"
    return rounds >= WARM_ROUNDS and heap < before
  end

  return function(msg)
    rounds = rounds + 1
    if rounds % LOOK_EVERY ~= 0 then return false end
    if not start then
      if may_start() then rounds, start, cpu = 0, now(), os.clock() end
      return false
    end
    local seconds = now() - start
    if seconds < milliseconds / 1e3 then return false end
    print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(rounds, rounds * #msg, seconds, os.clock() - cpu))
    return true
  end
end
