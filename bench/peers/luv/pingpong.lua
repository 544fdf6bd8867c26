-- Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS send|try [IDLE]
-- IDLE: so many sockets more, bound and listening, to which nothing comes.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local turns, uv = require "turns", require "luv"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local try, idle = arg[3] == "try", {}

local function bound(listener)
  local socket = uv.new_udp "inet"
  uv.udp_bind(socket, "127.0.0.1", 0)
  uv.udp_recv_start(socket, listener)
  return socket
end

for i = 1, tonumber(arg[4] or 0) do
  idle[i] = bound(function(_, msg) assert(not msg, "nothing was sent here") end)
end

local function send(socket, msg, address, port)
  if try then
    assert(uv.udp_try_send(socket, msg, address, port))
  else
    uv.udp_send(socket, msg, address, port)
  end
end

local is_last = turns(milliseconds, function() return uv.hrtime() / 1e9 end)
local a, b, b_port

b = bound(function(_, msg, from)
  if msg then send(b, msg, from.ip, from.port) end
end)
a = bound(function(_, msg)
  if not msg then return end
  if not is_last(msg) then
    send(a, msg, "127.0.0.1", b_port)
    return
  end
  uv.close(a)
  uv.close(b)
  for _, each in ipairs(idle) do uv.close(each) end
end)
b_port = uv.udp_getsockname(b).port
collectgarbage()
send(a, payload, "127.0.0.1", b_port)
uv.run()
