-- Two sockets send one datagram back and forth, by blocking calls in turn. Arguments: SIZE MILLISECONDS
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local socket, turns = require "socket", require "turns"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local a, b = assert(socket.udp4()), assert(socket.udp4())
assert(a:setsockname("127.0.0.1", 0))
assert(b:setsockname("127.0.0.1", 0))
local _, b_port = b:getsockname()

local msg, is_last = payload, turns(milliseconds, socket.gettime)
repeat
  assert(a:sendto(msg, "127.0.0.1", b_port))
  b:sendto(b:receivefrom())
  msg = a:receivefrom()
until is_last(msg)
