-- SPDX-License-Identifier: MIT
-- fork(2) for programs that specs start: a C module, built for the Lua that runs the specs.

local can = require "spec.support.can"
local child = require "spec.support.child"
local unix = require "spec.support.unix"

local fork = {}

local source = "spec/support/fork.c"

--- Builds the module. Returns Lua source that makes in_child(fn) -> pid and wait(pid) -> status; or nil and the reason.
function fork.prelude()
  if not io.open(source) then return nil, "not run from the top of the source" end
  for _, program in ipairs { "cc", "pkg-config" } do
    local found, reason = can.program(program)
    if not found then return nil, reason end
  end
  local name = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d%.%d"
  local flags = child.start(can.program "pkg-config", { "--cflags", name }):wait()
  if flags.status ~= 0 then return nil, "no headers of " .. name end
  local module = unix.path "fork.so"
  local command = ("cc -shared -fPIC -w %s %s -o %s"):format(flags.out:gsub("%s+", " "), source, module)
  local built = child.start("/bin/sh", { "-c", command }):wait(60)
  assert(built.status == 0, built.err)
  return ([[
    local fork = assert(package.loadlib(%q, 'luaopen_spec_fork'))()
    local in_child, wait = fork.in_child, fork.wait
  ]]):format(module)
end

return fork
