--- The driver of bench/compare, which calls it with its options as name=value and the builds after them:
-- `build=LABEL|FOLDER|LUA|OPTIONS`.
package.path = "bench/lib/?.lua;" .. package.path
local arguments, machine, measures, peers = require "arguments", require "machine", require "measures", require "peers"
local rounds, run, stats = require "rounds", require "run", require "stats"

local options, builds = arguments(arg)

--- The ratios of two runs' figures, round by round, of the undisturbed rounds, if there are enough of them.
local function ratios(entry, other, figure)
  local pairs_of, quiet = {}, {}
  for round, got in ipairs(entry.got) do
    local beside = other.got[round]
    local a, b = got.figures[figure], beside and beside.figures[figure]
    if a and b and b > 0 then
      pairs_of[#pairs_of + 1] = a / b
      if not got.disturbed and not beside.disturbed then quiet[#quiet + 1] = a / b end
    end
  end
  return #quiet >= 3 and quiet or pairs_of
end

local function row(name, figure, each)
  local cells = { name, figure }
  for i, entry in ipairs(each) do
    cells[#cells + 1] = entry.median[figure] and ("%.3f"):format(entry.median[figure]) or ""
    if i > 1 then
      local list = ratios(entry, each[1], figure)
      cells[#cells + 1] = list[1] and ("%.3f"):format(stats.median(list)) or ""
      cells[#cells + 1] = list[1] and ("%.1f %%"):format(stats.spread(list) * 100) or ""
    end
  end
  print("| " .. table.concat(cells, " | ") .. " |")
end

local function report(plan, contenders)
  local head = { "measure", "figure", contenders[1].label }
  for i = 2, #contenders do
    for _, text in ipairs { contenders[i].label, "/ first", "spread" } do head[#head + 1] = text end
  end
  print("| " .. table.concat(head, " | ") .. " |")
  print("| --- | ---" .. (" | ---:"):rep(#head - 2) .. " |")
  for _, each in ipairs(plan) do
    local shown = { table.unpack(each[1].measure.figures) }
    for _, name in ipairs { "receives", "calls" } do shown[#shown + 1] = name end
    for _, figure in ipairs(shown) do
      if each[1].median[figure] then row(each[1].measure.name, figure, each) end
    end
  end
end

local contenders = {}
for i, build in ipairs(builds) do contenders[i] = peers.build(table.unpack(build)) end
local loads, measured = machine.cpus()
run.configure { bin = options.bin, prefix = options.prefix, milliseconds = options.milliseconds, loads = loads,
  measured = measured }
local plan = rounds.plan(measures, contenders, options.only)
local began = os.time()
rounds.run(plan, options)
report(plan, contenders)
for _, each in ipairs(plan) do
  for _, entry in ipairs(each) do
    if entry.failed then print(("%s, %s failed: %s"):format(entry.measure.name, entry.peer.label, entry.failed)) end
  end
end
local quiet, all = 0, 0
for _, each in ipairs(plan) do
  for _, entry in ipairs(each) do quiet, all = quiet + entry.quiet, all + options.rounds end
end
print(("%d rounds of %d ms, %d seconds; %d of %d runs were not disturbed by other programs."):format(options.rounds,
  options.milliseconds, os.time() - began, quiet, all))
