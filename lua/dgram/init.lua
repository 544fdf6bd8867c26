--- Datagram sockets for Lua with Node.js' dgram API, on luv's event loop.
-- All files are read at once: no method needs a descriptor, or a path where they are found, later.
local found, core = pcall(require, "dgram.core")
if not found then
  -- the linker's words, and Lua's own, where the C part was built for another Lua
  for _, words in ipairs { "undefined symbol", "symbol not found", "version mismatch", "incompatible numeric types" } do
    if tostring(core):find(words, 1, true) then
      local jit = rawget(_G, "jit")
      core = ("dgram's C part was built for another Lua than %s, which runs here: build it for this one%s\n%s"):format(
        jit and jit.version or _VERSION, " (or this program does not show its Lua to modules)", tostring(core))
      break
    end
  end
  error(core, 0)
end
local emitter = require "dgram.emitter"
local lookup = require "dgram.lookup"
local options_of = require "dgram.options"
local check = core.check

local dgram = { _VERSION = "dgram " .. core.version }

--- The sockets' methods; a program may add its own. C made most of them.
dgram.Socket = core.methods
for name, method in pairs(emitter.methods) do dgram.Socket[name] = method end
require "dgram.bind"
require "dgram.connect"
local calls = require "dgram.receive"

--- The last step to a listener. A table constructor costs the interpreter less than building it through the C API; LuaJIT
-- compiles it together with the listener.
local function deliver_for(family)
  return function(msg, slots, address, port, size, truncated)
    local rinfo = { address = address, family = family, port = port, size = size }
    if truncated then rinfo.truncated = true end
    return slots[1](msg, rinfo) -- looked at now: a finalizer that ran while the table was made may have closed the socket
  end
end

--- The same for sockets that asked for more (asked.h). Without credentials and timestamp the table need not grow.
local function deliver_all_for(family)
  return function(msg, slots, address, port, size, truncated, local_address, interface, ttl, tos, timestamp, pid, uid,
      gid)
    local rinfo = { address = address, family = family, port = port, size = size, localAddress = local_address,
      interface = interface, ttl = ttl, tos = tos }
    if truncated then rinfo.truncated = true end
    if timestamp then rinfo.timestamp = timestamp end
    if uid then rinfo.pid, rinfo.uid, rinfo.gid = pid, uid, gid end
    return slots[1](msg, rinfo)
  end
end

core.configure {
  deliver = { deliver_for "IPv4", deliver_for "IPv6", deliver_for "unix" },
  deliverAll = { deliver_all_for "IPv4", deliver_all_for "IPv6", deliver_all_for "unix" },
  emit = function(socket, event, ...)
    if event == "error" and calls.fail(socket, ...) then return end
    local done, err = true, nil
    if event == "close" and core.private(socket).unfollow then
      done, err = pcall(options_of.unfollow, socket) -- the program's own code, which must not swallow the event
    end
    emitter.methods.emit(socket, event, ...)
    if not done then error(err, 0) end
  end,
  taken = calls.taken,
  endCalls = calls.finish,
  sendToName = lookup.send,
  cancelLookups = lookup.cancel_sends,
}

calls.open()

local families = { udp4 = 4, udp6 = 6, unix_dgram = 0 }
local no_options = {}

local function open(family, options)
  local socket = core.open(family, options.reuseAddr, options.reusePort, options.ipv6Only, options.gso ~= false,
    options.gro)
  if options == no_options then return socket end
  local done, err = pcall(options_of.apply, socket, options)
  if done then return socket end
  core.discard(socket)
  error(err, 0)
end

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
  if options ~= no_options then options_of.check(options, kind) end
  check.callback(callback)
  local socket = open(family, options)
  if callback then socket:on("message", callback) end
  if options.signal then options_of.follow(socket, options.signal) end
  return socket
end

