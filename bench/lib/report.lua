--- Tables of the results, as Markdown.
local goals, stats = require "goals", require "stats"
local report = {}

local units = { bytes = "%.0f B", start = "%.2f ms" }

local function shown(figure, value) return (units[figure] or "%.2f us"):format(value) end

local function median_of(entry, field)
  local values = {}
  for _, got in ipairs(entry.got) do
    local value = field(got)
    if type(value) == "number" and value == value then values[#values + 1] = value end
  end
  return values[1] and stats.median(values)
end

local function times(entry, other, figure)
  local a, b = entry and entry.median[figure], other and other.median[figure]
  return a and b and ("%.2f"):format(a / b) or ""
end

local function cell(value, format) return value and format:format(value) or "" end

--- One line for each figure of each measure: dgram, and its ratio to each of the others' best way.
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
  local head, rule = { "measure", "figure", "dgram" }, { "---", "---", "---:" }
  for _, peer in ipairs(others) do
    head[#head + 1], rule[#rule + 1] = "/ " .. peer.name, "---:"
  end
  out(("## %s: dgram, and its figure divided by the others'\n"):format(lua))
  out "Below 1 is better. Of each peer its best way counts, by the first figure.\n"
  out("| " .. table.concat(head, " | ") .. " |")
  out("| " .. table.concat(rule, " | ") .. " |")
  for _, measure in ipairs(results.measures) do
    local entry = results.best(measure.name, mine)
    for i, figure in ipairs(entry and measure.figures or {}) do
      local row = { i == 1 and measure.title or "", figure, shown(figure, entry.median[figure]) }
      for _, peer in ipairs(others) do
        row[#row + 1] = times(entry, results.best(measure.against or measure.name, peer), figure)
      end
      out("| " .. table.concat(row, " | ") .. " |")
    end
  end
  out ""
end

local columns = { "who", "on", "figures", "spread", "/ luv", "/ C", "CPU us each", "CPU share", "receive calls each",
  "calls each", "came of sent", "buffer", "quiet rounds" }

local function share(got) return got.share end
local function came(got) return got.sent and got.count / got.sent or got.arrived and got.arrived / got.count end

local function detail(results, entry)
  local measure, peer, first = entry.measure, entry.peer, entry.measure.figures[1]
  local against = measure.against or measure.name
  if not entry.median[first] then
    return ("| %s | %s | %s |%s"):format(entry.variant.name, peer.lua or "", entry.failed or "no run",
      " |"):rep(#columns - 3)
  end
  local figures = {}
  for i, figure in ipairs(measure.figures) do
    local median = entry.median[figure]
    figures[i] = figure .. " " .. (median and shown(figure, median) or "unknown")
  end
  local cells = { entry.variant.name, peer.lua or "", table.concat(figures, ", "),
    ("%.0f %%"):format(entry.spread[first] * 100), times(entry, results.best_of(against, "luv", peer.lua), first),
    times(entry, results.best_of(against, "C"), first), cell(entry.median.cpu, "%.3f"),
    cell(median_of(entry, share), "%.2f"), cell(entry.median.receives, "%.3f"), cell(entry.median.calls, "%.3f"),
    cell(median_of(entry, came), "%.2f"), entry.got[1].buffer or "", ("%d of %d"):format(entry.quiet, results.rounds) }
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
  out "Times for each datagram count what came (receivers), what was sent, or what was answered. Spread and ratios are"
  out "the first figure's. Calls are those of the kernel that send, receive, wait and watch."
  out "Quiet rounds: those in which no other program kept anybody waiting for a CPU for more than 5 % of the time;"
  out "where there are three or more of them, only they count.\n"
  for _, measure in ipairs(results.measures) do details(out, results, measure) end
  return table.concat(lines, "\n")
end

return report
