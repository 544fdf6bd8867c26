--- connect and connectSync: a datagram socket's peer. Nobody is asked whether it is there; connect(2) notes it.
local core = require "dgram.core"
local lookup = require "dgram.lookup"
local check = core.check

local Socket = core.methods

--- (port, address, cb), (port, cb), (path, cb) -> port, address, cb
local function arguments(self, ...)
  local port, address, cb = ...
  local most = 3
  if core.family(self) == 0 then
    most, port, address, cb = 2, nil, port, address
    check.path(address, "path")
  elseif type(address) == "function" then
    most, address, cb = 2, nil, address
  end
  check.surplus(most, ...)
  check.callback(cb)
  if core.family(self) ~= 0 then
    port = check.port(port, 1)
    check.host(address, "address")
  end
  return port, address, cb
end

local function must_be_free(self)
  local _, _, _, connected, connecting = core.state(self)
  if connected or connecting then
    error(core.error("Error", "ERR_SOCKET_DGRAM_IS_CONNECTED", "Already connected"), 0)
  end
end

--- What became of a connect. Its callback listens only from now on: an earlier connect's event may still be on its way.
local function answer(self, cb, done, err)
  if done then
    if cb then self:once("connect", cb) end
  elseif cb then
    core.callLater(cb, err)
  else
    core.emitLater(self, "error", err)
  end
end

local function connect_found(self, port, cb, err, address, place)
  if core.state(self) ~= "open" then return end
  core.setConnecting(self, false)
  local done
  if err == nil then
    done, err = core.connect(self, port, address)
    core.place(err, place)
  end
  answer(self, cb, done, err)
end

local function start(self, port, address, cb)
  local done, err = core.connect(self, port, address)
  if done ~= false then return answer(self, cb, done, err) end
  err = core.bindAny(self)
  if err then return answer(self, cb, nil, err) end
  core.setConnecting(self, true)
  lookup.find(self, address, function(...) connect_found(self, port, cb, ...) end)
end

--- A bind that waits for a name comes first; where it fails its error is this one's, too.
local function wait_for_bind(self, port, address, cb)
  core.setConnecting(self, true)
  core.private(self).connect = function(err)
    core.setConnecting(self, false)
    if err == nil then return start(self, port, address, cb) end
    if cb then core.callLater(cb, err) end
  end
end

--- Sets the peer: connect(port [, address] [, cb]), connect(path [, cb]) for unix_dgram. From now on `send` takes no
-- destination, and only the peer's datagrams are received. Binds first if unbound.
-- @param cb  cb(err); without it a failure is an `error` event
-- Raises ERR_SOCKET_DGRAM_IS_CONNECTED, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE. connect(2)
function Socket.connect(self, ...)
  check.open(self)
  local port, address, cb = arguments(self, ...)
  must_be_free(self)
  core.needLoop("connect")
  local _, _, binding = core.state(self)
  if binding then wait_for_bind(self, port, address, cb) else start(self, port, address, cb) end
end

--- connect within the call, without a loop: literal addresses only. `connect` follows.
-- Raises what connect does, ERR_INVALID_ARG_VALUE for a name, ERR_SOCKET_ALREADY_BOUND while a bind waits for a name, and
-- what connect(2) says.
function Socket.connectSync(self, port, address, ...)
  check.open(self)
  check.surplus(core.family(self) == 0 and 1 or 2, port, address, ...)
  if core.family(self) ~= 0 then check.port(port, 1) else check.path(port, "path") end
  must_be_free(self)
  if core.family(self) ~= 0 then check.host(address, "address") end
  local to_port, to_address = arguments(self, port, address)
  local _, _, binding = core.state(self)
  if binding then
    if to_address and core.family(self) ~= 0 and not core.isLiteral(to_address) then
      check.notLiteral(to_address, "address", "connectSync")
    end
    error(core.error("Error", "ERR_SOCKET_ALREADY_BOUND", "Socket is being bound: wait for listening"), 0)
  end
  local done, err = core.connect(self, to_port, to_address)
  if done == false then check.notLiteral(to_address, "address", "connectSync") end
  if err then error(err, 0) end
end
