-- Sends back what comes, one datagram at a time, until one of 3 bytes does, by the least that a binding can do (least.c).
local least, uv = require "least", require "luv"

local echoed, start, cpu, fd, poll = 0, 0, 0, nil, nil

local function listener(msg, rinfo)
  if echoed == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    print(("count=%d seconds=%.6f cpu=%.6f"):format(echoed, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
    uv.close(poll)
    return
  end
  echoed = echoed + 1
  least.send_now(fd, msg, rinfo.port)
end

local function deliver(msg, receiver, address, family, port, size)
  local rinfo = { address = address, family = family, port = port, size = size }
  return receiver(msg, rinfo)
end

local port, readable
fd, port, readable = least.open_one(deliver, listener)
poll = uv.new_poll(fd)
uv.poll_start(poll, "r", readable)
print("ready port=" .. port)
io.stdout:flush()
uv.run()
