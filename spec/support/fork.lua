-- SPDX-License-Identifier: MIT
-- fork(2) for programs that specs start.

local c_module = require "spec.support.c_module"

local fork = {}

--- Returns Lua source that makes in_child(fn) -> pid and wait(pid) -> status; or nil and the reason.
function fork.prelude()
  local load_it, reason = c_module.expression "fork"
  if not load_it then return nil, reason end
  return ("local fork = %s local in_child, wait = fork.in_child, fork.wait\n"):format(load_it)
end

return fork
