-- Wakes a computer over the network (Wake-on-LAN): broadcasts the packet that its network card waits for while the
-- machine sleeps. Or shows such packets as they come in, to see whether they reach a network.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/broadcast.lua wake 52:54:00:12:34:56 [PORT] [ADDRESS]
--   sh scripts/with.sh lua5.4 lua5.4 examples/broadcast.lua listen [PORT]
--
-- PORT is 40009 if not given (network cards take any; 9 is usual, but only root may listen there). The packet goes to
-- every network of this machine, or to the broadcast ADDRESS given. `wake` ends when all is sent, `listen` on Ctrl-C.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local usage = "wake MAC [PORT] [ADDRESS], or broadcast.lua listen [PORT]"
local port, to
local status = 0

local function complain(reason)
  program.complain(reason)
  status = 1
end

--- "52:54:00:12:34:56" -> six bytes, or nil
local function bytes_of(text)
  local bytes = text:gsub("[:-]", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  if #bytes == 6 and text:match "^%x%x[:-]%x%x[:-]%x%x[:-]%x%x[:-]%x%x[:-]%x%x$" then return bytes end
end

--- The address that reaches everybody on a network: all bits behind the mask are set.
local function broadcast_address(ip, netmask)
  local octets, mask = {}, { netmask:match "(%d+)%.(%d+)%.(%d+)%.(%d+)" }
  for octet in ip:gmatch "%d+" do
    local size = 256 - mask[#octets + 1]
    octets[#octets + 1] = ("%d"):format(octet - octet % size + size - 1)
  end
  return table.concat(octets, ".")
end

--- The broadcast addresses of this machine's networks, each with its interface's name.
local function networks()
  local list = {}
  for name, addresses in pairs(uv.interface_addresses()) do
    for _, each in ipairs(addresses) do
      if each.family == "inet" and each.netmask ~= "255.255.255.255" then
        list[#list + 1] = { address = broadcast_address(each.ip, each.netmask), name = name }
      end
    end
  end
  return list
end

local function wake(target)
  local packet = ("\255"):rep(6) .. target:rep(16)
  local list = to and { { address = to, name = "the address given" } } or networks()
  local left = #list
  local socket = dgram.createSocket "udp4"
  socket:on("error", complain)
  -- Without this a broadcast fails with EACCES.
  socket:setBroadcast(true)
  for _, network in ipairs(list) do
    socket:send(packet, port, network.address, function(err, bytes)
      if err then
        complain(err)
      else
        local size = program.counted(bytes, "byte")
        print(("sent %s to %s port %d (%s)"):format(size, network.address, port, network.name))
      end
      left = left - 1
      if left == 0 then socket:close() end
    end)
  end
  if left == 0 then
    complain "this machine has no IPv4 network: give a broadcast address"
    socket:close()
  end
end

--- Six bytes -> "52:54:00:12:34:56"; nothing when the message is no wake-up packet.
local function target_of(msg)
  local target = msg:match "^\255\255\255\255\255\255(......)"
  if target and msg:sub(7, 102) == target:rep(16) then
    return (target:gsub(".", function(char) return ("%02x:"):format(char:byte()) end):sub(1, -2))
  end
end

local function listen()
  local socket = dgram.createSocket "udp4"
  socket:on("message", function(msg, rinfo)
    local target = target_of(msg)
    local what = target and "wake " .. target or program.counted(rinfo.size, "other byte")
    print(("%s from %s"):format(what, rinfo.address))
  end)
  socket:on("error", function(err)
    if err.syscall ~= "bind" then return complain(err) end
    local advice = { EADDRINUSE = "; end the program that has this port, or give another one",
      EACCES = "; ports below 1024 are for root: give a higher one" }
    program.fail(tostring(err) .. (advice[err.code] or ""))
  end)
  -- Bound to one address of this machine, a socket would get no broadcasts.
  socket:bind(port, "0.0.0.0", function() print(("listening on port %d (Ctrl-C to end)"):format(port)) end)
  program.on_interrupt(function() socket:close() end)
end

local command, first, second, third = program.words(usage, 1, 4)
port = program.number(command == "listen" and first or command == "wake" and second or nil, 40009, 1, 65535, "a port")
to = third
if command == "listen" and not second then
  listen()
elseif command == "wake" and first and bytes_of(first) then
  wake(bytes_of(first))
else
  program.fail("usage: broadcast.lua " .. usage .. ", MAC being like 52:54:00:12:34:56")
end

dgram.run()
os.exit(status)
