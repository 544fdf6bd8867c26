-- SPDX-License-Identifier: MIT
-- What a block list of 10,000 rules costs a received datagram: CPU time of a receiver with and without one, in turns.
--
--   sh scripts/with.sh lua5.4 lua5.4 bench/blocklist.lua
local dgram = require "dgram"

local DATAGRAMS, BURST, ROUNDS, RULES = 100000, 100, 7, 10000

local function rules()
  local list = dgram.BlockList()
  for i = 1, RULES do list:addAddress(("10.%d.%d.1"):format(math.floor(i / 256), i % 256)) end
  return list
end

--- CPU time in nanoseconds for each datagram of bursts that are sent and received in turns.
local function measure(list)
  local got = 0
  local receiver = dgram.createSocket { type = "udp4", receiveBlockList = list, gro = false }
  receiver:on("message", function() got = got + 1 end)
  local sender = dgram.createSocket { type = "udp4", gso = false }
  receiver:bind(0, "127.0.0.1")
  local port = receiver:address().port
  local before = os.clock()
  for _ = 1, DATAGRAMS / BURST do
    for _ = 1, BURST do sender:send("x", port, "127.0.0.1") end
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

local list = rules()
local with, without = {}, {}
for round = 1, ROUNDS do
  without[round], with[round] = measure(nil), measure(list)
end
local plain, blocked = median(without), median(with)
print(("without a list %.0f ns, with %d rules %.0f ns a datagram (sent and received): %+.0f ns")
  :format(plain, RULES, blocked, blocked - plain))
