-- Sends lists of 256, one at a turn of the loop. Arguments: PORT SIZE MILLISECONDS
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local dgram, options, uv = require "dgram", require "socket_options", require "luv"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local socket, idle, list = dgram.createSocket(options {}), uv.new_idle(), {}
for i = 1, 256 do list[i] = payload end

local sent = 0
local start, cpu = uv.hrtime(), os.clock()
local deadline = start + milliseconds * 1e6

socket:on("close", function()
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    sent, sent * #payload, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
end)
uv.idle_start(idle, function()
  socket:sendMany(list, port, "127.0.0.1")
  sent = sent + #list
  if uv.hrtime() < deadline then return end
  uv.close(idle)
  socket:close()
end)
dgram.run()
