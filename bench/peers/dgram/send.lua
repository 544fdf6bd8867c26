-- Sends with a callback each, 64 in flight. Arguments: PORT SIZE MILLISECONDS
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local dgram, options, uv = require "dgram", require "socket_options", require "luv"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local socket = dgram.createSocket(options {})
local sent, done, running = 0, 0, true
local start, cpu = uv.hrtime(), os.clock()
local deadline = start + milliseconds * 1e6

local function callback(err)
  if err then error(err) end
  done = done + 1
  if done % 1024 == 0 then running = uv.hrtime() < deadline end
  if running then
    sent = sent + 1
    socket:send(payload, port, "127.0.0.1", callback)
  elseif done == sent then
    print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
      sent, sent * #payload, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
    socket:close()
  end
end

for _ = 1, 64 do
  sent = sent + 1
  socket:send(payload, port, "127.0.0.1", callback)
end
dgram.run()
