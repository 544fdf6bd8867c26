-- Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS
local folder = arg[0]:match "^(.*)/" or "."
package.path = folder .. "/?.lua;" .. folder .. "/../?.lua;" .. package.path
local turns, udp, uv = require "turns", require "udp", require "luv"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local a, b = udp.createSocket(), udp.createSocket()

local is_last, b_port = turns(milliseconds, function() return uv.hrtime() / 1e9 end), nil

b:on("message", function(msg, rinfo) b:send(msg, rinfo.port, rinfo.ip) end)
a:on("message", function(msg)
  if not is_last(msg) then
    a:send(msg, b_port, "127.0.0.1")
    return
  end
  a:close()
  b:close()
end)
a:bind(0, "127.0.0.1")
b:bind(0, "127.0.0.1")
b_port = b:address().port
collectgarbage()
a:send(payload, b_port, "127.0.0.1")
uv.run()
