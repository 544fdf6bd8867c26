-- As receive.lua, but by the event `batch`. Argument: COUNT, a multiple of 2048
local dgram = require "dgram"

local wanted, received, last = tonumber(arg[1]), 0
local socket = dgram.createSocket { type = "udp4", gro = true } -- the first train comes before it could find out

-- So many fit into the smallest buffer that systems give; all of them wait there when the loop gets to see them.
local function refill()
  assert(os.execute(("build/bench/train %d 64 2048"):format(socket:address().port)))
end

socket:on("batch", function(messages, rinfos)
  for i = 1, #messages do
    received = received + 1
    last = rinfos[i]
  end
  if received == wanted then
    socket:close()
  elseif received % 2048 == 0 then
    refill()
  end
end)
socket:bind(0, "127.0.0.1")
refill()
dgram.run()
assert(received == wanted and last.size == 64)
