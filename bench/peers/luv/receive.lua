-- Receives until a datagram of 3 bytes comes, and tells how late they came. Arguments: MMSGS [ANSWER]
-- MMSGS: how many datagrams a recvmmsg may take (1: recvmsg). ANSWER: one in so many is answered.
package.path = (arg[0]:match "^(.*)/" or ".") .. "/../?.lua;" .. package.path
local latency, uv = require "latency", require "luv"

local mmsgs, answer = tonumber(arg[1]), tonumber(arg[2] or math.huge)
local received, bytes, start, cpu, last = 0, 0, 0, 0
local socket = mmsgs > 1 and uv.new_udp { family = "inet", mmsgs = mmsgs } or uv.new_udp "inet"
uv.udp_bind(socket, "127.0.0.1", 0)
uv.recv_buffer_size(socket, 4 * 1024 * 1024)

uv.udp_recv_start(socket, function(err, msg, from)
  assert(not err, err)
  if not msg or uv.is_closing(socket) then return end -- nothing more for now, or the rest of a batch
  if received == 0 then start, cpu = uv.hrtime(), os.clock() end
  if #msg == 3 then
    print(("count=%d bytes=%d seconds=%.6f cpu=%.6f from=%s %s"):format(
      received, bytes, (uv.hrtime() - start) / 1e9, os.clock() - cpu, last and last.port, latency.text()))
    uv.close(socket)
    return
  end
  received = received + 1
  bytes = bytes + #msg
  last = from
  if received % latency.EVERY == 0 then latency.note(msg, uv.hrtime()) end
  if received % answer == 0 then uv.udp_try_send(socket, msg, from.ip, from.port) end
end)
print(("ready port=%d buffer=%d"):format(uv.udp_getsockname(socket).port, uv.recv_buffer_size(socket)))
io.stdout:flush()
uv.run()
