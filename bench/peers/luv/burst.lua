-- Sends without callbacks, 256 at a turn of the loop. Arguments: PORT SIZE MILLISECONDS send|try [PEERS]
-- PEERS: to so many addresses in turn, 127.0.0.1 and on.
local uv = require "luv"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local send = arg[4] == "try" and uv.udp_try_send or uv.udp_send
local addresses = {}
for i = 1, tonumber(arg[5] or 1) do addresses[i] = "127.0.0." .. i end

local socket, idle = uv.new_udp "inet", uv.new_idle()
local sent, next_peer = 0, 1
local start, cpu = uv.hrtime(), os.clock()
local deadline = start + milliseconds * 1e6

local function close()
  if uv.udp_get_send_queue_count(socket) ~= 0 then return end
  uv.close(idle)
  uv.close(socket)
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    sent, sent * #payload, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
end
uv.idle_start(idle, function()
  if uv.hrtime() >= deadline then return close() end
  for _ = 1, 256 do
    assert(send(socket, payload, addresses[next_peer], port))
    next_peer = next_peer < #addresses and next_peer + 1 or 1
  end
  sent = sent + 256
end)
uv.run()
