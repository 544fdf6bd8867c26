-- Two sockets of one loop send one datagram back and forth. Arguments: SIZE MILLISECONDS
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local udp, uv = require "udp", require "luv"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local a, b = udp.createSocket(), udp.createSocket()

local rounds, start, cpu, deadline = -1
local b_port

local function begin()
  start, cpu = uv.hrtime(), os.clock()
  deadline = start + milliseconds * 1e6
end

b:on("message", function(msg, rinfo) b:send(msg, rinfo.port, rinfo.ip) end)
a:on("message", function(msg)
  rounds = rounds + 1
  if rounds == 0 then begin() end -- in the round before, the loop told the kernel of all sockets
  if rounds % 256 ~= 0 or uv.hrtime() < deadline then
    a:send(msg, b_port, "127.0.0.1")
    return
  end
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    rounds, rounds * #msg, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
  a:close()
  b:close()
end)
a:bind(0, "127.0.0.1")
b:bind(0, "127.0.0.1")
b_port = b:address().port
collectgarbage()
a:send(payload, b_port, "127.0.0.1")
uv.run()
