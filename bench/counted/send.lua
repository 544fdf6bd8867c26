-- Sends datagrams of 64 bytes with a callback each, 64 in flight. Argument: COUNT
local dgram = require "dgram"

local wanted, sent, done, payload = tonumber(arg[1]), 0, 0, ("x"):rep(64)
local socket, sink = dgram.createSocket "udp4", dgram.createSocket "udp4"
sink:bind(0, "127.0.0.1")
local port = sink:address().port

local function send(callback)
  sent = sent + 1
  socket:send(payload, port, "127.0.0.1", callback)
end

local function callback(err)
  assert(not err, err)
  done = done + 1
  if sent < wanted then
    send(callback)
  elseif done == wanted then
    socket:close()
    sink:close()
  end
end

for _ = 1, 64 do send(callback) end
dgram.run()
assert(done == wanted)
