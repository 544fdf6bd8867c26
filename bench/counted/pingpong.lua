-- Two sockets of one loop send one datagram of 64 bytes back and forth. Argument: COUNT of rounds
local dgram = require "dgram"

local wanted, rounds, b_port = tonumber(arg[1]), 0
local a, b = dgram.createSocket "udp4", dgram.createSocket "udp4"

b:on("message", function(msg, rinfo) b:send(msg, rinfo.port, rinfo.address) end)
a:on("message", function(msg)
  rounds = rounds + 1
  if rounds < wanted then
    a:send(msg, b_port, "127.0.0.1")
  else
    a:close()
    b:close()
  end
end)
a:bind(0, "127.0.0.1")
b:bind(0, "127.0.0.1", function()
  b_port = b:address().port
  a:send(("x"):rep(64), b_port, "127.0.0.1")
end)
dgram.run()
assert(rounds == wanted)
