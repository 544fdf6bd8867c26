-- Receives until a datagram of 3 bytes comes, and tells how late they came. Argument: ANSWER, one in so many is answered
-- (none). Keeps the last rinfo: no compiler may leave it out.
local folder = arg[0]:match "^(.*)/" or "."
package.path = package.path .. ";" .. folder .. "/?.lua;" .. folder .. "/../?.lua" -- behind: dgram has a file receive, too
local dgram, latency, options, uv = require "dgram", require "latency", require "socket_options", require "luv"

local answer = tonumber(arg[1] or math.huge)
local received, bytes, start, cpu, last = 0, 0, 0, 0
local socket = dgram.createSocket(options { recvBufferSize = 4 * 1024 * 1024 })

socket:on("message", function(msg, rinfo)
  if received == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s %s"):format(
      received, bytes, (uv.hrtime() - start) / 1e9, os.clock() - cpu, last and last.port, latency.text()))
    socket:close()
    return
  end
  received = received + 1
  bytes = bytes + #msg
  last = rinfo
  if received % latency.EVERY == 0 then latency.note(msg, uv.hrtime()) end
  if received % answer == 0 then socket:send(msg, rinfo.port, rinfo.address) end
end)
socket:bind(0, "127.0.0.1")
print(("ready port=%d buffer=%d"):format(socket:address().port, socket:getRecvBufferSize()))
io.stdout:flush()
dgram.run()
