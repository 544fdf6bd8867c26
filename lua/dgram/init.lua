--- Datagram sockets for Lua with Node.js' dgram API, on luv's event loop.
-- Compiling is most of what a start costs: so what few programs need is in files that are read when it is first called.
local core = require "dgram.core"
local check = core.check

local dgram = { _VERSION = "dgram " .. core.version }

--- The sockets' methods; a program may add its own.
dgram.Socket = core.methods

local emitter, fan_out
emitter, fan_out = require("dgram.events").methods(function(self)
  return core.events(check.socket(self))
end, core.kept, function(self, event)
  if event ~= "message" then return end
  -- C calls one function for each message, and looks at no table. Finalizers that run meanwhile may change it.
  local kept
  repeat
    kept = core.kept(self, event)
    core.setReceiver(self, fan_out(self, event))
  until core.kept(self, event) == kept
end)

for name, method in pairs(emitter) do dgram.Socket[name] = method end

--- As on of every emitter, but that a socket with nothing but its `message` listener has no table of listeners.
function dgram.Socket.on(self, event, fn)
  if event == "message" and type(fn) == "function" and core.listenAlone(self, fn) then return self end
  return emitter.on(self, event, fn)
end
dgram.Socket.addListener = dgram.Socket.on

--- bind and close in their common forms: to a port of a literal address, without a callback. All else is in dgram.bind.
function dgram.Socket.bind(...) return core.bindPlain(...) or require("dgram.bind").bind(...) end
function dgram.Socket.close(...) return core.closePlain(...) or require("dgram.bind").close(...) end
function dgram.Socket.bindSync(...) return require("dgram.bind").bindSync(...) end
function dgram.Socket.connect(...) return require("dgram.connect").connect(...) end
function dgram.Socket.connectSync(...) return require("dgram.connect").connectSync(...) end

core.configure {
  --- The last step to a listener. A table constructor costs the interpreter less than building it through the C API; LuaJIT
  -- compiles it together with the listener.
  deliver = function(msg, receiver, address, family, port, size, truncated)
    local rinfo = { address = address, family = family, port = port, size = size }
    if truncated then rinfo.truncated = true end
    return receiver(msg, rinfo)
  end,
  emit = function(socket, event, ...)
    local done, err = true, nil
    if event == "close" and core.private(socket).unfollow then
      done, err = pcall(require("dgram.abort").unfollow, socket) -- the program's own code, which must not swallow the event
    end
    emitter.emit(socket, event, ...)
    if not done then error(err, 0) end
  end,
  findUv = function() return require "dgram.luv"() end,
  sendToName = function(socket, msg, port, name, cb)
    require("dgram.lookup").find(socket, name, function(err, address)
      core.sendResolved(socket, msg, port, address, cb, err)
    end)
  end,
}

local families = { udp4 = 4, udp6 = 6, unix_dgram = 0 }
local no_options = {}

--- Makes a socket; it has its descriptor at once, so every option can be set before bind.
-- @param options   "udp4", "udp6", "unix_dgram", or a table of options (docs/api.md lists them)
-- @param callback  listens for `message`
-- Raises ERR_SOCKET_BAD_TYPE, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE (an unknown option), ERR_OUT_OF_RANGE,
-- ERR_SOCKET_BUFFER_SIZE, or what socket(2) and setsockopt(2) say.
function dgram.createSocket(options, callback, ...)
  local kind = options
  if type(options) == "table" then kind = options.type else options = no_options end
  check.surplus(2, kind, callback, ...)
  local family = families[kind]
  if not family then
    error(core.error("TypeError", "ERR_SOCKET_BAD_TYPE",
      'Bad socket type specified. Valid types are: "udp4", "udp6", "unix_dgram". Received ' ..
      core.describe(kind)), 0)
  end
  if options ~= no_options then require("dgram.options").check(options) end
  if callback ~= nil then check.fn(callback, "callback") end
  local socket = core.open(family, options.reuseAddr, options.reusePort, options.ipv6Only, options.gso ~= false,
    options.gro)
  if options ~= no_options then
    local done, err = pcall(require("dgram.options").apply, socket, options)
    if not done then
      core.discard(socket)
      error(err, 0)
    end
  end
  if callback then socket:on("message", callback) end
  if options.signal then require("dgram.abort").follow(socket, options.signal) end
  return socket
end

dgram.BlockList = core.BlockList

function dgram.EventEmitter(...) return require "dgram.emitter"(...) end

function dgram.systemdSockets(...) return require "dgram.systemd"(...) end

--- Whether a value is a socket of this module.
function dgram.isSocket(value) return core.isSocket(value) end

local run_modes = { default = true, once = true, nowait = true }

--- Runs luv's loop as uv.run does, but stops it and raises what a callback of dgram raised, with its traceback.
-- @param mode  "default", "once" or "nowait"
-- @return what uv.run does
-- Raises ERR_INVALID_ARG_VALUE and ERR_INVALID_ARG_TYPE for another mode.
function dgram.run(mode, ...)
  check.surplus(1, mode, ...)
  if mode ~= nil and type(mode) ~= "string" then check.wrongType(mode, "mode", "a string") end
  if mode and not run_modes[mode] then
    check.badValue('The "mode" argument must be "default", "once" or "nowait". Received ' .. core.describe(mode))
  end
  return core.run(mode)
end

--- fn(err, traceback) gets every error that a listener or callback raised and every `error` event without a listener,
-- instead of dgram.run or luv; nil ends that.
dgram.setUncaughtHandler = core.setUncaughtHandler

return dgram
