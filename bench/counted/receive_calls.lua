-- As receive.lua, but a coroutine receives by calls. Argument: COUNT, a multiple of 2048
local dgram = require "dgram"

local wanted, received, last = tonumber(arg[1]), 0
local socket = dgram.createSocket { type = "udp4", gro = true } -- the first train comes before it could find out

-- So many fit into the smallest buffer that systems give; all of them wait there when the loop gets to see them.
local function refill()
  assert(os.execute(("build/bench/train %d 64 2048"):format(socket:address().port)))
end

coroutine.wrap(function()
  while received < wanted do
    local _, rinfo = socket:receive()
    received = received + 1
    last = rinfo
    if received < wanted and received % 2048 == 0 then refill() end
  end
  socket:close()
end)()
socket:bind(0, "127.0.0.1")
refill()
dgram.run()
assert(received == wanted and last.size == 64)
