--- Runs one program of one peer once, and reads what it says: a line `ready port=N` where others have to know its port,
-- and at the end a line of `name=value`.
local machine = require "machine"
local run = {}

--- Sets up where programs run.
-- @param options  bin (folder of the C programs), prefix (command that comes before each: priority, time limit),
--                 loads, measured (CPUs)
function run.configure(options) run.options = options end

local function fields(line)
  local found = {}
  for name, value in (line or ""):gmatch "(%w+)=(%S+)" do found[name] = tonumber(value) or value end
  return found
end

local function open(command, cpu)
  local o = run.options
  return assert(io.popen(("exec %s taskset -c %d %s 2>&1"):format(o.prefix, cpu, command)))
end

local function fill(command, values)
  return (command:gsub("%u+", function(name) return values[name] end))
end

--- Reads on to the line that a program ends with.
-- @return its fields, or nil and what the program said instead
local function result(pipe)
  local said, found = {}, nil
  for line in pipe:lines() do
    if line:find "^count=" then found = fields(line) else said[#said + 1] = line end
  end
  local ended = pipe:close()
  if found and ended then return found end
  return nil, table.concat(said, " "):sub(1, 300)
end

local function start(command, cpu)
  local pipe = open(command, cpu)
  local line = pipe:read "l"
  if line and line:find "^ready" then return pipe, fields(line) end
  local rest = pipe:read "a" or ""
  pipe:close()
  return nil, ((line or "it said nothing") .. " " .. rest):gsub("%s+", " "):sub(1, 300)
end

local function tool(program, port, measure, mode)
  return ("%s/%s %d %d %d %s"):format(run.options.bin, program, port, measure.size, run.options.milliseconds, mode)
end

local roles = {}

--- The measured one receives from load or client; both reports come back.
local function served(driver)
  return function(command, measure)
    local pipe, ready = start(command, run.options.measured)
    if not pipe then return nil, ready end
    local sent, trouble = result(open(tool(driver, ready.port, measure, measure.load), run.options.loads))
    local got, why = result(pipe)
    if not (sent and got) then return nil, trouble or why end
    got.sent, got.buffer = sent.count, ready.buffer
    if driver == "client" then
      got.count, got.seconds, got.lost = sent.count, sent.seconds, sent.lost
    elseif got.bytes ~= got.count * measure.size then
      return nil, ("%d datagrams of %d bytes had %d bytes"):format(got.count, measure.size, got.bytes)
    elseif got.count > sent.count then
      return nil, ("received %d of %d"):format(got.count, sent.count)
    end
    return got
  end
end

roles.receive = served "load"
roles.echo = served "client"

--- The measured one sends to a sink, which counts too.
local function sending(command, measure)
  local sink, ready = start(("%s/receive %d sink"):format(run.options.bin, measure.size), run.options.loads)
  if not sink then return nil, ready end
  local got, why = result(open(fill(command, { PORT = ready.port }), run.options.measured))
  result(open(("%s/load %d 1 0 end"):format(run.options.bin, ready.port), run.options.measured))
  local arrived, trouble = result(sink)
  if not (got and arrived) then return nil, why or trouble end
  got.arrived, got.wrong = arrived.count, arrived.wrong
  if arrived.count > got.count then return nil, ("sent %d, but %d arrived"):format(got.count, arrived.count) end
  if got.bytes ~= got.count * measure.size or arrived.wrong ~= 0 or arrived.bytes ~= arrived.count * measure.size then
    return nil, ("sent %d, of which %d arrived, %d of a wrong size"):format(got.count, arrived.count, arrived.wrong)
  end
  return got
end

for _, role in ipairs { "send", "burst", "fan", "sendmany" } do roles[role] = sending end

local function alone(command) return result(open(command, run.options.measured)) end
for _, role in ipairs { "pingpong", "crowd", "idle" } do roles[role] = alone end

function roles.start(command) return alone(run.options.bin .. "/start " .. command) end

local figures = {}
function figures.rate(got) return got.count / got.seconds end
function figures.cpu(got) return got.cpu / got.count * 1e6 end
function figures.turn(got) return got.seconds / got.count * 1e6 end
function figures.bytes(got) return got.bytes / got.count end
function figures.time(got) return got.seconds / got.count * 1e3 end

--- @return a table of what was counted, with `figure`, `took` (seconds, start and end included) and `waiting` (the share of
-- them in which some program waited for a CPU); or nil and the reason
function run.once(command, measure)
  local o = run.options
  command = fill(command, { BIN = o.bin, SIZE = measure.size, MS = o.milliseconds })
  local before, began = machine.waited(), machine.uptime()
  local got, why = roles[measure.role](command, measure)
  if not got then return nil, why end
  got.took = machine.uptime() - began
  if before and got.took > 0 then got.waiting = (machine.waited() - before) / 1e6 / got.took end
  if got.count == 0 then return nil, "nothing came" end
  got.figure = figures[measure.figure](got)
  -- The share of the time in which the measured program had its CPU: near 1 for one that never waits.
  if got.seconds > 0 and got.cpu and got.cpu > 0 then got.share = got.cpu / got.seconds end
  return got
end

return run
