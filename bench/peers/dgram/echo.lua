-- Sends back what comes, until a datagram of 3 bytes does.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local dgram, options, uv = require "dgram", require "socket_options", require "luv"

local echoed, start, cpu = 0, 0, 0
local socket = dgram.createSocket(options {})

socket:on("message", function(msg, rinfo)
  if echoed == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    print(("count=%d seconds=%.6f cpu=%.6f"):format(echoed, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
    socket:close()
    return
  end
  echoed = echoed + 1
  socket:send(msg, rinfo.port, rinfo.address)
end)
socket:bind(0, "127.0.0.1")
print("ready port=" .. socket:address().port)
io.stdout:flush()
dgram.run()
