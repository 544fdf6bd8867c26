-- Sends without callbacks, 256 at a turn of the loop, by the least that a binding can do (least.c).
-- Arguments: PORT SIZE MILLISECONDS
local least, uv = require "least", require "luv"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local socket, turn = least.sender()
local idle = uv.new_idle()
local addresses = { "127.0.0.1" }
local sent, next_peer = 0, 1
local start, cpu = uv.hrtime(), os.clock()
local deadline = start + milliseconds * 1e6

uv.idle_start(idle, function()
  for _ = 1, 256 do
    socket:send(payload, port, addresses[next_peer])
    next_peer = next_peer < #addresses and next_peer + 1 or 1
  end
  sent = sent + 256
  turn()
  if uv.hrtime() < deadline then return end
  uv.close(idle)
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    sent, sent * #payload, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
end)
uv.run()
