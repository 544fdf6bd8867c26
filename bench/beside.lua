-- SPDX-License-Identifier: MIT
-- What lies beside a program's two busy sockets: microseconds for each round of ping-pong between them, in processes that take
-- turns. It tells what of the cost of 10,000 idle sockets is theirs, and what any heap as large costs. Argument: ROUNDS
-- (default 7).
--
--   sh scripts/with.sh lua5.4 lua5.4 bench/beside.lua
local IDLE, HEAP = 10000, 11e6 -- sockets, and the bytes of Lua's that they take

local ways = {
  { "nothing" },
  { "10,000 idle sockets", function(dgram)
    local all = {}
    for i = 1, IDLE do
      all[i] = dgram.createSocket("udp4", function() error "nothing was sent here" end)
      all[i]:bind(0, "127.0.0.1")
    end
    return all
  end },
  { "one string of 11 MB", function() return ("x"):rep(HEAP) end },
  { "60,000 tables of 180 bytes", function()
    local all = {}
    for i = 1, HEAP / 180 do all[i] = { i, i, i, i, i, i, i, i } end
    return all
  end },
}
if _VERSION == "Lua 5.4" then
  ways[5] = { '10,000 idle sockets, collectgarbage("generational", 1)', function(dgram)
    collectgarbage("generational", 1)
    return ways[2][2](dgram)
  end }
end

--- One process: ping-pong beside what ways[number] makes.
local function measure(number)
  package.path = (arg[0]:match "^(.*)/" or ".") .. "/peers/?.lua;" .. package.path
  local dgram, uv = require "dgram", require "luv"
  local beside = ways[number][2] and ways[number][2](dgram)
  local is_last, b_port = require "turns"(1000, function() return uv.hrtime() / 1e9 end), nil
  local a, b = dgram.createSocket "udp4", dgram.createSocket "udp4"
  b:on("message", function(msg, rinfo) b:send(msg, rinfo.port, rinfo.address) end)
  a:on("message", function(msg)
    if is_last(msg) then os.exit(beside ~= 0) end -- it is alive until here
    a:send(msg, b_port, "127.0.0.1")
  end)
  a:bind(0, "127.0.0.1")
  b:bind(0, "127.0.0.1", function()
    b_port = b:address().port
    collectgarbage()
    a:send(("x"):rep(64), b_port, "127.0.0.1")
  end)
  dgram.run()
end

if arg[1] == "one" then return measure(tonumber(arg[2])) end

local figures = {}
for round = 1, tonumber(arg[1] or 7) do
  for i in ipairs(ways) do
    local process = assert(io.popen(("%s %s one %d"):format(arg[-1], arg[0], i)))
    local count, seconds = process:read "*a":match "count=(%d+) .* seconds=([%d.]+)"
    process:close()
    figures[i] = figures[i] or {}
    figures[i][round] = seconds / count * 1e6
  end
end
print "us for each round of ping-pong, and to what is beside nothing:"
for i, way in ipairs(ways) do
  table.sort(figures[i])
  local median = figures[i][math.floor(#figures[i] / 2) + 1]
  local alone = figures[1][math.floor(#figures[1] / 2) + 1]
  print(("%6.2f %6.3f  %s"):format(median, median / alone, way[1]))
end
