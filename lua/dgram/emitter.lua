--- dgram.EventEmitter: a bare emitter, with the methods that sockets have.
local check = require("dgram.core").check

local Emitter = { __name = "dgram.EventEmitter" }

local function listeners(self)
  local all = type(self) == "table" and rawget(self, "_listeners")
  if not all then check.wrongType(self, "self", "an EventEmitter (call methods with a colon)") end
  return all
end

Emitter.__index = require("dgram.events").methods(listeners, function(self, event) return listeners(self)[event] end,
  function() end)

--- dgram.EventEmitter()
return function(...)
  check.surplus(0, ...)
  return setmetatable({ _listeners = {} }, Emitter)
end
