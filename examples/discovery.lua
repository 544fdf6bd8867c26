-- Finds its like: every copy tells a multicast group its name, and prints who comes and who goes.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/discovery.lua [NAME] [INTERFACE] [SECONDS]
--
-- Start it in two terminals or more. NAME is what the others show (letters, digits, - _ and .). INTERFACE is the name
-- or an address of one: 127.0.0.1, if not given, keeps all of it on this machine; "eth0" lets machines on that network
-- find each other. Ends after so many SECONDS, or on Ctrl-C, and says goodbye.
--
-- The messages are "hello NAME" (to the group, again and again), "here NAME" (the answer, to the newcomer alone) and
-- "bye NAME" (to the group).
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local group, port = "239.255.77.77", 41235
local every, silence = 1000, 3500     -- ms: between two hellos, and until one who is silent counts as gone
local name, interface, seconds = program.words("[NAME] [INTERFACE] [SECONDS]", 0, 3)
local known = {}                      -- "address:port" -> { name, heard = when }
local running = true
local announcer, limit = uv.new_timer(), uv.new_timer()

-- Two sockets: all copies on a machine share the group's port, so what is sent to one of them there may reach another.
-- Each speaks, and is answered, through a port of its own.
local listener = dgram.createSocket { type = "udp4", reuseAddr = true }
local speaker = dgram.createSocket "udp4"

local function on_sent(err)
  if err then program.complain(err) end
end

--- Tells the group.
local function tell(word)
  speaker:send(word .. " " .. name, port, group, on_sent)
end

--- Closes everything; with nothing left to do, dgram.run returns. What was sent before close() still goes out.
local function stop()
  if not running then return end
  running = false
  tell "bye"
  for _, each in ipairs { announcer, limit, listener, speaker } do each:close() end
end

--- Anybody may send anything to these ports: what does not read as one of the three messages is left alone.
local function on_message(msg, rinfo)
  local word, who = msg:match "^(%l+) ([%w._-]+)$"
  local key = rinfo.address .. ":" .. rinfo.port
  local mine = rinfo.port == speaker:address().port and who == name
  if not who or mine then return end
  if word == "hello" or word == "here" then
    if not known[key] then print(("+ %s at %s"):format(who, key)) end
    if word == "hello" and not known[key] then speaker:reply("here " .. name, rinfo, on_sent) end
    known[key] = { name = who, heard = uv.now() }
  elseif word == "bye" and known[key] then
    print(("- %s says goodbye"):format(who))
    known[key] = nil
  end
end

local function forget_the_silent()
  for key, node in pairs(known) do
    if uv.now() - node.heard > silence then
      print(("- %s is silent"):format(node.name))
      known[key] = nil
    end
  end
end

name, interface = name or ("node-%d"):format(uv.os_getpid()), interface or "127.0.0.1"
seconds = program.number(seconds, nil, 0, 999999, "SECONDS")
if not name:find "^[%w._-]+$" then program.fail "a name has letters, digits, - _ and . alone" end

for _, socket in ipairs { listener, speaker } do
  socket:on("message", on_message)
end
listener:on("error", function(err)
  program.fail(tostring(err) .. "; does a program have port " .. port .. " that does not share it?")
end)
speaker:on("error", program.complain)

local joined, reason = pcall(function()
  listener:addMembership(group, interface)
  speaker:setMulticastInterface(interface)
end)
if not joined then
  program.fail("'" .. interface .. "' is no interface for multicasts: " .. tostring(reason))
end
listener:bind(port, group, function()
  print(("%s listens to %s port %d on %s (Ctrl-C to end)"):format(name, group, port, interface))
end)
speaker:bind(0)
announcer:start(0, every, function()
  tell "hello"
  forget_the_silent()
end)
if seconds then limit:start(seconds * 1000, 0, stop) end
program.on_interrupt(stop)
dgram.run()
