-- As receive.lua, but by the event `batch`: it looks at each message, and at its rinfo, as receive.lua does.
local folder = arg[0]:match "^(.*)/" or "."
package.path = package.path .. ";" .. folder .. "/?.lua;" .. folder .. "/../?.lua" -- behind: dgram has a file receive, too
local dgram, latency, options, uv = require "dgram", require "latency", require "socket_options", require "luv"

local received, bytes, start, cpu, last = 0, 0, 0, 0
local socket = dgram.createSocket(options { recvBufferSize = 4 * 1024 * 1024 })

socket:on("batch", function(messages, rinfos)
  if received == 0 then start, cpu = uv.hrtime(), os.clock() end
  for i = 1, #messages do
    local msg = messages[i]
    if #msg == 3 then
      print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s %s"):format(
        received, bytes, (uv.hrtime() - start) / 1e9, os.clock() - cpu, last and last.port, latency.text()))
      socket:close()
      return
    end
    received = received + 1
    bytes = bytes + #msg
    last = rinfos[i]
    if received % latency.EVERY == 0 then latency.note(msg, uv.hrtime()) end
  end
end)
socket:bind(0, "127.0.0.1")
print(("ready port=%d buffer=%d"):format(socket:address().port, socket:getRecvBufferSize()))
io.stdout:flush()
dgram.run()
