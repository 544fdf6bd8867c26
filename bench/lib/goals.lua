--- What dgram is meant to reach: ratios to others within one run, at most so much.
local goals = {}

--- `peer`: whose figure it is, dgram's unless given. `figure`: another one than the measure's first. `lua`: the best Lua peer but
-- luv. `limit`: an absolute figure.
local list = {
  { "echo-1", luv = 1, luasocket = 1.1, node = 0.65 },
  { "echo-1", figure = "p50", luv = 1.03 },
  { "echo-64", luv = 0.55, luasocket = 0.7, node = 0.17 },
  { "echo-gso", luv = 0.3, luasocket = 0.3, node = 0.08 },
  { "echo-many", luv = 0.8, luasocket = 1, node = 0.25 },
  { "paced-20k", luv = 1 },
  { "paced-20k", figure = "p50", luv = 1.05 },
  { "paced-100k", luv = 1, node = 0.7 },
  { "paced-100k", figure = "p50", luv = 1.05 },
  { "paced-sink", luv = 1, node = 0.7 },
  { "flood-64", luv = 0.18, node = 0.12, lua = 0.3, C = 8 },
  { "flood-1200", luv = 0.32, node = 0.2, lua = 0.45, C = 4 },
  { "flood-64", peer = "batch", dgram = 1 / 1.8, C = 1 / 0.3 },
  { "flood-1200", peer = "batch", C = 1 / 0.3 },
  { "echo-1", peer = "busy", figure = "time", luv = 0.75 },
  { "send-64", luv = 0.1, node = 0.08 },
  { "send-1200", luv = 0.18 },
  { "burst-64", luv = 0.07, C = 4 },
  { "sendmany-64", luv = 0.05, C = 3 },
  { "fan-64", luv = 0.95 },
  { "idle", limit = 1536 },
  { "start", luv = 1.35 },
}

local others = { "dgram", "luv", "lua", "luasocket", "node", "C", "limit" }

local function measure_named(results, name)
  for _, measure in ipairs(results.measures) do
    if measure.name == name then return measure end
  end
end

--- What the figure of dgram is divided by.
local function divisor(results, goal, measure, other, lua)
  local name = goal.figure or measure.figures[1]
  local function figure(peer, on)
    local entry = results.best_of(measure.against or measure.name, peer, on)
    return entry and entry.median[name]
  end
  if other == "limit" then return 1 end
  if other == "C" or other == "node" then return figure(other) end
  if other ~= "lua" then return figure(other, lua) end
  local a, b = figure("luasocket", lua), figure("cqueues", lua)
  if not (a and b) then return a or b end
  return math.min(a, b)
end

local names = { lua = "best other Lua peer", limit = "limit" }

--- Writes a table of the goals for which there are figures.
function goals.write(out, results, lua)
  out(("## %s: goals\n"):format(lua))
  out "| measure | figure | divided by | at most | reached | |"
  out "| --- | --- | --- | ---: | ---: | --- |"
  for _, goal in ipairs(list) do
    local measure = measure_named(results, goal[1])
    local entry = measure and results.best_of(measure.name, goal.peer or "dgram", lua)
    local title = measure and measure.title .. (goal.peer and ", " .. goal.peer or "")
    for _, other in ipairs(others) do
      local by = goal[other] and entry and divisor(results, goal, measure, other, lua)
      if by then
        local figure = goal.figure or measure.figures[1]
        local reached = entry.median[figure] / by
        out(("| %s | %s | %s | %.3g | %.4g | %s |"):format(title, figure, names[other] or other, goal[other],
          reached, reached <= goal[other] and "yes" or "**no**"))
      end
    end
  end
  out ""
end

return goals
