--- The calls that begin and end a socket's use: bind, bindSync, close. Where C knows a call's common form whole, it is tried
-- first: a socket that listens on a literal address then makes nothing in Lua.
local core = require "dgram.core"
local lookup = require "dgram.lookup"
local options = require "dgram.options"
local check = core.check

local Socket = core.methods

local known = { port = true, address = true, exclusive = true, fd = true, path = true, mode = true }

local function check_options(given)
  options.check_names(known, given, "bind")
  if given.exclusive ~= nil and type(given.exclusive) ~= "boolean" then
    check.wrongType(given.exclusive, "options.exclusive", "a boolean")
  end
  if given.fd ~= nil then check.integer(given.fd, "options.fd") end
end

--- Where to bind, checked -> address, port (nil for unix_dgram), fd. Values and no table: nothing is left to collect.
local function target(self, port, address, fd)
  if core.family(self) == 0 then
    if type(address) ~= "nil" then check.path(address, "path") end
    return address, nil, fd
  end
  check.host(address, "address")
  return address, check.port(port == nil and 0 or port, 0), fd
end

--- The option mode as a number, or nil. Only a path has a file.
local function file_mode(self, given)
  if given.mode == nil then return end
  local path = given.path == nil and given.address or given.path
  local mode = check.mode(given.mode, "options.mode")
  if core.family(self) ~= 0 or type(path) ~= "string" or path:byte() == 0 then
    check.badValue "The option mode needs a path: only a unix_dgram socket that is bound to one has a file"
  end
  return mode
end

--- A table of options, checked -> address, port, fd, mode
local function from_options(self, given)
  check_options(given)
  if core.family(self) == 0 then
    if given.port ~= nil then
      check.wrongType(given.port, "options.port", "absent: a unix_dgram socket has no port")
    end
    local address, _, fd = target(self, nil, given.path == nil and given.address or given.path, given.fd)
    return address, nil, fd, file_mode(self, given)
  end
  if given.path ~= nil then check.wrongType(given.path, "options.path", "absent: only unix_dgram has paths") end
  file_mode(self, given)
  return target(self, given.port, given.address, given.fd)
end

--- (port, address, cb) without those that are absent, (path, cb), or (options, cb) -> cb, address, port, fd, mode
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
  check.callback(cb)
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
  return core.adopt(self, fd, kept.recvBufferSize, kept.sendBufferSize, kept.interface, kept.multicastAll)
end

local function failed(self, cb, err)
  if cb then self:off("listening", cb) end
  core.emitLater(self, "error", err)
end

--- After the look-up: binds to what it found, if the socket is still there for it.
local function bind_found(self, port, cb, err, address, place)
  local state, _, binding = core.state(self)
  if state ~= "open" or not binding then return end
  core.setBinding(self, false)
  local done
  if err == nil then
    done, err = core.bind(self, port, address)
    core.place(err, place)
  end
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
function Socket.bind(self, ...)
  if core.bindPlain(self, ...) then return self end
  check.open(self)
  must_be_unbound(self)
  local cb, address, port, fd, mode = arguments(self, ...)
  core.needLoop("bind")
  local adopted = fd ~= nil and adopt(self, fd)
  if cb then self:once("listening", cb) end
  if adopted then return self end
  local done, err = core.bind(self, port, address, mode)
  if done == nil then
    failed(self, cb, err)
  elseif not done then
    core.setBinding(self, true)
    lookup.find(self, address, function(...) bind_found(self, port, cb, ...) end)
  end
  return self
end

--- bind within the call, without a loop: literal addresses only.
-- @param options  {port, address}, or {path, mode}
-- @return what address() does; `listening` follows, unless close() comes first
-- Raises what bind does, ERR_INVALID_ARG_VALUE for a name, and what bind(2) says.
function Socket.bindSync(self, given, ...)
  check.open(self)
  check.surplus(1, given, ...)
  if type(given) == "nil" then given = {} end
  if type(given) ~= "table" then check.wrongType(given, "options", "a table") end
  must_be_unbound(self)
  local address, port, fd, mode = from_options(self, given)
  if self:listenerCount "message" > 0 then core.needLoop "Listening for messages" end
  if fd ~= nil and address ~= nil and core.family(self) ~= 0 and not core.isLiteral(address) then
    check.notLiteral(address, "options.address", "bindSync")
  end
  local done, err = true, nil
  if fd == nil or not adopt(self, fd) then done, err = core.bind(self, port, address, mode) end
  if done == false then check.notLiteral(address, "options.address", "bindSync") end
  if err then error(err, 0) end
  return self:address()
end

--- Stops receiving at once. What `send` had accepted still goes out; then the descriptor closes and `close` comes.
-- @param cb  listens once for `close`
-- @return the socket
-- Raises ERR_SOCKET_DGRAM_NOT_RUNNING when it was closed before.
function Socket.close(self, cb, ...)
  if core.closePlain(self, cb, ...) then return self end
  check.open(self)
  check.surplus(1, cb, ...)
  check.callback(cb)
  if cb then self:once("close", cb) end
  return core.close(self)
end
