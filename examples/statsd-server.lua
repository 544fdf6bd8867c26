-- A statsd server: programs send it what they count and measure, and it prints a report about all of that.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/statsd-server.lua [PORT] [ADDRESS] [SECONDS]
--
-- It listens on PORT (8125) of ADDRESS (127.0.0.1). A report comes every SECONDS (10; 0 for never), on SIGUSR1, and at the end,
-- on Ctrl-C. Each is about the time since the one before; gauges keep their value. Send it something with:
--   printf 'logins:1|c\nload:0.7|g\nanswer:12.5|ms\nusers:ann|s\n' | socat - UDP:127.0.0.1:8125
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local most_names, most_members = 10000, 10000 -- anybody may send anything; what is above is counted as bad
local kinds = { c = "counter", g = "gauge", ms = "timer", h = "timer", s = "set" }
local metrics, names = {}, 0                  -- "kind name" -> what is known of it
local lines, bad, since = 0, 0, uv.hrtime()

local apply = {}

function apply.counter(metric, value, rate)
  metric.sum = (metric.sum or 0) + tonumber(value) / rate
end

--- "+5" and "-5" change a gauge, "5" sets it.
function apply.gauge(metric, value)
  metric.value = (value:find "^[+-]" and metric.value or 0) + tonumber(value)
end

function apply.timer(metric, value, rate)
  local number = tonumber(value)
  metric.times = (metric.times or 0) + 1 / rate
  metric.sum = (metric.sum or 0) + number / rate
  metric.min = math.min(metric.min or number, number)
  metric.max = math.max(metric.max or number, number)
end

function apply.set(metric, value)
  metric.members, metric.size = metric.members or {}, metric.size or 0
  if metric.members[value] or metric.size == most_members then return end
  metric.members[value], metric.size = true, metric.size + 1
end

--- Takes a line, "name:value|kind", with "|@0.1" behind it where the sender counts each tenth event only. Tags are left
-- out. Returns whether it is a line of that kind.
local function take(line)
  local name, value, letters, rest = line:match "^([%w_./-]+):([^|%c]+)|(%l+)(.*)$"
  local kind = kinds[letters]
  local rate = rest and (rest == "" or rest:find "^|[^@]") and 1 or tonumber(rest and rest:match "^|@([%d.]+)")
  local numeric = value and value:match "^[+-]?%d+%.?%d*$" and #value < 20
  if not kind or not (numeric or kind == "set") or not rate or rate <= 0 or rate > 1 then return false end
  local key = kind .. " " .. name
  if not metrics[key] then
    if names == most_names then return false end
    metrics[key], names = {}, names + 1
  end
  apply[kind](metrics[key], value, rate)
  return true
end

local function shown(number)
  return ((number % 1 == 0 and "%.0f" or "%.3f"):format(number))
end

local show = {}

function show.counter(metric, seconds)
  return ("%s, %.2f a second"):format(shown(metric.sum), metric.sum / seconds)
end

function show.gauge(metric)
  return shown(metric.value)
end

function show.timer(metric)
  return ("count %s, %s to %s, mean %s"):format(shown(metric.times), shown(metric.min), shown(metric.max),
    shown(metric.sum / metric.times))
end

function show.set(metric)
  return program.counted(metric.size, "member")
end

local function report()
  local seconds, keys = (uv.hrtime() - since) / 1e9, {}
  for key in pairs(metrics) do keys[#keys + 1] = key end
  table.sort(keys)
  print(("-- %s, %d of them bad, in %.1f s"):format(program.counted(lines, "line"), bad, seconds))
  for _, key in ipairs(keys) do
    local kind, name = key:match "^(%l+) (.*)$"
    print(("%-8s %-30s %s"):format(kind, name, show[kind](metrics[key], seconds)))
    if kind ~= "gauge" then metrics[key], names = nil, names - 1 end
  end
  lines, bad, since = 0, 0, uv.hrtime()
end

local port, address, seconds = program.words("[PORT] [ADDRESS] [SECONDS]", 0, 3)
port = program.port(port, 8125)
address = program.address(address, "127.0.0.1")
seconds = program.number(seconds, 10, 0, 86400, "SECONDS")

local server = dgram.createSocket(program.kind_of(address), function(msg)
  for line in msg:gmatch "[^\n]+" do
    lines = lines + 1
    if not take(line) then bad = bad + 1 end
  end
end)
server:on("error", program.on_error)
server:bind(port, address, function() program.say_listening(server) end)

local timer, asked = uv.new_timer(), uv.new_signal()
if seconds > 0 then timer:start(seconds * 1000, seconds * 1000, report) end
asked:start("sigusr1", report)

program.on_interrupt(function()
  for _, each in ipairs { timer, asked, server } do each:close() end
  report()
end)
dgram.run()
