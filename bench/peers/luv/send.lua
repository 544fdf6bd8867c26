-- Sends with a callback each, 64 in flight. Arguments: PORT SIZE MILLISECONDS send|try
-- try: udp_try_send, which has no callback; a function is called after each instead, and the loop turns after 64.
local uv = require "luv"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local try = arg[4] == "try"
local socket = uv.new_udp "inet"
local sent, done, running = 0, 0, true
local start, cpu = uv.hrtime(), os.clock()
local deadline = start + milliseconds * 1e6

local function report()
  print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
    sent, sent * #payload, (uv.hrtime() - start) / 1e9, os.clock() - cpu))
  uv.close(socket)
end

local function callback(err)
  if err then error(err) end
  done = done + 1
  if done % 1024 == 0 then running = uv.hrtime() < deadline end
  if try then return end
  if running then
    sent = sent + 1
    uv.udp_send(socket, payload, "127.0.0.1", port, callback)
  elseif done == sent then
    report()
  end
end

if try then
  local idle = uv.new_idle()
  uv.idle_start(idle, function()
    for _ = 1, 64 do
      sent = sent + 1
      local _, err = uv.udp_try_send(socket, payload, "127.0.0.1", port)
      callback(err)
    end
    if running then return end
    report()
    uv.close(idle)
  end)
else
  for _ = 1, 64 do
    sent = sent + 1
    uv.udp_send(socket, payload, "127.0.0.1", port, callback)
  end
end
uv.run()
