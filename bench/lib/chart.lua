--- Charts as SVG, drawn by gnuplot: for each family of measures one, peers side by side.
local chart = {}

-- Each measure: its name, what stands below its bars, and its figure. `rate`: one divided by it is drawn.
local families = {
  { name = "receive", title = "received from a GSO sender, million datagrams a second (more is better)", rate = true,
    measures = { { "flood-64", "64 bytes", "time" }, { "flood-1200", "1200 bytes", "time" } } },
  { name = "send", title = "sent, million datagrams a second (more is better)", rate = true,
    measures = { { "send-64", "64 bytes, callbacks", "time" }, { "send-1200", "1200 bytes, callbacks", "time" },
      { "burst-64", "64 bytes, none", "time" }, { "fan-64", "64 bytes, 64 peers", "time" } } },
  { name = "echo", title = "echo server, CPU time for each answer, microseconds (less is better)",
    measures = { { "echo-1", "one in flight", "cpu" }, { "echo-64", "64 in flight", "cpu" },
      { "echo-gso", "64, client with GSO", "cpu" }, { "echo-many", "64, 1,000 clients", "cpu" } } },
  { name = "cpu", title = "CPU time for each received datagram, microseconds (less is better)",
    measures = { { "paced-20k", "20,000 a second", "cpu" }, { "paced-100k", "100,000 a second", "cpu" },
      { "paced-sink", "100,000, some answered", "cpu" } } },
  { name = "latency", title = "from send to listener, median, microseconds (less is better)",
    measures = { { "paced-20k", "20,000 a second", "p50" }, { "paced-100k", "100,000 a second", "p50" },
      { "paced-sink", "100,000, some answered", "p50" } } },
}

-- A peer has one colour in all charts of one Lua.
local colours = {
  dgram = "#0b5fa5", moderated = "#6baed6", luv = "#e08214", ["luvit's way"] = "#fdb863", luasocket = "#5aae61",
  cqueues = "#a6dba0", node = "#762a83", bun = "#c2a5cf", asyncio = "#999999",
}

-- What the legend calls them.
local words = {
  dgram = "dgram", batch = "dgram, event batch", busy = "dgram, busyPoll = 50", moderated = "dgram, moderation = 50",
  luv = "luv", least = "smallest binding for luv", ["luvit's way"] = "luv, as luvit uses it", luasocket = "LuaSocket",
  cqueues = "cqueues", node = "Node.js", bun = "Bun", asyncio = "Python's asyncio",
}

--- Rows: one for each measure of the family; columns: peers that have a figure in any of them, but for the C limit,
-- beside which nothing else would be seen.
local function data(family, results)
  local columns, rows = {}, {}
  for _, peer in ipairs(results.peers) do
    local any = false
    for _, measure in ipairs(family.measures) do any = any or results.best(measure[1], peer) ~= nil end
    if any and not peer.name:find "^C" then columns[#columns + 1] = peer end
  end
  for _, measure in ipairs(family.measures) do
    local row = { ('"%s"'):format(measure[2]) }
    for _, peer in ipairs(columns) do
      local entry = results.best(measure[1], peer)
      local value = entry and entry.median[measure[3]]
      row[#row + 1] = value and ("%.6g"):format(family.rate and 1 / value or value) or "-"
    end
    rows[#rows + 1] = table.concat(row, " ")
  end
  return columns, table.concat(rows, "\n")
end

local function draw(path, family, results)
  local columns, rows = data(family, results)
  if #columns == 0 then return false end
  local plots = {}
  local one_lua = not results.lua:find ","
  for i, peer in ipairs(columns) do
    local title = words[peer.name] or peer.name
    if peer.lua and not one_lua then title = title .. ", " .. peer.lua end
    plots[i] = ('$data using %d:xtic(1) title "%s"'):format(i + 1, title)
    if one_lua then plots[i] = plots[i] .. (' lc rgb "%s"'):format(colours[peer.name] or "#444444") end
  end
  local pipe = assert(io.popen("gnuplot", "w"))
  pipe:write(([[
set terminal svg size 900,420 dynamic font "sans-serif,13" background "#ffffff"
set output "%s"
set title "%s"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set grid ytics lc rgb "#dddddd"
set yrange [0:*]
set datafile missing "-"
set key outside right top
set border 3
set tics nomirror
$data << EOD
%s
EOD
plot %s
]]):format(path, family.title, rows, table.concat(plots, ", ")))
  return pipe:close()
end

--- @return the paths of the charts that were drawn
function chart.draw(prefix, results)
  local drawn = {}
  for _, family in ipairs(families) do
    local path = prefix .. "-" .. family.name .. ".svg"
    if draw(path, family, results) then drawn[#drawn + 1] = path end
  end
  return drawn
end

return chart
