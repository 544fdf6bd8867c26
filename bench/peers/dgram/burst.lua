-- Sends without callbacks, 256 at a turn of the loop. Arguments: PORT SIZE MILLISECONDS [PEERS]
-- PEERS: to so many addresses in turn, 127.0.0.1 and on.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local dgram, options, uv = require "dgram", require "socket_options", require "luv"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local addresses = {}
for i = 1, tonumber(arg[4] or 1) do addresses[i] = "127.0.0." .. i end

local socket, idle = dgram.createSocket(options {}), uv.new_idle()
local sent, next_peer = 0, 1
local start, cpu = uv.hrtime(), os.clock()
local deadline = start + milliseconds * 1e6

socket:on("close", function()
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    sent, sent * #payload, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
end)
uv.idle_start(idle, function()
  for _ = 1, 256 do
    socket:send(payload, port, addresses[next_peer])
    next_peer = next_peer < #addresses and next_peer + 1 or 1
  end
  sent = sent + 256
  if uv.hrtime() < deadline then return end
  uv.close(idle)
  socket:close()
end)
dgram.run()
