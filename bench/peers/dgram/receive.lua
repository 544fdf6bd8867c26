-- Receives until a datagram of 3 bytes comes. Argument: `prompt`, no moderation: each datagram at once.
-- Keeps the last rinfo: no compiler may leave it out.
local dgram, uv = require "dgram", require "luv"

local received, bytes, start, cpu, last = 0, 0, 0, 0
local socket = dgram.createSocket {
  type = "udp4", recvBufferSize = 4 * 1024 * 1024, moderation = arg[1] ~= "prompt",
}

socket:on("message", function(msg, rinfo)
  if received == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s"):format(
      received, bytes, (uv.hrtime() - start) / 1e9, os.clock() - cpu, last and last.port))
    socket:close()
    return
  end
  received = received + 1
  bytes = bytes + #msg
  last = rinfo
end)
socket:bind(0, "127.0.0.1")
print(("ready port=%d buffer=%d"):format(socket:address().port, socket:getRecvBufferSize()))
io.stdout:flush()
dgram.run()