--- Makes two unix_dgram sockets that are connected to each other. socketpair(2)
-- @param options  those of createSocket for unix_dgram; both sockets get them
-- @return both
-- Raises ERR_SOCKET_BAD_TYPE for another type, and what createSocket does.
function dgram.socketpair(options, ...)
  check.surplus(1, options, ...)
  if type(options) == "nil" then options = no_options end
  if type(options) ~= "table" then check.wrongType(options, "options", "a table") end
  if type(options.type) ~= "nil" and options.type ~= "unix_dgram" then
    error(core.error("TypeError", "ERR_SOCKET_BAD_TYPE",
      'Bad socket type specified. A pair is of type "unix_dgram". Received ' .. core.describe(options.type)), 0)
  end
  if options ~= no_options then options_of.check(options, "unix_dgram") end
  local first = open(families.unix_dgram, options)
  local made, second = pcall(open, families.unix_dgram, options)
  local done, err = made, second
  if made then done, err = pcall(core.pair, first, second) end
  if not done then
    core.discard(first)
    if made then core.discard(second) end
    error(err, 0)
  end
  if options.signal then
    options_of.follow(first, options.signal)
    options_of.follow(second, options.signal)
  end
  return first, second
end

dgram.BlockList = core.BlockList

dgram.EventEmitter = emitter.new

local FIRST_PASSED, MOST_PASSED = 3, 65536

--- The descriptors that systemd hands over (sd_listen_fds(3)): meant for the process that LISTEN_PID names.
-- @return a list of {fd = number, name = string} for bind{fd = ...}; empty when systemd passed none to this process
function dgram.systemdSockets(...)
  check.surplus(0, ...)
  local list, names = {}, {}
  local count = tonumber((os.getenv "LISTEN_FDS" or ""):match "^%d+$")
  local pid = tonumber((os.getenv "LISTEN_PID" or ""):match "^%d+$")
  if pid ~= core.pid() or not count or count > MOST_PASSED then return list end
  for name in ((os.getenv "LISTEN_FDNAMES" or "") .. ":"):gmatch "([^:]*):" do names[#names + 1] = name end
  for i = 1, count do
    local name = names[i]
    list[i] = { fd = FIRST_PASSED + i - 1, name = name ~= nil and name ~= "" and name or "unknown" }
  end
  return list
end

--- Whether a value is a socket of this module.
dgram.isSocket = core.isSocket

--- Runs luv's loop as uv.run does, but stops it and raises what a callback of dgram raised, with its traceback.
-- @param mode  "default", "once" or "nowait"
-- @return what uv.run does
-- Raises ERR_INVALID_ARG_VALUE and ERR_INVALID_ARG_TYPE for another mode.
dgram.run = core.run

--- Being a guest in a loop that is not luv's, in the words of cqueues' controllers. All ignore arguments too many.
-- pollfd: the descriptor to wait for. Raises ENOTSUP where the loop has none.
dgram.pollfd = core.pollfd

--- What to wait for: "r".
function dgram.events() return "r" end

--- How many seconds to wait at most; nil: no limit. Raises ENOTSUP where the loop does not tell.
dgram.timeout = core.timeout

--- One turn of the loop.
-- @param timeoutMs  milliseconds that it may wait, 0 unless given
-- @return whether anything is left to do
-- Raises what dgram.run does; ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE; ERR_INVALID_STATE inside of the loop.
dgram.step = core.step

--- fn() is called when the host has to step, though it waits: it must only wake the host. nil ends that.
dgram.onDue = core.onDue

--- The loop to use in the place of luv: a table with luv's functions (docs/api.md names them; dgram.poll makes one).
-- Raises ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, and ERR_INVALID_STATE after the first socket.
dgram.setLoop = core.setLoop

local function echo(value) return value end

--- Lua's own, where that passes arguments: it lets the function yield, too.
local xpcall = select(2, xpcall(echo, echo, true)) and xpcall or core.xpcall

--- A function that calls fn and returns what that returns. What fn raises goes where the errors of dgram's own listeners go.
function dgram.protect(fn, ...)
  check.surplus(1, fn, ...)
  check.fn(fn, "fn")
  local handler, finish = core.messageHandler, core.finish
  return function(...) return finish(xpcall(fn, handler, ...)) end
end

--- fn(err, traceback) gets every error that a listener or callback raised and every `error` event without a listener,
-- instead of dgram.run or luv; nil ends that.
dgram.setUncaughtHandler = core.setUncaughtHandler

return dgram
