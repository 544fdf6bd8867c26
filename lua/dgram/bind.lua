--- socket:bind, and socket:close beside it: the calls that begin and end a socket's use.
local core = require "dgram.core"
local check = require "dgram.check"
local lookup = require "dgram.lookup"

local options_known = { port = true, address = true, exclusive = true }

local function from_options(options)
  for name in pairs(options) do
    if not options_known[name] then
      check.bad_value(("Unknown option %s for bind"):format(core.describe(name)))
    end
  end
  if options.exclusive ~= nil and type(options.exclusive) ~= "boolean" then
    check.wrong_type(options.exclusive, "options.exclusive", "a boolean")
  end
  return options.port, options.address
end

--- (port, address, cb), (port, cb), (cb), (options, cb) -> port, address, cb, all checked
local function arguments(port, address, cb, ...)
  if type(port) == "table" then
    check.surplus(2, port, address, cb, ...)
    cb = address
    port, address = from_options(port)
  elseif type(port) == "function" then
    check.surplus(1, port, address, cb, ...)
    port, address, cb = nil, nil, port
  elseif type(address) == "function" then
    check.surplus(2, port, address, cb, ...)
    address, cb = nil, address
  else
    check.surplus(3, port, address, cb, ...)
  end
  if cb ~= nil then check.fn(cb, "callback") end
  if address ~= nil then check.host(address, "address") end
  return check.port(port == nil and 0 or port, 0), address, cb
end

local function failed(self, cb, err)
  if cb then self:off("listening", cb) end
  core.emitLater(self, "error", err)
end

--- After the look-up: binds to what it found, if the socket is still there for it.
local function bind_found(self, port, cb, err, address)
  if core.state(self) ~= "open" then return end
  core.setBinding(self, false)
  local done
  if not err then done, err = core.bind(self, port, address) end
  if done then return end
  err = err or core.systemError(-22, "bind", address, port)
  core.cancelQueue(self)
  failed(self, cb, err)
end

--- Gives the socket its address: bind([port] [, address] [, cb]) or bind(options [, cb]).
-- `cb` listens once for `listening`. What fails is an `error` event; the socket may then be bound again.
-- @return the socket
-- Raises ERR_SOCKET_ALREADY_BOUND, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE. bind(2)
local function bind(self, ...)
  check.open(self)
  local port, address, cb = arguments(...)
  local _, bound, binding = core.state(self)
  if bound or binding then
    error(core.error("Error", "ERR_SOCKET_ALREADY_BOUND", "Socket is already bound"), 0)
  end
  core.needLoop("bind")
  if cb then self:once("listening", cb) end
  local done, err = core.bind(self, port, address)
  if done == nil then
    failed(self, cb, err)
  elseif not done then
    core.setBinding(self, true)
    lookup.find(self, address, function(...) bind_found(self, port, cb, ...) end)
  end
  return self
end

--- Stops receiving at once. What `send` had accepted still goes out; then the descriptor closes and `close` comes.
-- @param cb  listens once for `close`
-- @return the socket
-- Raises ERR_SOCKET_DGRAM_NOT_RUNNING when it was closed before.
local function close(self, cb, ...)
  check.open(self)
  check.surplus(1, cb, ...)
  if cb ~= nil then self:once("close", check.fn(cb, "callback")) end
  return core.close(self)
end

return { bind = bind, close = close }
