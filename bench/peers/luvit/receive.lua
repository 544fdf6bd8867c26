-- Receives until a datagram of 3 bytes comes. Keeps the last rinfo: no compiler may leave it out.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local udp, uv = require "udp", require "luv"

local received, bytes, start, cpu, last = 0, 0, 0, 0
local socket = udp.createSocket()

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
uv.recv_buffer_size(socket.handle, 4 * 1024 * 1024)
print(("ready port=%d buffer=%d"):format(socket:address().port, uv.recv_buffer_size(socket.handle)))
io.stdout:flush()
uv.run()
