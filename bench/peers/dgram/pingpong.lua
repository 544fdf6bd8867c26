-- Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS [IDLE]
-- IDLE: so many sockets more, bound and listening, to which nothing comes.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local dgram, turns, uv = require "dgram", require "turns", require "luv"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local a, b, idle = dgram.createSocket "udp4", dgram.createSocket "udp4", {}
for i = 1, tonumber(arg[3] or 0) do
  idle[i] = dgram.createSocket("udp4", function() error "nothing was sent here" end)
  idle[i]:bind(0, "127.0.0.1")
end

local is_last, b_port = turns(milliseconds, function() return uv.hrtime() / 1e9 end), nil

b:on("message", function(msg, rinfo) b:send(msg, rinfo.port, rinfo.address) end)
a:on("message", function(msg)
  if not is_last(msg) then
    a:send(msg, b_port, "127.0.0.1")
    return
  end
  a:close()
  b:close()
  for _, each in ipairs(idle) do each:close() end
end)
a:bind(0, "127.0.0.1")
b:bind(0, "127.0.0.1", function()
  b_port = b:address().port
  collectgarbage()
  a:send(payload, b_port, "127.0.0.1")
end)
dgram.run()
