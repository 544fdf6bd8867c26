--- What dgram is meant to reach: ratios to others within one run. For rates at least so much, for the rest at most.
local goals = {}

--- `lua`: the best Lua peer but luv. `itself`: dgram's own figure for another measure. `limit`: an absolute figure.
local list = {
  { "receive-gso-64", luv = 6, node = 10, lua = 3.5, C = 0.15 },
  { "receive-gso-1200", luv = 3.5, node = 6, lua = 2.2, C = 0.3 },
  { "receive-paced", luv = 0.68, node = 0.5, luasocket = 1 },
  { "receive-plain", luv = 0.8 },
  { "send-64", luv = 11, node = 14 },
  { "send-1200", luv = 6.5 },
  { "burst-64", luv = 14, C = 0.25 },
  { "sendmany-64", luv = 20, C = 0.35 },
  { "fan-64", luv = 1.1 },
  { "pingpong", luv = 0.75, node = 0.5 },
  { "crowd", itself = 1.05, of = "pingpong" },
  { "echo-gso", luv = 2, node = 4 },
  { "idle", limit = 1536 },
  { "start", luv = 1.35 },
}

local others = { "luv", "lua", "luasocket", "node", "C", "itself", "limit" }

local function measure_named(results, name)
  for _, measure in ipairs(results.measures) do
    if measure.name == name then return measure end
  end
end

--- What the figure of dgram is divided by.
local function divisor(results, goal, measure, other, lua)
  local name = measure.against or measure.name
  local function figure(peer, on, of)
    local entry = results.best_of(of or name, peer, on)
    return entry and entry.median
  end
  if other == "limit" then return 1 end
  if other == "itself" then return figure("dgram", lua, goal.of) end
  if other == "C" or other == "node" then return figure(other) end
  if other ~= "lua" then return figure(other, lua) end
  local a, b = figure("luasocket", lua), figure("cqueues", lua)
  if not (a and b) then return a or b end
  return (measure.figure == "rate" and math.max or math.min)(a, b)
end

local names = { lua = "best other Lua peer", itself = "itself without them", limit = "limit" }

--- Writes a table of the goals for which there are figures.
function goals.write(out, results, lua)
  out(("## %s: goals\n"):format(lua))
  out "| measure | divided by | goal | reached | |"
  out "| --- | --- | ---: | ---: | --- |"
  for _, goal in ipairs(list) do
    local measure = measure_named(results, goal[1])
    local entry = measure and results.best_of(measure.name, "dgram", lua)
    for _, other in ipairs(others) do
      local by = goal[other] and entry and divisor(results, goal, measure, other, lua)
      if by then
        local reached, rate = entry.median / by, measure.figure == "rate"
        local good = rate and reached >= goal[other] or not rate and reached <= goal[other]
        out(("| %s | %s | %s %g | %.4g | %s |"):format(measure.title, names[other] or other,
          rate and "at least" or "at most", goal[other], reached, good and "yes" or "**no**"))
      end
    end
  end
  out ""
end

return goals
