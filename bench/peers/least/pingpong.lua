-- Two sockets of one loop send one datagram back and forth, by the least that a binding can do (least.c).
-- Arguments: SIZE MILLISECONDS
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local least, turns, uv = require "least", require "turns", require "luv"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local is_last = turns(milliseconds, function() return uv.hrtime() / 1e9 end)
local a_fd, b_fd, a_poll, b_poll, b_port, a_callback, b_callback, _

local function deliver(msg, receiver, address, family, port, size)
  local rinfo = { address = address, family = family, port = port, size = size }
  return receiver(msg, rinfo)
end

a_fd, _, a_callback = least.open_one(deliver, function(msg)
  if not is_last(msg) then
    least.send_now(a_fd, msg, b_port)
    return
  end
  uv.close(a_poll)
  uv.close(b_poll)
end)
b_fd, b_port, b_callback = least.open_one(deliver, function(msg, rinfo) least.send_now(b_fd, msg, rinfo.port) end)
a_poll, b_poll = uv.new_poll(a_fd), uv.new_poll(b_fd)
uv.poll_start(a_poll, "r", a_callback)
uv.poll_start(b_poll, "r", b_callback)
least.send_now(a_fd, payload, b_port)
uv.run()
