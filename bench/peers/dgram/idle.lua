-- Memory that bound and listening sockets take. Argument: COUNT
package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path
local dgram, options = require "dgram", require "socket_options"

local function resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^RssAnon:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) * 1024 end
  end
end

local sockets, count, given = {}, tonumber(arg[1]), options {}
local function open()
  local socket = dgram.createSocket(given, function() end)
  socket:bind(0, "127.0.0.1")
  sockets[#sockets + 1] = socket
end

open()
dgram.run "nowait"
local before = resident()
for _ = 1, count do open() end
dgram.run "nowait"
print(("count=%d bytes=%d seconds=0 cpu=%.6f"):format(count, resident() - before, os.clock()))
for _, socket in ipairs(sockets) do socket:close() end
dgram.run()
