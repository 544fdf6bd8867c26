--- The calls that begin and end a socket's use: bind, bindSync, close.
local core = require "dgram.core"
local check = core.check

local known = { port = true, address = true, exclusive = true, fd = true, path = true }

local function check_options(options)
  for name in pairs(options) do
    if not known[name] then require("dgram.options").unknown(known, name, "bind") end
  end
  if options.exclusive ~= nil and type(options.exclusive) ~= "boolean" then
    check.wrongType(options.exclusive, "options.exclusive", "a boolean")
  end
  if options.fd ~= nil then check.integer(options.fd, "options.fd") end
end

--- Where to bind, checked -> address, port (nil for unix_dgram), fd. Values and no table: nothing is left to collect.
local function target(self, port, address, fd)
  if core.family(self) == 0 then
    if address ~= nil then check.path(address, "path") end
    return address, nil, fd
  end
  if address ~= nil then check.host(address, "address") end
  return address, check.port(port == nil and 0 or port, 0), fd
end

local function from_options(self, options)
  check_options(options)
  if core.family(self) == 0 then
    if options.port ~= nil then
      check.wrongType(options.port, "options.port", "absent: a unix_dgram socket has no port")
    end
    return target(self, nil, options.path == nil and options.address or options.path, options.fd)
  end
  if options.path ~= nil then check.wrongType(options.path, "options.path", "absent: only unix_dgram has paths") end
  return target(self, options.port, options.address, options.fd)
end

--- (port, address, cb) without those that are absent, (path, cb), or (options, cb) -> cb, address, port, fd
local function arguments(self, ...)
  local first, second, third = ...
  local most = (type(first) == "table" or core.family(self) == 0) and 2 or 3
  local cb
  if type(first) == "function" then
    most, first, second, cb = 1, nil, nil, first
  elseif most == 2 then
    cb = second
  elseif type(second) == "function" then
    most, second, cb = 2, nil, second
  else
    cb = third
  end
  check.surplus(most, ...)
  if cb ~= nil then check.fn(cb, "callback") end
  if type(first) == "table" then return cb, from_options(self, first) end
  if core.family(self) == 0 then return cb, target(self, nil, first) end
  return cb, target(self, first, second)
end

local function must_be_unbound(self)
  local _, bound, binding = core.state(self)
  if bound or binding then
    error(core.error("Error", "ERR_SOCKET_ALREADY_BOUND", "Socket is already bound"), 0)
  end
end

local function adopt(self, fd)
  local kept = core.private(self)
  return core.adopt(self, fd, kept.recvBufferSize, kept.sendBufferSize)
end

local function failed(self, cb, err)
  if cb then self:off("listening", cb) end
  core.emitLater(self, "error", err)
end

--- After the look-up: binds to what it found, if the socket is still there for it.
local function bind_found(self, port, cb, err, address)
  local state, _, binding = core.state(self)
  if state ~= "open" or not binding then return end
  core.setBinding(self, false)
  local done
  if err == nil then done, err = core.bind(self, port, address) end
  local waiting = core.private(self).connect
  core.private(self).connect = nil
  if not done then
    core.cancelQueue(self)
    failed(self, cb, err)
  end
  if waiting then waiting(err) end
end

--- Gives the socket its address: bind([port] [, address] [, cb]), bind(path [, cb]) for unix_dgram, bind(options [, cb]).
-- `cb` listens once for `listening`. What fails is an `error` event, and the socket may then be bound again.
-- @return the socket
-- Raises ERR_SOCKET_ALREADY_BOUND, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, and for a descriptor
-- ERR_INVALID_FD_TYPE or EBADF. bind(2)
local function bind(self, ...)
  check.open(self)
  must_be_unbound(self)
  local cb, address, port, fd = arguments(self, ...)
  core.needLoop("bind")
  local adopted = fd ~= nil and adopt(self, fd)
  if cb then self:once("listening", cb) end
  if adopted then return self end
  local done, err = core.bind(self, port, address)
  if done == nil then
    failed(self, cb, err)
  elseif not done then
    core.setBinding(self, true)
    require("dgram.lookup").find(self, address, function(...) bind_found(self, port, cb, ...) end)
  end
  return self
end

--- bind within the call, without a loop: literal addresses only.
-- @param options  {port, address}, or {path}
-- @return what address() does; `listening` follows, unless close() comes first
-- Raises what bind does, ERR_INVALID_ARG_VALUE for a name, and what bind(2) says.
local function bind_sync(self, options, ...)
  check.open(self)
  check.surplus(1, options, ...)
  if options ~= nil and type(options) ~= "table" then check.wrongType(options, "options", "a table") end
  must_be_unbound(self)
  local address, port, fd = from_options(self, options or {})
  if self:listenerCount "message" > 0 then core.needLoop "Listening for messages" end
  if fd ~= nil and address ~= nil and core.family(self) ~= 0 and not core.isLiteral(address) then
    check.notLiteral(address, "options.address", "bindSync")
  end
  local done, err = true, nil
  if fd == nil or not adopt(self, fd) then done, err = core.bind(self, port, address) end
  if done == false then check.notLiteral(address, "options.address", "bindSync") end
  if err then error(err, 0) end
  return self:address()
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

return { bind = bind, bindSync = bind_sync, close = close }
