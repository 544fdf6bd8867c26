-- A socket answers 64 questions of 64 bytes at a time, to their sender. Argument: COUNT, a multiple of 64
local dgram = require "dgram"

local wanted, answered, list = tonumber(arg[1]), 0, {}
local asker, server = dgram.createSocket "udp4", dgram.createSocket "udp4"
for i = 1, 64 do list[i] = ("x"):rep(64) end

server:on("message", function(msg, rinfo) server:send(msg, rinfo.port, rinfo.address) end)
server:bind(0, "127.0.0.1")
local port = server:address().port

asker:on("message", function()
  answered = answered + 1
  if answered == wanted then
    asker:close()
    server:close()
  elseif answered % #list == 0 then
    asker:sendMany(list, port, "127.0.0.1")
  end
end)
asker:bind(0, "127.0.0.1")
asker:sendMany(list, port, "127.0.0.1")
dgram.run()
assert(answered == wanted)
