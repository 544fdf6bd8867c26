--- dgram.EventEmitter: a bare emitter, with the methods that sockets have.
local check = require("dgram.core").check

local Emitter = { __name = "dgram.EventEmitter" }

Emitter.__index = require("dgram.events").methods(function(self)
  local listeners = type(self) == "table" and rawget(self, "_listeners")
  if not listeners then check.wrongType(self, "self", "an EventEmitter (call methods with a colon)") end
  return listeners
end, function() end)

--- dgram.EventEmitter()
return function(...)
  check.surplus(0, ...)
  return setmetatable({ _listeners = {} }, Emitter)
end
