-- SPDX-License-Identifier: MIT
--- Has the collector run in steps, with this pause and this speed (step multiplier), in per cent. Returns a function that
-- sets both back. Lua 5.5 has other names for them, and a step that is large unless one asks for another.
local function set(parameter, value)
  if _VERSION == "Lua 5.5" then return collectgarbage("param", parameter, value) end
  if parameter ~= "stepsize" then return collectgarbage("set" .. parameter, value) end
end

return function(pause, speed)
  local generational = _VERSION >= "Lua 5.4" and collectgarbage "incremental" == "generational"
  local before = { pause = set("pause", pause), stepmul = set("stepmul", speed), stepsize = set("stepsize", 1) }
  return function()
    for parameter, value in pairs(before) do set(parameter, value) end
    if generational then collectgarbage "generational" end
  end
end
