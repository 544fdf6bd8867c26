-- Receives until a datagram of 3 bytes comes, and tells how late they came. Argument: ANSWER, one in so many is answered
-- (none). Keeps the last sender's port. LuaSocket's clock is not the monotonic one: luv's is.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local latency, socket, uv = require "latency", require "socket", require "luv"

local answer = tonumber(arg[1] or math.huge)
local received, bytes, start, cpu, last = 0, 0, 0, 0
local udp = assert(socket.udp4())
assert(udp:setsockname("127.0.0.1", 0))
assert(udp:setoption("recv-buffer-size", 4 * 1024 * 1024))

local _, port = udp:getsockname()
print(("ready port=%d buffer=%d"):format(port, udp:getoption "recv-buffer-size"))
io.stdout:flush()
while true do
  local msg, address, from = udp:receivefrom()
  if received == 0 then start, cpu = socket.gettime(), os.clock() end
  if #msg == 3 then break end
  received = received + 1
  bytes = bytes + #msg
  last = from
  if received % latency.EVERY == 0 then latency.note(msg, uv.hrtime()) end
  if received % answer == 0 then udp:sendto(msg, address, from) end
end
print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s %s"):format(
  received, bytes, socket.gettime() - start, os.clock() - cpu, last, latency.text()))
