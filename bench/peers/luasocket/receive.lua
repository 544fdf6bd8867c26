-- Receives until a datagram of 3 bytes comes. Keeps the last sender's port.
local socket = require "socket"

local received, bytes, start, cpu, last = 0, 0, 0, 0
local udp = assert(socket.udp4())
assert(udp:setsockname("127.0.0.1", 0))
assert(udp:setoption("recv-buffer-size", 4 * 1024 * 1024))

local _, port = udp:getsockname()
print(("ready port=%d buffer=%d"):format(port, udp:getoption "recv-buffer-size"))
io.stdout:flush()
while true do
  local msg, _, from = udp:receivefrom()
  if received == 0 then start, cpu = socket.gettime(), os.clock() end
  if #msg == 3 then break end
  received = received + 1
  bytes = bytes + #msg
  last = from
end
print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s"):format(
  received, bytes, socket.gettime() - start, os.clock() - cpu, last))
