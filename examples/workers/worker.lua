-- A worker of supervisor.lua: sends every datagram back, with the number of its process before it.
--
-- What a worker has to do, whatever it serves:
-- - descriptor 3 is its socket, bound; it adopts it;
-- - descriptor 4 is a stream: when the worker is ready it writes a line there; when that ends, the supervisor is gone, and the
--   worker ends, too;
-- - on SIGTERM it serves what it has taken, and ends.
-- Its number is the first argument.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "../lib/program.lua")

local number = program.words("NUMBER (started by supervisor.lua)", 1, 1)
local pid = uv.os_getpid()
local served = 0
local control = uv.new_pipe(false)
local socket = dgram.createSocket "udp4" -- an adopted descriptor keeps its own family

local function serve(msg, rinfo)
  served = served + 1
  socket:reply(("%d %s"):format(pid, msg), rinfo)
end

--- Datagrams that dgram has taken from the kernel are in this process alone, so they are served before it ends. What else waits
-- is served with them, within limits: a successor has the same socket, and takes its part.
local function stop()
  socket:off("message", serve)
  for _ = 1, 10000 do
    local msg, rinfo = socket:receive(0)
    if not msg then break end
    serve(msg, rinfo)
  end
  control:close()
  socket:close(function()
    print(("worker %s (process %d) ended after %s"):format(number, pid, program.counted(served, "datagram")))
  end)
end

local ok, err = pcall(socket.bind, socket, { fd = 3 })
if not ok then program.fail("supervisor.lua starts this: " .. tostring(err)) end
socket:on("message", serve)
socket:on("error", program.on_error)

local forget = program.on_interrupt(stop)
control:open(4)
control:read_start(dgram.protect(function(_, data)
  if data then return end
  forget()
  stop()
end))
control:write "ready\n"
dgram.run()
