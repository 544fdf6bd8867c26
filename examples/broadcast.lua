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

local help = "usage: broadcast.lua wake MAC [PORT] [ADDRESS], or broadcast.lua listen [PORT]"
local command = arg[1]
local mac = command == "wake" and arg[2] or nil
local port = tonumber(command == "wake" and arg[3] or command == "listen" and arg[2] or 40009)
local to = arg[4]
local status = 0

local function complain(reason)
  io.stderr:write("broadcast: ", tostring(reason), "\n")
  status = 1
end

local function usage(reason)
  complain(reason)
  os.exit(2)
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
        print(("sent %d bytes to %s port %d (%s)"):format(bytes, network.address, port, network.name))
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
  local signals = { uv.new_signal(), uv.new_signal() }

  local function stop()
    for _, signal in ipairs(signals) do signal:close() end
    socket:close()
  end

  socket:on("message", function(msg, rinfo)
    local target = target_of(msg)
    print(("%s from %s"):format(target and "wake " .. target or rinfo.size .. " other bytes", rinfo.address))
  end)
  socket:on("error", function(err)
    complain(err)
    if err.syscall ~= "bind" then return end
    if err.code == "EADDRINUSE" then complain "another program has this port: end it, or give another port" end
    if err.code == "EACCES" then complain "ports below 1024 are for root: give a higher one" end
    stop()
  end)
  -- Bound to one address of this machine, a socket would get no broadcasts.
  socket:bind(port, "0.0.0.0", function() print(("listening on port %d (Ctrl-C to end)"):format(port)) end)
  signals[1]:start("sigint", stop)
  signals[2]:start("sigterm", stop)
end

io.stdout:setvbuf "line"
if command == "--help" then
  print(help)
  os.exit(0)
elseif not port or port < 1 or port > 65535 or port % 1 ~= 0 then
  usage "a port is a number from 1 to 65535"
elseif command == "listen" then
  listen()
elseif mac and bytes_of(mac) and to ~= "" then
  wake(bytes_of(mac))
else
  usage(help)
end

dgram.run()
os.exit(status)
