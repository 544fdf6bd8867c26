-- An echo server and its client in coroutines of cqueues: dgram's loop is a guest in that of cqueues.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/hosts/cqueues.lua [QUESTIONS]
--
-- The client asks so many questions (3 if not given), prints the answers, and both end.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local dgram = require "dgram"

local questions = tonumber(arg[1] or 3)
local controller = cqueues.new()
local due = condition.new()
dgram.onDue(function() due:signal() end) -- another coroutine has sent something, or listens to something new

--- A function that waits, in a coroutine of cqueues, for the socket's next datagram: it returns what receive(0) does, or nil
--- and "timeout" after so many seconds.
local function receiver(socket)
  local came, messages, rinfos = condition.new(), {}, {}
  socket:on("message", function(msg, rinfo)
    messages[#messages + 1], rinfos[#rinfos + 1] = msg, rinfo
    came:signal()
  end)
  socket:on("close", function() came:signal() end)
  return function(seconds)
    if not messages[1] and not socket:state().closing and not came:wait(seconds) then return nil, "timeout" end
    if not messages[1] then return nil, "closed" end
    return table.remove(messages, 1), table.remove(rinfos, 1)
  end
end

local server, client = dgram.createSocket "udp4", dgram.createSocket "udp4"
server:bind(0, "127.0.0.1")
local port = server:address().port

controller:wrap(function()
  local receive = receiver(server)
  local msg, rinfo = receive()
  while msg do -- Lua 5.1 cannot wait in the iterator of a for loop
    server:send("you said " .. msg, rinfo.port, rinfo.address)
    msg, rinfo = receive()
  end
end)

controller:wrap(function()
  local receive = receiver(client)
  for i = 1, questions do
    client:send("hello " .. i, port, "127.0.0.1")
    print((receive(5)))
    cqueues.sleep(0.01) -- the other coroutines go on
  end
  client:close()
  server:close()
end)

-- The guest. cqueues asks dgram for its descriptor and how long it may wait.
controller:wrap(function()
  while dgram.step() do cqueues.poll(dgram, due) end
end)

assert(controller:loop())
