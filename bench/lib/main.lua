--- The driver of bench/run, which calls it with its options as name=value.
package.path = "bench/lib/?.lua;" .. package.path
local arguments, chart, json, machine = require "arguments", require "chart", require "json", require "machine"
local measures, peers, report = require "measures", require "peers", require "report"
local rounds, run = require "rounds", require "run"

local options = arguments(arg)

local function wanted(peer)
  return not options.peers or ("," .. options.peers .. ","):find("," .. peer.name .. ",", 1, true) ~= nil
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
    if wanted(peer) and available(peer) then
      peer.lua, peer.label = lua, lua and peer.name .. ", " .. lua or peer.name
      all[#all + 1] = peer
    end
  end
  for lua in options.lua:gmatch "[^,]+" do
    for _, peer in ipairs(peers.on_lua(lua)) do add(peer, lua) end
  end
  add(peers.on_node("node", options.node, "--expose-gc"))
  add(peers.on_node("bun", options.bun, nil))
  local python = machine.python()
  if python then add(peers.on_python(python)) end
  add(peers.limits())
  add(peers.long_trains())
  return all
end

local function collect(plan, all)
  local results = { runs = {}, peers = all, measures = {}, lua = options.lua, rounds = options.rounds,
    milliseconds = options.milliseconds, machine = machine.describe(options) }
  for _, each in ipairs(plan) do
    results.measures[#results.measures + 1] = each[1] and each[1].measure
    for _, entry in ipairs(each) do results.runs[#results.runs + 1] = entry end
  end

  --- The best variant of a peer for a measure, by its first figure.
  function results.best(measure, peer)
    local found
    for _, entry in ipairs(results.runs) do
      local figure = entry.measure.figures[1]
      local median = entry.median[figure]
      if entry.measure.name == measure and entry.peer == peer and median and
        (not found or median < found.median[figure]) then
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

local kept = { "count", "seconds", "cpu", "p50", "p90", "p99", "receives", "sends", "others", "sent", "arrived",
  "served", "lost", "buffer", "disturbed" }

local function rounds_of(entry)
  local all = {}
  for i, got in ipairs(entry.got) do
    all[i] = {}
    for _, name in ipairs(kept) do all[i][name] = got[name] end
  end
  return all
end

local function as_json(results)
  local runs = {}
  for i, entry in ipairs(results.runs) do
    runs[i] = { measure = entry.measure.name, peer = entry.peer.name,
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
local all = everybody()
local plan = rounds.plan(measures, all, options.only)
local began = os.time()
rounds.run(plan, options)
local results = collect(plan, all)
results.loads, results.measured, results.siblings = loads, measured, siblings
local text = report.text(results)
print(text)
print(("%d seconds"):format(os.time() - began))
if options.save then save(results, text) end
