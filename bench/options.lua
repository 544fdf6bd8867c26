-- SPDX-License-Identifier: MIT
-- What options and habits cost: CPU time for each datagram of 64 bytes that one socket sends to another of the same program,
-- in bursts of 64, in rounds in which all ways take turns. Argument: ROUNDS (default 7).
--
--   sh scripts/with.sh lua5.4 lua5.4 bench/options.lua
local dgram = require "dgram"

local DATAGRAMS, BURST, RULES = 64000, 64, 10000
local ROUNDS = tonumber(arg[1] or 7)
local payload = ("x"):rep(64)

local function rules()
  local list = dgram.BlockList()
  for i = 1, RULES do list:addAddress(("10.%d.%d.1"):format(math.floor(i / 256), i % 256)) end
  return list
end

local blocked = rules()
local function nothing(_, _) end

local function plain_send(socket, port) socket:send(payload, port, "127.0.0.1") end

-- Each way: name, and what is other than usual: options of the receiver, of the sender, send(socket, port), listen(socket),
-- brief: the listener takes the message alone.
local ways = {
  { "as usual" },
  { "a callback for each send, the same function", send = function(socket, port)
    socket:send(payload, port, "127.0.0.1", nothing)
  end },
  { "a callback for each send, a new function", send = function(socket, port)
    socket:send(payload, port, "127.0.0.1", function() return port end)
  end },
  { "connected: no address", connect = true, send = function(socket) socket:send(payload) end },
  { "the message as a list of two strings", send = function(socket, port)
    socket:send({ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" }, port, "127.0.0.1")
  end },
  { "a listener with one parameter, which gets no rinfo", brief = true },
  { "two listeners", listen = function(socket) socket:on("message", nothing) end },
  { "gso = false", sender = { gso = false } },
  { "gro = false", receiver = { gro = false } },
  { "gso = false, gro = false: each datagram alone", sender = { gso = false }, receiver = { gro = false } },
  { "receiveBlockList of 10,000 rules, trains", receiver = { receiveBlockList = blocked } },
  { "receiveBlockList of 10,000 rules, each datagram alone", sender = { gso = false },
    receiver = { gro = false, receiveBlockList = blocked }, base = "gso = false, gro = false: each datagram alone" },
  { "sendBlockList of 10,000 rules", sender = { sendBlockList = blocked } },
}

local function options(extra)
  local all = { type = "udp4" }
  for name, value in pairs(extra or {}) do all[name] = value end
  return all
end

--- CPU time in nanoseconds for each datagram.
local function measure(way)
  local got = 0
  local receiver, sender = dgram.createSocket(options(way.receiver)), dgram.createSocket(options(way.sender))
  receiver:on("message", way.brief and function(_) got = got + 1 end or function(_, _) got = got + 1 end)
  if way.listen then way.listen(receiver) end
  receiver:bind(0, "127.0.0.1")
  local port, send = receiver:address().port, way.send or plain_send
  if way.connect then sender:connectSync(port, "127.0.0.1") end
  local before = os.clock()
  for _ = 1, DATAGRAMS / BURST do
    for _ = 1, BURST do send(sender, port) end
    sender:flush()
    local wanted = got + BURST
    repeat dgram.run "nowait" until got >= wanted
  end
  local used = os.clock() - before
  receiver:close()
  sender:close()
  dgram.run()
  return used / DATAGRAMS * 1e9
end

local function median(values)
  table.sort(values)
  return values[math.floor(#values / 2) + 1]
end

local figures, of = {}, {}
for i in ipairs(ways) do figures[i] = {} end
for round = 1, ROUNDS do
  for i, way in ipairs(ways) do figures[i][round] = measure(way) end
end
print "ns for each datagram, sent and received, and what it is more than usual:"
for i, way in ipairs(ways) do
  of[way[1]] = median(figures[i])
  print(("%6.0f %+6.0f  %s"):format(of[way[1]], of[way[1]] - of[way.base or "as usual"], way[1]))
end
