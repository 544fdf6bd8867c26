-- Receives until a datagram of 3 bytes comes, by the least that a binding can do (least.c), and tells how late they came.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local latency, least, uv = require "latency", require "least", require "luv"

local received, bytes, start, cpu, last, poll = 0, 0, 0, 0

local function listener(msg, rinfo)
  if received == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    if uv.is_closing(poll) then return end -- several of these may come at once
    print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s %s"):format(
      received, bytes, (uv.hrtime() - start) / 1e9, os.clock() - cpu, last and last.port, latency.text()))
    uv.close(poll)
    return
  end
  received = received + 1
  bytes = bytes + #msg
  last = rinfo
  if received % latency.EVERY == 0 then latency.note(msg, uv.hrtime()) end
end

local function deliver(msg, receiver, address, family, port, size)
  local rinfo = { address = address, family = family, port = port, size = size }
  return receiver(msg, rinfo)
end

local fd, port, readable = least.open(deliver, listener)
poll = uv.new_poll(fd)
uv.poll_start(poll, "r", readable)
print(("ready port=%d buffer=%d"):format(port, least.buffer()))
io.stdout:flush()
uv.run()
