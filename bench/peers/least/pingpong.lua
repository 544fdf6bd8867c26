-- Two sockets of one loop send one datagram back and forth, by the least that a binding can do (least.c).
-- Arguments: SIZE MILLISECONDS
local least, uv = require "least", require "luv"

local payload, milliseconds = ("x"):rep(tonumber(arg[1])), tonumber(arg[2])
local rounds, start, cpu, deadline = -1, nil, nil, nil
local a_fd, b_fd, a_poll, b_poll, b_port, a_callback, b_callback, _

local function deliver(msg, receiver, address, family, port, size)
  local rinfo = { address = address, family = family, port = port, size = size }
  return receiver(msg, rinfo)
end

a_fd, _, a_callback = least.open_one(deliver, function(msg)
  rounds = rounds + 1
  if rounds == 0 then
    start, cpu = uv.hrtime(), os.clock()
    deadline = start + milliseconds * 1e6
  end
  if rounds % 256 ~= 0 or uv.hrtime() < deadline then
    least.send_now(a_fd, msg, b_port)
    return
  end
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    rounds, rounds * #msg, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
  uv.close(a_poll)
  uv.close(b_poll)
end)
b_fd, b_port, b_callback = least.open_one(deliver, function(msg, rinfo) least.send_now(b_fd, msg, rinfo.port) end)
a_poll, b_poll = uv.new_poll(a_fd), uv.new_poll(b_fd)
uv.poll_start(a_poll, "r", a_callback)
uv.poll_start(b_poll, "r", b_callback)
least.send_now(a_fd, payload, b_port)
uv.run()
