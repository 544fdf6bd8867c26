-- A gateway: lines that come by TCP, to a server of copas', are asked of a UDP server, and the answers go back by TCP.
-- dgram's loop is a guest in that of copas.
--
--   sh scripts/with.sh luajit luajit examples/hosts/copas.lua [LINE...]
--
-- Asks the lines ("hello" and "again" if there are none) of itself, prints the answers, and ends.
local copas = require "copas"
local luasocket = require "socket"
local dgram = require "dgram"

local lines = arg[1] and arg or { "hello", "again" }
local done = false

-- A server for datagrams that answers in capitals, and the gateway's socket.
local server, gateway = dgram.createSocket "udp4", dgram.createSocket "udp4"
server:on("message", function(msg, rinfo) server:reply(msg:upper(), rinfo) end)
server:bind(0, "127.0.0.1")
gateway:connectSync(server:address().port, "127.0.0.1")

-- copas has no events to wait for, so an answer finds the connection that asked.
local asking = {}
gateway:on("message", function(msg)
  local connection = table.remove(asking, 1)
  copas.addthread(function() copas.send(connection, msg .. "\n") end)
end)

local listener = assert(luasocket.bind("127.0.0.1", 0))
local _, tcp_port = listener:getsockname()
copas.addserver(listener, function(connection)
  while true do
    local line = copas.receive(connection)
    if not line then return end
    asking[#asking + 1] = connection
    gateway:send(line)
  end
end)

copas.addthread(function()
  local connection = luasocket.tcp()
  assert(copas.connect(connection, "127.0.0.1", tcp_port))
  for _, line in ipairs(lines) do
    copas.send(connection, line .. "\n")
    print((copas.receive(connection)))
  end
  connection:close()
  server:close()
  gateway:close()
  done = true
end)

-- The guest: for copas and LuaSocket it looks like one of their sockets. Its receive waits once, and then has come.
local guest = { getfd = dgram.pollfd, dirty = function() return false end, waited = false }
function guest:receive()
  self.waited = not self.waited
  if self.waited then return nil, "timeout" end
  return ""
end

copas.addthread(function()
  while not done do
    copas.receive(guest)
    dgram.step()
  end
end)

-- copas waits as long as dgram allows; what became due meanwhile is done then.
repeat
  local ready = copas.step(dgram.timeout())
  if not ready then dgram.step() end
until done
while dgram.step() do copas.step(dgram.timeout()) end
