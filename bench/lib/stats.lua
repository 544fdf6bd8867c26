--- Medians and spreads.
local stats = {}

local function sorted(list)
  local copy = { table.unpack(list) }
  table.sort(copy)
  return copy
end

--- The value below which the share `q` of the list lies, between the two nearest.
function stats.quantile(list, q)
  local all = sorted(list)
  local at = 1 + (#all - 1) * q
  local below = math.floor(at)
  local above = math.min(below + 1, #all)
  return all[below] + (all[above] - all[below]) * (at - below)
end

function stats.median(list) return stats.quantile(list, 0.5) end

--- Half the distance between the quartiles, as a share of the median.
function stats.spread(list)
  local middle = stats.median(list)
  if middle == 0 then return 0 end
  return (stats.quantile(list, 0.75) - stats.quantile(list, 0.25)) / 2 / math.abs(middle)
end

return stats
