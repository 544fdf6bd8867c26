--- Tables of the results, as Markdown.
local goals, stats = require "goals", require "stats"
local report = {}

local function shown(figure, value)
  if figure == "rate" then return ("%.3f M/s"):format(value / 1e6) end
  if figure == "bytes" then return ("%.0f B"):format(value) end
  if figure == "time" then return ("%.2f ms"):format(value) end
  return ("%.2f us"):format(value)
end

local function median_of(entry, field)
  local values = {}
  for _, got in ipairs(entry.got) do
    local value = field(got)
    if type(value) == "number" and value == value then values[#values + 1] = value end
  end
  return values[1] and stats.median(values)
end

local function times(entry, other)
  return entry and other and ("%.2f"):format(entry.median / other.median) or ""
end

local function cell(value, format) return value and format:format(value) or "" end

--- One line for each measure: dgram, and its ratio to each of the others' best.
local function summary(out, results, lua)
  local others, mine = {}, nil
  for _, peer in ipairs(results.peers) do
    if peer.name == "dgram" and peer.lua == lua then
      mine = peer
    elseif peer.lua == lua or not peer.lua then
      others[#others + 1] = peer
    end
  end
  if not mine then return end
  local head, rule = { "measure", "dgram" }, { "---", "---:" }
  for _, peer in ipairs(others) do
    head[#head + 1], rule[#rule + 1] = "/ " .. peer.name, "---:"
  end
  out(("## %s: dgram, and its figure divided by the others'\n"):format(lua))
  out "For rates (M/s) above 1 is better, for the rest below 1. Of each peer its best way counts.\n"
  out("| " .. table.concat(head, " | ") .. " |")
  out("| " .. table.concat(rule, " | ") .. " |")
  for _, measure in ipairs(results.measures) do
    local entry = results.best(measure.name, mine)
    if entry then
      local row = { measure.title, shown(measure.figure, entry.median) }
      for _, peer in ipairs(others) do
        row[#row + 1] = times(entry, results.best(measure.against or measure.name, peer))
      end
      out("| " .. table.concat(row, " | ") .. " |")
    end
  end
  out ""
end

local columns = { "who", "on", "median", "spread", "/ luv", "/ C", "CPU us each", "CPU share", "came of sent", "buffer",
  "quiet rounds" }

local function cpu_each(got) return got.cpu and got.cpu > 0 and got.cpu / got.count * 1e6 end
local function share(got) return got.share end
local function came(got) return got.sent and got.count / got.sent or got.arrived and got.arrived / got.count end

local function detail(results, entry)
  local measure, peer = entry.measure, entry.peer
  local against = measure.against or measure.name
  if not entry.median then
    return ("| %s | %s | %s | | | | | | | | |"):format(entry.variant.name, peer.lua or "", entry.failed or "no run")
  end
  local cells = { entry.variant.name, peer.lua or "", shown(measure.figure, entry.median),
    ("%.0f %%"):format(entry.spread * 100), times(entry, results.best_of(against, "luv", peer.lua)),
    times(entry, results.best_of(against, "C")), cell(median_of(entry, cpu_each), "%.3f"),
    cell(median_of(entry, share), "%.2f"), cell(median_of(entry, came), "%.2f"), entry.got[1].buffer or "",
    ("%d of %d"):format(entry.quiet, #entry.got) }
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function details(out, results, measure)
  out(("### %s (`%s`)\n"):format(measure.title, measure.name))
  out("| " .. table.concat(columns, " | ") .. " |")
  out("| --- | ---" .. (" | ---:"):rep(#columns - 2) .. " |")
  for _, entry in ipairs(results.runs) do
    if entry.measure == measure then out(detail(results, entry)) end
  end
  out ""
end

--- What has to be known beside the figures.
local function conditions(out, results)
  local machine, disturbed, runs = results.machine, 0, 0
  for _, entry in ipairs(results.runs) do
    for _, got in ipairs(entry.got) do
      runs = runs + 1
      if got.disturbed then disturbed = disturbed + 1 end
    end
  end
  out(("%s, Linux %s, %d CPUs%s (%s), net.core.rmem_max %d."):format(machine.date, machine.kernel, machine.cpus,
    machine.virtual and " of a virtual machine" or "", machine.cpu or "unknown", machine.rmem_max or 0))
  out(("%d rounds of %d ms. Sender on CPU %d, receiver on CPU %d%s."):format(results.rounds, results.milliseconds,
    results.loads, results.measured, results.siblings and ", two threads of one core" or ""))
  out(("In %d of %d runs other programs wanted the CPUs too.\n"):format(disturbed, runs))
  local names, parts = {}, {}
  for name in pairs(machine.versions) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = name .. ": " .. machine.versions[name] end
  out(table.concat(parts, "; ") .. ".\n")
end

--- @return the whole report as one string
function report.text(results)
  local lines = {}
  local function out(line) lines[#lines + 1] = line end
  out "# Benchmark\n"
  conditions(out, results)
  for lua in results.lua:gmatch "[^,]+" do
    summary(out, results, lua)
    goals.write(out, results, lua)
  end
  out "## Each measure\n"
  out "Spread: half the distance between the quartiles. CPU share: CPU time by elapsed time of the measured program,"
  out "below 1 where it waits. Came of sent: below 1 where the kernel dropped datagrams for want of buffer."
  out "A rate counts what came (receivers), or what was sent."
  out "Quiet rounds: those in which no other program kept anybody waiting for a CPU for more than 5 % of the time;"
  out "where there are three or more of them, only they count.\n"
  for _, measure in ipairs(results.measures) do details(out, results, measure) end
  return table.concat(lines, "\n")
end

return report
