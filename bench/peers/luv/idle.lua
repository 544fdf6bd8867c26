-- Memory that bound and listening sockets take. Argument: COUNT
local uv = require "luv"

local function resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^RssAnon:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) * 1024 end
  end
end

local sockets, count = {}, tonumber(arg[1])
local function open()
  local socket = uv.new_udp "inet"
  assert(uv.udp_bind(socket, "127.0.0.1", 0))
  uv.udp_recv_start(socket, function() end)
  sockets[#sockets + 1] = socket
end

open()
uv.run "nowait"
local before = resident()
for _ = 1, count do open() end
uv.run "nowait"
print(("count=%d bytes=%d seconds=0 cpu=%.6f"):format(count, resident() - before, os.clock()))
for _, socket in ipairs(sockets) do uv.close(socket) end
uv.run()
