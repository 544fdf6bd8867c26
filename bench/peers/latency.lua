--- How late datagrams come that begin with the time at which they were sent (bench/c/load.c); of other ones it says nothing.
-- One in 13 is looked at, so that looking takes next to nothing, and no rhythm of batches hides anything.
local latency = { EVERY = 13 }
local late = {}

--- @param msg  a datagram
-- @param now    nanoseconds of the monotonic clock
function latency.note(msg, now)
  local sent = tonumber(msg:sub(1, 16))
  if sent then late[#late + 1] = (now - sent) / 1e3 end
end

--- @return the percentiles in microseconds, for the line that a program ends with
function latency.text()
  if not late[1] then return "" end
  table.sort(late)
  local function at(share) return late[math.floor((#late - 1) * share) + 1] end
  return ("p50=%.2f p90=%.2f p99=%.2f"):format(at(0.5), at(0.9), at(0.99))
end

return latency
