-- As echo.lua, but a coroutine that receives by calls answers. Argument: COUNT
local dgram, uv = require "dgram", require "luv"

local wanted, socket = tonumber(arg[1]), dgram.createSocket "udp4"

coroutine.wrap(function()
  for _ = 1, wanted do
    local msg, rinfo = socket:receive()
    socket:send(msg, rinfo.port, rinfo.address)
  end
  socket:close()
end)()
socket:bind(0, "127.0.0.1")
assert(os.execute(("build/bench/lone %d %d %d &"):format(socket:address().port, wanted, uv.os_getpid())))
dgram.run()
