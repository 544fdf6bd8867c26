--- The benchmark's driver: bench/run calls it with its options as name=value.
package.path = "bench/lib/?.lua;" .. package.path
local chart, json, machine, measures, peers = require "chart", require "json", require "machine", require "measures",
  require "peers"
local report, run, stats = require "report", require "run", require "stats"

local MOST_WAITING = 0.05 -- of the time: above it somebody else used the CPUs
local QUIET = 0.9 -- of the CPUs' time is idle
local ENOUGH_QUIET = 3
local MOST_TRIES = 3 -- for one round: a peer with threads of its own disturbs itself

local options = {}
for _, text in ipairs(arg) do
  local name, value = text:match "^([%w_]+)=(.*)$"
  if value ~= "" then options[name] = tonumber(value) or value end
end

local function listed(list, wanted)
  if not list then return true end
  for name in list:gmatch "[^,]+" do
    if wanted(name) then return true end
  end
  return false
end

local function available(peer)
  if not peer.needs then return true end
  local command, module = table.unpack(peer.needs)
  if not machine.has(command) then return false end
  return not module or os.execute(([[%s -e 'require "%s"' >/dev/null 2>&1]]):format(command, module)) == true
end

--- All who take part.
local function everybody()
  local all = {}
  local function add(peer, lua)
    if listed(options.peers, function(name) return name == peer.name end) and available(peer) then
      peer.lua, peer.label = lua, lua and peer.name .. ", " .. lua or peer.name
      all[#all + 1] = peer
    end
  end
  for lua in options.lua:gmatch "[^,]+" do
    for _, peer in ipairs(peers.on_lua(lua)) do add(peer, lua) end
  end
  add(peers.on_node("node", "node", "--expose-gc"))
  add(peers.on_node("bun", options.bun, nil))
  local python = machine.python()
  if python then add(peers.on_python(python)) end
  add(peers.limits())
  add(peers.long_trains())
  return all
end

--- All runs of one measure.
local function entries(measure, all)
  local found = {}
  for _, peer in ipairs(all) do
    for _, variant in ipairs(peer.variants) do
      local command = variant[measure.role]
      if command then
        found[#found + 1] = { measure = measure, peer = peer, variant = variant, command = command, got = {} }
      end
    end
  end
  return found
end

local patience -- seconds left for repeating what others disturbed, and for waiting until they do no more

local function wait_for_quiet()
  while patience > 0 and machine.idle(0.25) < QUIET do patience = patience - 0.25 end
end

local function one(entry)
  local got, why
  local tries = 0
  repeat
    tries = tries + 1
    got, why = run.once(entry.command, entry.measure)
    if not got then
      entry.failed = why
      return
    end
    got.disturbed = got.waiting ~= nil and got.waiting > MOST_WAITING
    if got.disturbed then
      patience = patience - got.took
      wait_for_quiet()
    end
  until not got.disturbed or patience <= 0 or tries == MOST_TRIES
  entry.got[#entry.got + 1] = got
end

--- The figures that count: of the undisturbed rounds, if there are enough of them.
local function settle(entry)
  local quiet, any = {}, {}
  for _, got in ipairs(entry.got) do
    any[#any + 1] = got.figure
    if not got.disturbed then quiet[#quiet + 1] = got.figure end
  end
  entry.quiet = #quiet
  entry.figures = #quiet >= ENOUGH_QUIET and quiet or any
  if entry.figures[1] then
    entry.median, entry.spread = stats.median(entry.figures), stats.spread(entry.figures)
  end
end

local function progress(text)
  if options.terminal then
    io.stderr:write(text)
    io.stderr:flush()
  end
end

--- The plan's measures, with those that a peer is compared with itself in beside each other: its runs follow each other.
local function grouped(plan)
  local groups = {}
  for _, each in ipairs(plan) do
    local measure, last = each[1] and each[1].measure, groups[#groups]
    if measure and measure.beside and last and last.name == measure.beside then
      local runs = {}
      for _, entry in ipairs(last) do
        runs[#runs + 1] = entry
        for _, other in ipairs(each) do
          if other.variant == entry.variant then runs[#runs + 1] = other end
        end
      end
      runs.name = last.name
      groups[#groups] = runs
    else
      groups[#groups + 1] = { name = measure and measure.name, table.unpack(each) }
    end
  end
  return groups
end

--- Round by round: what is compared was measured within the same seconds.
local function measure_all(plan)
  local at, total = 0, 0
  for _, each in ipairs(plan) do total = total + #each * options.rounds end
  for _, each in ipairs(grouped(plan)) do
    for round = 1, options.rounds do
      for _, entry in ipairs(each) do
        at = at + 1
        progress(("\r[%3d/%d] %-70s"):format(at, total,
          ("%s: %s, round %d"):format(entry.measure.name, entry.peer.label, round)))
        if not entry.failed then one(entry) end
      end
    end
  end
  progress "\r\27[K"
end

local function better(entry, other)
  if not other then return true end
  if entry.measure.figure == "rate" then return entry.median > other.median end
  return entry.median < other.median
end

local function collect(plan, all)
  local results = { runs = {}, peers = all, measures = {}, lua = options.lua, rounds = options.rounds,
    milliseconds = options.milliseconds, machine = machine.describe(options) }
  for _, each in ipairs(plan) do
    results.measures[#results.measures + 1] = each[1] and each[1].measure
    for _, entry in ipairs(each) do
      settle(entry)
      results.runs[#results.runs + 1] = entry
    end
  end

  --- The best variant of a peer for a measure.
  function results.best(measure, peer)
    local found
    for _, entry in ipairs(results.runs) do
      if entry.measure.name == measure and entry.peer == peer and entry.median and better(entry, found) then
        found = entry
      end
    end
    return found
  end

  function results.best_of(measure, name, lua)
    for _, peer in ipairs(all) do
      if peer.name == name and peer.lua == lua then return results.best(measure, peer) end
    end
  end

  return results
end

local kept = { "figure", "count", "seconds", "cpu", "sent", "arrived", "lost", "buffer", "disturbed" }

local function rounds_of(entry)
  local rounds = {}
  for i, got in ipairs(entry.got) do
    rounds[i] = {}
    for _, name in ipairs(kept) do rounds[i][name] = got[name] end
  end
  return rounds
end

local function as_json(results)
  local runs = {}
  for i, entry in ipairs(results.runs) do
    runs[i] = { measure = entry.measure.name, figure = entry.measure.figure, peer = entry.peer.name,
      variant = entry.variant.name, lua = entry.peer.lua, median = entry.median, spread = entry.spread,
      quiet = entry.quiet, failed = entry.failed, rounds = rounds_of(entry) }
  end
  return json.encode { machine = results.machine, rounds = results.rounds, milliseconds = results.milliseconds,
    loads = results.loads, measured = results.measured, siblings = results.siblings, runs = runs }
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  print("written: " .. path)
end

local function save(results, text)
  os.execute "mkdir -p bench/results"
  local prefix = ("bench/results/%s-%s-%s"):format(results.machine.date, results.machine.kernel,
    results.lua:gsub(",", "+"))
  write(prefix .. ".json", as_json(results))
  write(prefix .. ".md", text)
  if not machine.has "gnuplot" then
    print "no charts: gnuplot is missing (Debian: gnuplot-nox)"
    return
  end
  for _, path in ipairs(chart.draw(prefix, results)) do print("written: " .. path) end
end

local loads, measured, siblings = machine.cpus()
run.configure { bin = options.bin, prefix = options.prefix, milliseconds = options.milliseconds, loads = loads,
  measured = measured }
patience = options.patience or 0

local all, plan = everybody(), {}
for _, measure in ipairs(measures) do
  local wanted = listed(options.only, function(name) return measure.name:find(name, 1, true) == 1 end)
  local each = wanted and entries(measure, all) or {}
  if each[1] then plan[#plan + 1] = each end
end
if #plan == 0 then
  local names = {}
  for i, measure in ipairs(measures) do names[i] = measure.name end
  io.stderr:write("nothing to measure: no measure that somebody can take part in begins so. They are: ",
    table.concat(names, ", "), "\n")
  os.exit(1)
end
local began = os.time()
measure_all(plan)
local results = collect(plan, all)
results.loads, results.measured, results.siblings = loads, measured, siblings
local text = report.text(results)
print(text)
print(("%d seconds"):format(os.time() - began))
if options.save then save(results, text) end
