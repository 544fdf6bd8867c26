--- Event emitters, after Node.js' EventEmitter: what every socket needs of them. The rest is in dgram.listeners, which is read
-- when it is first called.

--- What is kept for an event: the function itself where one listens for good (most sockets have one listener, and there may be
-- thousands of them), else a list (dgram.listeners).

--- Makes the emitter's methods.
-- @param listeners  function(self): the table event -> what is kept, of this emitter; raises for anything that is none
-- @param kept_for   function(self, event): what that table has for one event
-- @param changed    function(self, event): called after what is kept was replaced
-- @return the methods; and fan_out
local function methods(listeners, kept_for, changed)
  local emitter, all_methods = {}, nil

  local function replace(self, event, kept)
    local all = listeners(self)
    local before = all[event]
    all[event] = kept
    local done, err = pcall(changed, self, event)
    if done then return end
    if all[event] == kept then all[event] = before end -- else a finalizer has changed it since
    error(err, 0)
  end

  local function rest()
    if not all_methods then all_methods = require "dgram.listeners"(listeners, replace) end
    return all_methods
  end

  for _, name in ipairs {
    "once", "prependListener", "prependOnceListener", "off", "removeListener", "removeAllListeners", "listeners",
    "listenerCount", "eventNames",
  } do
    emitter[name] = function(...) return rest()[name](...) end
  end

  --- Adds a listener behind those of the event; returns the emitter.
  function emitter.on(self, event, fn)
    if type(event) == "string" and type(fn) == "function" and listeners(self)[event] == nil then
      replace(self, event, fn)
      return self
    end
    return rest().on(self, event, fn)
  end
  emitter.addListener = emitter.on

  --- Calls the listeners of an event with the arguments; returns whether there was one. An `error` event that nobody
  -- listens to is raised.
  function emitter.emit(self, event, ...)
    local kept = kept_for(self, event)
    if type(kept) == "function" then
      kept(...)
      return true
    end
    if kept ~= nil then return rest().emit(self, event, kept, ...) end
    if event ~= "error" then return false end
    local err = ...
    error(err == nil and "an error event without a listener" or err, 0)
  end

  --- One function that calls all who listen to an event now: the only one itself where that will do, nil for none.
  local function fan_out(self, event)
    local kept = kept_for(self, event)
    if type(kept) ~= "table" then return kept end
    return rest().fan_out(self, event, kept)
  end

  return emitter, fan_out
end

return { methods = methods }
