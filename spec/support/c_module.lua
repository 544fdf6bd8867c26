-- SPDX-License-Identifier: MIT
-- C modules for programs that specs start, built for the Lua that runs the specs.

local can = require "spec.support.can"
local child = require "spec.support.child"
local unix = require "spec.support.unix"

local c_module = {}

--- Builds spec/support/NAME.c. Returns Lua source, an expression, that loads it; or nil and the reason.
function c_module.expression(name)
  local source = ("spec/support/%s.c"):format(name)
  if not io.open(source) then return nil, "not run from the top of the source" end
  for _, program in ipairs { "cc", "pkg-config" } do
    local found, reason = can.program(program)
    if not found then return nil, reason end
  end
  local lua = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d%.%d"
  local flags = child.start(can.program "pkg-config", { "--cflags", lua }):wait()
  if flags.status ~= 0 then return nil, "no headers of " .. lua end
  local module = unix.path(name .. ".so")
  local command = ("cc -shared -fPIC -w %s %s -o %s"):format(flags.out:gsub("%s+", " "), source, module)
  local built = child.start("/bin/sh", { "-c", command }):wait(60)
  assert(built.status == 0, built.err)
  return ("assert(package.loadlib(%q, 'luaopen_spec_%s'))()"):format(module, name)
end

return c_module
