-- SPDX-License-Identifier: MIT
-- What lies beside a program's two busy sockets: microseconds for each round of ping-pong between them, in processes that take
-- turns. It tells what of the cost of 10,000 idle sockets is theirs, and what any heap as large costs. Argument: ROUNDS
-- (default 7).
--
--   sh scripts/with.sh lua5.4 lua5.4 bench/beside.lua
local IDLE, HEAP = 10000, 11e6 -- sockets, and the bytes of Lua's that they take

local function often() collectgarbage("generational", 1) end

-- Each way: name, how many idle sockets, what else is made before.
local ways = {
  { "nothing", 0 },
  { "10,000 idle sockets", IDLE },
  { "one string of 11 MB", 0, function() return ("x"):rep(HEAP) end },
  { "60,000 tables of 180 bytes", 0, function()
    local all = {}
    for i = 1, HEAP / 180 do all[i] = { i, i, i, i, i, i, i, i } end
    return all
  end },
}
if _VERSION == "Lua 5.4" then ways[5] = { '10,000 idle sockets, collectgarbage("generational", 1)', IDLE, often } end

--- One process: the benchmark's ping-pong, 64 bytes for a second, beside what ways[number] makes.
local function measure(number)
  local beside = ways[number][3] and ways[number][3]()
  local program = (arg[0]:match "^(.*)/" or ".") .. "/peers/dgram/pingpong.lua"
  arg = { [0] = program, "64", "1000", ways[number][2] } -- luacheck: ignore
  dofile(program)
  return beside -- which is alive until here
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
