-- Sends datagrams of 64 bytes without callbacks. Arguments: COUNT [PEERS]; PEERS: to so many addresses in turn
local dgram = require "dgram"

local wanted, peers, payload = tonumber(arg[1]), tonumber(arg[2] or 1), ("x"):rep(64)
local socket, sink, addresses = dgram.createSocket "udp4", dgram.createSocket "udp4", {}
sink:bind(0, "0.0.0.0")
local port = sink:address().port
for i = 1, peers do addresses[i] = "127.0.0." .. i end

for i = 1, wanted do socket:send(payload, port, addresses[i % peers + 1]) end
socket:close(function() sink:close() end)
dgram.run()
