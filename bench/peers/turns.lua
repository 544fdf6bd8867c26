-- The clock of ping-pong, the same for all that are written in Lua.
-- It starts when the loop has told the kernel of all sockets and the heap has its size: a heap that may still grow does so, and
-- on some machines the first touch of a page costs as much as a round. So 30,000 rounds go before, but no more time than three
-- times what is measured.
local WARM_ROUNDS, WARM_TIME, LOOK_EVERY = 30000, 3, 256

--- @param milliseconds  to measure
-- @param now            a clock in seconds
-- @return a function to be called after each round with the datagram: whether it was the last one, and the result is printed
return function(milliseconds, now)
  local length, rounds, start, cpu, warm = milliseconds / 1e3, 0, nil, nil, nil
  return function(msg)
    rounds = rounds + 1
    if rounds % LOOK_EVERY ~= 0 then return false end
    local time = now()
    if start then
      if time - start < length then return false end
      print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(rounds, rounds * #msg, time - start, os.clock() - cpu))
      return true
    end
    warm = warm or time + WARM_TIME * length
    if rounds >= WARM_ROUNDS or time >= warm then rounds, start, cpu = 0, time, os.clock() end
    return false
  end
end
