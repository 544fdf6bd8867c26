-- Sends back what comes, until a datagram of 3 bytes does. Arguments: MMSGS send|try
-- MMSGS: how many datagrams a recvmmsg may take (1: recvmsg).
local uv = require "luv"

local mmsgs, try = tonumber(arg[1]), arg[2] == "try"
local echoed, start, cpu = 0, 0, 0
local socket = mmsgs > 1 and uv.new_udp { family = "inet", mmsgs = mmsgs } or uv.new_udp "inet"
uv.udp_bind(socket, "127.0.0.1", 0)

uv.udp_recv_start(socket, function(_, msg, from)
  if not msg or uv.is_closing(socket) then return end -- nothing more for now, or the rest of a batch
  if echoed == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    print(("count=%d seconds=%.6f cpu=%.6f"):format(echoed, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
    uv.close(socket)
    return
  end
  echoed = echoed + 1
  if try then
    assert(uv.udp_try_send(socket, msg, from.ip, from.port))
  else
    uv.udp_send(socket, msg, from.ip, from.port)
  end
end)
print("ready port=" .. uv.udp_getsockname(socket).port)
io.stdout:flush()
uv.run()
