-- Sends datagrams of 64 bytes in lists of 256. Argument: COUNT
local dgram = require "dgram"

local wanted, list = tonumber(arg[1]), {}
local socket, sink = dgram.createSocket "udp4", dgram.createSocket "udp4"
sink:bind(0, "127.0.0.1")
local port = sink:address().port
for i = 1, 256 do list[i] = ("x"):rep(64) end

for _ = 1, wanted / #list do socket:sendMany(list, port, "127.0.0.1") end
socket:close(function() sink:close() end)
dgram.run()
