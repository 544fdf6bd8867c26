-- Sends back what comes, until a datagram of 3 bytes does.
local socket = require "socket"

local echoed, start, cpu = 0, 0, 0
local udp = assert(socket.udp4())
assert(udp:setsockname("127.0.0.1", 0))
local _, port = udp:getsockname()
print("ready port=" .. port)
io.stdout:flush()
while true do
  local msg, address, from = udp:receivefrom()
  if echoed == 0 then start, cpu = socket.gettime(), os.clock() end
  if #msg == 3 then break end
  echoed = echoed + 1
  udp:sendto(msg, address, from)
end
print(("count=%d seconds=%.6f cpu=%.6f"):format(echoed, socket.gettime() - start, os.clock() - cpu))
