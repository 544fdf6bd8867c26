-- SPDX-License-Identifier: MIT
--- Runs a function when garbage is next collected. A table has no finalizer in Lua 5.1.
return function(fn)
  if rawget(_G, "newproxy") then
    getmetatable(newproxy(true)).__gc = fn -- luacheck: ignore
  else
    setmetatable({}, { __gc = fn })
  end
end
