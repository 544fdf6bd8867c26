-- Answers datagrams of 64 bytes that another process sends, one at a time. Argument: COUNT
local dgram, uv = require "dgram", require "luv"

local wanted, echoed, socket = tonumber(arg[1]), 0, dgram.createSocket "udp4"

socket:on("message", function(msg, rinfo)
  echoed = echoed + 1
  socket:send(msg, rinfo.port, rinfo.address)
  if echoed == wanted then socket:close() end
end)
socket:bind(0, "127.0.0.1")
assert(os.execute(("build/bench/lone %d %d %d &"):format(socket:address().port, wanted, uv.os_getpid())))
dgram.run()
assert(echoed == wanted)
