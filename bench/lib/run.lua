--- Runs one program of one peer once, and reads what it says: a line `ready port=N` where others have to know its port,
-- and at the end a line of `name=value`.
local machine = require "machine"
local run = {}

--- Sets up where programs run.
-- @param options  bin (folder of the C programs), prefix (command that comes before each: priority, time limit),
--                 milliseconds, loads, measured (CPUs)
function run.configure(options) run.options = options end

local function fields(line, found)
  for name, value in line:gmatch "(%w+)=(%S+)" do found[name] = tonumber(value) or value end
  return found
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function open(command, cpu)
  local o = run.options
  return assert(io.popen(("exec %s %s %s 2>&1"):format(o.prefix, machine.pin(cpu), command)))
end

--- The command of what is measured: with the variables of its peer, its calls of the kernel counted or not.
local function measured(entry, counted)
  local o = run.options
  local values = { BIN = o.bin, SIZE = entry.measure.size, MS = o.milliseconds, PORT = entry.port }
  local words = { "env" }
  for name, value in pairs(entry.peer.env or {}) do words[#words + 1] = quoted(name .. "=" .. value) end
  if counted then words[#words + 1] = quoted("LD_PRELOAD=" .. o.bin .. "/calls.so") end
  words[#words + 1] = entry.command:gsub("%u+", values)
  return table.concat(words, " ")
end

--- Reads on to the end.
-- @return the fields of the lines that a program ends with, or nil and what it said instead
local function result(pipe)
  local said, found = {}, {}
  for line in pipe:lines() do
    if line:find "^count=" or line:find "^calls " then
      fields(line, found)
    else
      said[#said + 1] = line
    end
  end
  local ended = pipe:close()
  if found.count and ended then return found end
  return nil, table.concat(said, " "):sub(1, 300)
end

local function start(command, cpu)
  local pipe = open(command, cpu)
  local line = pipe:read "l"
  if line and line:find "^ready" then return pipe, fields(line, {}) end
  local rest = pipe:read "a" or ""
  pipe:close()
  return nil, ((line or "it said nothing") .. " " .. rest):gsub("%s+", " "):sub(1, 300)
end

local function tool(program, port, measure, mode)
  local o = run.options
  return open(("%s/%s %d %d %d %s"):format(o.bin, program, port, measure.size, o.milliseconds, mode), o.loads)
end

local roles = {}

--- The measured one receives.
function roles.receive(entry)
  local measure = entry.measure
  local pipe, ready = start(measured(entry, true), run.options.measured)
  if not pipe then return nil, ready end
  local sent, trouble = result(tool("load", ready.port, measure, measure.load))
  local got, why = result(pipe)
  if not (sent and got) then return nil, trouble or why end
  got.sent, got.buffer = sent.count, ready.buffer
  if got.bytes ~= got.count * measure.size then
    return nil, ("%d datagrams of %d bytes had %d bytes"):format(got.count, measure.size, got.bytes)
  elseif got.count > sent.count then
    return nil, ("received %d of %d"):format(got.count, sent.count)
  end
  return got
end

--- It receives, and sends something now and then.
roles.sink = roles.receive

--- It answers; the client knows how many answers came, and how late.
function roles.echo(entry)
  local pipe, ready = start(measured(entry, true), run.options.measured)
  if not pipe then return nil, ready end
  local asked, trouble = result(tool("client", ready.port, entry.measure, entry.measure.load))
  local got, why = result(pipe)
  if not (asked and got) then return nil, trouble or why end
  got.served = got.count
  for _, name in ipairs { "count", "seconds", "lost", "p50", "p90", "p99" } do got[name] = asked[name] end
  return got
end

--- It sends to a sink, which counts too.
local function sending(entry)
  local measure, o = entry.measure, run.options
  local sink, ready = start(("%s/receive %d sink"):format(o.bin, measure.size), o.loads)
  if not sink then return nil, ready end
  entry.port = ready.port
  local got, why = result(open(measured(entry, true), o.measured))
  result(open(("%s/load %d 1 0 end"):format(o.bin, ready.port), o.measured))
  local arrived, trouble = result(sink)
  if not (got and arrived) then return nil, why or trouble end
  got.arrived = arrived.count
  if arrived.count > got.count then return nil, ("sent %d, but %d arrived"):format(got.count, arrived.count) end
  if got.bytes ~= got.count * measure.size or arrived.wrong ~= 0 or arrived.bytes ~= arrived.count * measure.size then
    return nil, ("sent %d, of which %d arrived, %d of a wrong size"):format(got.count, arrived.count, arrived.wrong)
  end
  return got
end

for _, role in ipairs { "send", "burst", "fan", "sendmany" } do roles[role] = sending end

function roles.idle(entry) return result(open(measured(entry), run.options.measured)) end

function roles.start(entry)
  local started = setmetatable({ command = "BIN/start " .. entry.command }, { __index = entry })
  return result(open(measured(started), run.options.measured))
end

--- Figures of which less is better; nil where the run does not tell.
local figures = {}
function figures.time(got) return got.seconds / got.count * 1e6 end
function figures.cpu(got) return got.cpu and got.cpu / (got.served or got.count) * 1e6 end
function figures.receives(got) return got.receives and got.receives / (got.served or got.count) end
function figures.calls(got)
  return got.receives and (got.receives + got.sends + got.others) / (got.served or got.count)
end
function figures.bytes(got) return got.bytes and got.bytes / got.count end
function figures.start(got) return got.seconds / got.count * 1e3 end
for _, name in ipairs { "p50", "p90", "p99" } do figures[name] = function(got) return got[name] end end

--- @return a table of what was counted, with `figures`, `took` (seconds, start and end included) and `waiting` (the share of
-- them in which some program waited for a CPU); or nil and the reason
function run.once(entry)
  local before, began = machine.waited(), machine.uptime()
  local got, why = roles[entry.measure.role](entry)
  if not got then return nil, why end
  got.took = machine.uptime() - began
  if before and got.took > 0 then got.waiting = (machine.waited() - before) / 1e6 / got.took end
  if got.count == 0 or got.served == 0 then return nil, "nothing came" end
  got.figures = {}
  for name, figure in pairs(figures) do got.figures[name] = figure(got) end
  -- The share of the time in which the measured program had its CPU: near 1 for one that never waits.
  if got.seconds > 0 and got.cpu and got.cpu > 0 then got.share = got.cpu / got.seconds end
  return got
end

return run
