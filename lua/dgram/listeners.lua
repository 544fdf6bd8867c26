--- What of an event emitter few programs need: several listeners, those of `once`, taking them away, asking for them.
-- A list of listeners is never changed, only replaced: an emit that is running goes on with the list it began with.
local check = require("dgram.core").check

--- In a list a listener is its function, and one of `once` is a table {call = fn}. One function alone is kept without a list.

local function list_of(kept)
  if type(kept) == "function" then return { kept } end
  return kept or {}
end

local function function_of(entry)
  return type(entry) == "table" and entry.call or entry
end

local function with(kept, entry, first)
  if kept == nil and type(entry) == "function" then return entry end
  local new = {}
  if first then new[1] = entry end
  for _, each in ipairs(list_of(kept)) do new[#new + 1] = each end
  if not first then new[#new + 1] = entry end
  return new
end

local function without(kept, index)
  local new, list = {}, list_of(kept)
  for i, each in ipairs(list) do
    if i ~= index then new[#new + 1] = each end
  end
  if #new == 1 and type(new[1]) == "function" then return new[1] end
  return new[1] and new or nil
end

local function check_pair(event, fn)
  -- NaN is no key of a table
  if event == nil or event ~= event then check.wrongType(event, "event", "an event's name") end
  check.fn(fn, "listener")
end

--- Makes the emitter's methods, and fan_out (dgram.events).
-- @param listeners  as there
-- @param replace    function(self, event, kept): keeps something else for an event
return function(listeners, replace)
  local emitter = {}

  --- Keeps for an event what make(kept, ...) makes of what is kept. Making allocates, so finalizers may run, and change it.
  local function change(self, event, make, ...)
    local all = listeners(self)
    local before, new
    repeat
      before = all[event]
      new = make(before, ...)
    until all[event] == before
    if new ~= before then replace(self, event, new) end
    return self
  end

  local function add(self, event, fn, once, first)
    listeners(self) -- what is no emitter is told so before the rest is looked at
    check_pair(event, fn)
    return change(self, event, with, once and { call = fn } or fn, first)
  end

  --- Adds a listener behind those of the event; returns the emitter, as all of these do.
  function emitter.on(self, event, fn) return add(self, event, fn, false, false) end
  --- The same for one event only: it is removed before its call.
  function emitter.once(self, event, fn) return add(self, event, fn, true, false) end
  --- Likewise, before the listeners that are there.
  function emitter.prependListener(self, event, fn) return add(self, event, fn, false, true) end
  function emitter.prependOnceListener(self, event, fn) return add(self, event, fn, true, true) end

  local function without_function(kept, fn)
    local list = list_of(kept)
    for i = #list, 1, -1 do
      if function_of(list[i]) == fn then return without(kept, i) end
    end
    return kept
  end

  --- Removes the listener that was added last with this function, if there is one.
  function emitter.off(self, event, fn)
    listeners(self)
    check_pair(event, fn)
    return change(self, event, without_function, fn)
  end
  emitter.removeListener = emitter.off

  --- Removes the listeners of one event, or of all.
  function emitter.removeAllListeners(self, event)
    local all, names = listeners(self), { event }
    if event == nil then
      for name in pairs(all) do names[#names + 1] = name end
    end
    for _, name in ipairs(names) do replace(self, name, nil) end
    return self
  end

  --- The functions that listen to an event, in the order of their calls.
  function emitter.listeners(self, event)
    local functions = {}
    for i, entry in ipairs(list_of(listeners(self)[event])) do functions[i] = function_of(entry) end
    return functions
  end

  --- How many listen to an event; with a function, how often that one does.
  function emitter.listenerCount(self, event, fn)
    local count = 0
    for _, entry in ipairs(list_of(listeners(self)[event])) do
      if fn == nil or function_of(entry) == fn then count = count + 1 end
    end
    return count
  end

  --- The names of the events that somebody listens to.
  function emitter.eventNames(self)
    local names = {}
    for name in pairs(listeners(self)) do names[#names + 1] = name end
    return names
  end

  local function without_entry(kept, entry)
    for i, each in ipairs(list_of(kept)) do
      if each == entry then return without(kept, i) end
    end
    return kept
  end

  local function call(self, event, entry, ...)
    if type(entry) == "function" then
      entry(...)
    elseif not entry.gone then -- else an emit inside of this one was first
      entry.gone = true
      local done, err = pcall(change, self, event, without_entry, entry)
      if not done then
        entry.gone = nil
        error(err, 0)
      end
      entry.call(...)
    end
  end

  --- Calls those in the list that is kept for an event with the arguments; returns true.
  function emitter.emit(self, event, kept, ...)
    for _, entry in ipairs(kept) do call(self, event, entry, ...) end
    return true
  end

  --- One function that calls all in the list that is kept for `message`. Its arguments have names, because `...`
  -- costs as much as a listener.
  function emitter.fan_out(self, event, kept)
    for _, entry in ipairs(kept) do
      if type(entry) ~= "function" then
        return function(msg, rinfo)
          for _, each in ipairs(kept) do call(self, event, each, msg, rinfo) end
        end
      end
    end
    return function(msg, rinfo)
      for i = 1, #kept do kept[i](msg, rinfo) end
    end
  end

  return emitter
end
