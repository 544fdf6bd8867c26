-- Two sockets send one datagram back and forth, by blocking calls in turn. Arguments: SIZE MILLISECONDS
local socket = require "socket"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local a, b = assert(socket.udp4()), assert(socket.udp4())
assert(a:setsockname("127.0.0.1", 0))
assert(b:setsockname("127.0.0.1", 0))
local _, b_port = b:getsockname()

local rounds, msg = 0, payload
local start, cpu = socket.gettime(), os.clock()
local deadline = start + milliseconds / 1e3
while rounds % 256 ~= 0 or socket.gettime() < deadline do
  assert(a:sendto(msg, "127.0.0.1", b_port))
  b:sendto(b:receivefrom())
  msg = a:receivefrom()
  rounds = rounds + 1
end
print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
  rounds, rounds * #msg, socket.gettime() - start, os.clock() - cpu))
