--- Charts as SVG, drawn by gnuplot: for each family of measures one, peers side by side.
local chart = {}

local families = {
  { name = "receive", title = "received from a GSO sender, million datagrams a second (more is better)", scale = 1e-6,
    measures = { "receive-gso-64", "receive-gso-1200" } },
  { name = "cpu", title = "CPU time for each received datagram, microseconds (less is better)", scale = 1,
    measures = { "receive-paced", "receive-plain" } },
  { name = "send", title = "sent, million datagrams a second (more is better)", scale = 1e-6,
    measures = { "send-64", "send-1200", "burst-64", "fan-64" } },
  { name = "turn", title = "ping-pong, microseconds a round (less is better)", scale = 1,
    measures = { "pingpong", "crowd" } },
  { name = "echo", title = "echo server, million answers a second (more is better)", scale = 1e-6,
    measures = { "echo-gso", "echo-mmsg" } },
}

--- Rows: one for each measure of the family; columns: peers that have a figure in any of them, but for the C limit,
-- beside which nothing else would be seen.
local function data(family, results)
  local columns, rows = {}, {}
  for _, peer in ipairs(results.peers) do
    local any = false
    for _, name in ipairs(family.measures) do any = any or results.best(name, peer) ~= nil end
    if any and peer.name ~= "C" then columns[#columns + 1] = peer end
  end
  for _, name in ipairs(family.measures) do
    local row = { '"' .. name .. '"' }
    for _, peer in ipairs(columns) do
      local entry = results.best(name, peer)
      row[#row + 1] = entry and ("%.6g"):format(entry.median * family.scale) or "-"
    end
    rows[#rows + 1] = table.concat(row, " ")
  end
  return columns, table.concat(rows, "\n")
end

local function draw(path, family, results)
  local columns, rows = data(family, results)
  if #columns == 0 then return false end
  local plots = {}
  for i, peer in ipairs(columns) do
    plots[i] = ('$data using %d:xtic(1) title "%s"'):format(i + 1, peer.label)
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
