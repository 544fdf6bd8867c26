--- Event emitters, after Node.js' EventEmitter: sockets, and bare ones (dgram.EventEmitter).
-- What is kept for an event is the function itself where one listens for good (most sockets have one listener, and there
-- may be thousands of them), else a list. In a list a listener is its function, and one of `once` is a table {call = fn}.
-- A list is never changed, only replaced: an emit that is running goes on with the list it began with.
local core = require "dgram.core"
local check = core.check

local Emitter = {}

--- What this file returns.
local emitter = {
  --- What messages go to, where the listeners' one function is given, or nil: receive.lua may have more that take them.
  join = function(_, listeners) return listeners end,
  --- Is called when somebody has begun to listen to `batch`.
  joined = function(_) end,
}

local metatable = { __name = "dgram.EventEmitter", __index = Emitter }

--- dgram.EventEmitter(): a bare emitter, with the methods that sockets have.
local function new(...)
  check.surplus(0, ...)
  return setmetatable({ _listeners = {} }, metatable)
end

--- The table event -> what is kept. A socket has none until more than its first `message` listener is asked of it.
local function listeners(self)
  if core.isSocket(self) then return core.events(self) end
  local all = type(self) == "table" and rawget(self, "_listeners")
  if type(all) ~= "table" then check.wrongType(self, "self", "an emitter (call methods with a colon)") end
  return all
end

--- What that table has, or would have, for one event; makes none.
local function kept_for(self, event)
  if core.isSocket(self) then return core.kept(self, event) end
  return listeners(self)[event]
end

local function list_of(kept)
  if type(kept) == "function" then return { kept } end
  return kept or {}
end

local function function_of(entry)
  return type(entry) == "table" and entry.call or entry
end

local function with(kept, entry, first)
  if kept == nil and type(entry) == "function" then return entry end
  local list = { first and entry or nil }
  for _, each in ipairs(list_of(kept)) do list[#list + 1] = each end
  if not first then list[#list + 1] = entry end
  return list
end

--- Without the last one that is this entry, or has this function.
local function without(kept, what)
  local list, before, at = {}, list_of(kept), nil
  for i, entry in ipairs(before) do
    if entry == what or function_of(entry) == what then at = i end
  end
  if not at then return kept end
  for i, entry in ipairs(before) do
    if i ~= at then list[#list + 1] = entry end
  end
  if #list == 1 and type(list[1]) == "function" then return list[1] end
  return list[1] and list or nil
end

local set_receiver

--- Keeps something else for an event, or nothing; what fails changes nothing.
local function replace(self, event, kept)
  local all = listeners(self)
  local before = all[event]
  all[event] = kept
  if event ~= "message" and event ~= "batch" or not core.isSocket(self) then return end
  local done, err = pcall(set_receiver, self, event)
  if done then return end
  if all[event] == kept then all[event] = before end -- else a finalizer has changed it since
  error(err, 0)
end

--- Keeps for an event what make(kept, ...) makes of what is kept. Making allocates, so finalizers may run, and change it.
local function change(self, event, make, ...)
  local all = listeners(self)
  local before, kept
  repeat
    before = all[event]
    kept = make(before, ...)
  until all[event] == before
  if kept ~= before then replace(self, event, kept) end
  return self
end

--- Calls one in a list. One of `once` is removed before its call.
local function call(self, event, entry, ...)
  if type(entry) == "function" then
    entry(...)
  elseif not entry.gone then -- else an emit inside of this one was first
    entry.gone = true
    local done, err = pcall(change, self, event, without, entry)
    if not done then
      entry.gone = nil
      error(err, 0)
    end
    entry.call(...)
  end
end

--- One function that calls all who listen to `message` or `batch` of a socket now: the only one itself where that will do, nil
-- for none. Its arguments have names, because `...` costs as much as a listener.
local function receiver_of(self, event, kept)
  if type(kept) ~= "table" then return kept end
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

--- C calls one function for each message or batch, and looks at no table. Finalizers that run meanwhile may change it.
function set_receiver(self, event)
  local kept
  repeat
    kept = core.kept(self, event)
    local receiver = receiver_of(self, event, kept)
    if event == "message" then
      core.setReceiver(self, emitter.join(self, receiver))
    else
      core.setLists(self, receiver)
    end
  until core.kept(self, event) == kept
  if event == "batch" and kept ~= nil then emitter.joined(self) end
end

local function check_pair(self, event, fn)
  listeners(self) -- raises for a value that is no emitter, before the other arguments are checked
  -- NaN is no key of a table
  if event == nil or event ~= event then check.wrongType(event, "event", "an event's name") end
  check.fn(fn, "listener")
end

local function add(self, event, fn, once, first)
  check_pair(self, event, fn)
  if core.isSocket(self) then core.listened(self, event) end
  return change(self, event, with, once and { call = fn } or fn, first)
end

--- Adds a listener behind those of the event; returns the emitter, as all of these do.
function Emitter.on(self, event, fn)
  -- a socket with nothing but its `message` listener has no table of listeners
  if event == "message" and type(fn) == "function" and core.isSocket(self) and core.listenAlone(self, fn) then
    return self
  end
  return add(self, event, fn, false, false)
end
Emitter.addListener = Emitter.on

--- The same for one event only.
function Emitter.once(self, event, fn) return add(self, event, fn, true, false) end
--- Likewise, before the listeners that are there.
function Emitter.prependListener(self, event, fn) return add(self, event, fn, false, true) end
function Emitter.prependOnceListener(self, event, fn) return add(self, event, fn, true, true) end

--- Removes the listener that was added last with this function, if there is one.
function Emitter.off(self, event, fn)
  check_pair(self, event, fn)
  return change(self, event, without, fn)
end
Emitter.removeListener = Emitter.off

--- Removes the listeners of one event, or of all.
function Emitter.removeAllListeners(self, event)
  local names = { event }
  if event == nil then names = Emitter.eventNames(self) end
  for _, name in ipairs(names) do
    if kept_for(self, name) ~= nil then replace(self, name, nil) end
  end
  return self
end

--- The functions that listen to an event, in the order of their calls.
function Emitter.listeners(self, event)
  local functions = {}
  for i, entry in ipairs(list_of(kept_for(self, event))) do functions[i] = function_of(entry) end
  return functions
end

--- How many listen to an event; with a function, how often that one does.
function Emitter.listenerCount(self, event, fn)
  local count = 0
  for _, entry in ipairs(list_of(kept_for(self, event))) do
    if fn == nil or function_of(entry) == fn then count = count + 1 end
  end
  return count
end

--- The names of the events that somebody listens to.
function Emitter.eventNames(self)
  local names = {}
  for name in pairs(listeners(self)) do names[#names + 1] = name end
  return names
end

--- Calls the listeners of an event with the arguments; returns whether there was one. An `error` event that nobody
-- listens to is raised.
function Emitter.emit(self, event, ...)
  local kept = kept_for(self, event)
  if type(kept) == "function" then
    kept(...)
    return true
  end
  if kept then
    for _, entry in ipairs(kept) do call(self, event, entry, ...) end
    return true
  end
  if event ~= "error" then return false end
  local err = ...
  if err ~= nil then error(err, 0) end
  error(core.error("Error", "ERR_UNHANDLED_ERROR", "An error event without an error, and without a listener"), 0)
end

emitter.new, emitter.methods, emitter.set_receiver = new, Emitter, set_receiver
return emitter
