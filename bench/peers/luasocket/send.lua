-- Sends in a plain loop, with a function called after each (there is no loop of events here).
-- Arguments: PORT SIZE MILLISECONDS [PEERS]. PEERS: to so many addresses in turn, 127.0.0.1 and on.
local socket = require "socket"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local addresses = {}
for i = 1, tonumber(arg[4] or 1) do addresses[i] = "127.0.0." .. i end

local udp = assert(socket.udp4())
local sent, next_peer, running = 0, 1, true
local start, cpu = socket.gettime(), os.clock()
local deadline = start + milliseconds / 1e3

local function callback(done, err)
  if not done then error(err) end
  sent = sent + 1
  if sent % 1024 == 0 then running = socket.gettime() < deadline end
end

while running do
  callback(udp:sendto(payload, addresses[next_peer], port))
  next_peer = next_peer < #addresses and next_peer + 1 or 1
end
print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
  sent, sent * #payload, socket.gettime() - start, os.clock() - cpu))
