-- Receives until a datagram of 3 bytes comes, in a coroutine, and tells how late they came. cqueues does not tell who sent
-- a datagram, and has no call for the size of the buffer.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local cqueues, latency, socket = require "cqueues", require "latency", require "cqueues.socket"

local received, bytes, start, cpu = 0, 0, 0, 0
local udp = assert(socket.listen { host = "127.0.0.1", port = 0, type = socket.SOCK_DGRAM })
udp:setmode("bn", "bn")
udp:listen()

local loop = cqueues.new()
loop:wrap(function()
  while true do
    local msg = udp:read(-65536)
    if received == 0 then start, cpu = cqueues.monotime(), os.clock() end
    if #msg == 3 then break end
    received = received + 1
    bytes = bytes + #msg
    if received % latency.EVERY == 0 then latency.note(msg, cqueues.monotime() * 1e9) end
  end
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f %s"):format(
    received, bytes, cqueues.monotime() - start, os.clock() - cpu, latency.text()))
end)
print(("ready port=%d buffer=default"):format((select(3, udp:localname()))))
io.stdout:flush()
assert(loop:loop())
