-- SPDX-License-Identifier: MIT
-- Whatever a program does in a callback of connect, of a Unix socket, of a look-up, of a signal: the loop goes on and
-- nothing is left. Each callback with each action.
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

local purpose = "on purpose"
local new = sockets.new

local function closer(...)
  local list = { ... }
  return function()
    for _, one in ipairs(list) do pcall(one.close, one) end
  end
end

-- A look-up that answers 127.0.0.1 a little later.
local function slowly(_, _, cb)
  local timer = uv.new_timer()
  timer:start(1, 0, function()
    timer:close()
    cb(nil, "127.0.0.1")
  end)
end

local function at_once(_, _, cb) cb(nil, "127.0.0.1") end

-- Sockets that nobody holds. LuaJIT's machine code may hold one all the same, for as long as it likes.
local dropped = setmetatable({}, { __mode = "k" })

local function drop(socket)
  dropped[socket] = true
  return socket
end

local function close_dropped()
  if not rawget(_G, "jit") then return end
  for socket in pairs(dropped) do pcall(socket.close, socket) end
end

-- How to get hook() called out of each callback: makes a socket, starts it, and returns it and what ends its company.
local callbacks = {
  ["connect's callback"] = function(hook)
    local socket = new "udp4"
    socket:connect(9, hook)
    return socket
  end,
  ["connect"] = function(hook)
    local socket = new "udp4"
    socket:on("connect", hook)
    socket:connectSync(9)
    return socket
  end,
  ["listening of connect's bind"] = function(hook)
    local socket = new "udp4"
    socket:on("listening", hook)
    socket:connect(9)
    return socket
  end,
  ["connect's callback after a look-up"] = function(hook)
    local socket = new { type = "udp4", lookup = slowly }
    socket:connect(9, "some.name", hook)
    return socket
  end,
  ["connect's callback with an error"] = function(hook)
    local socket = new "udp4"
    socket:connect(9, "127.255.255.255", hook)
    return socket
  end,
  ["error of connect"] = function(hook)
    local socket = new { type = "udp4", lookup = function(_, _, cb) cb(nil, "nonsense") end }
    socket:on("error", hook)
    socket:connect(9, "some.name")
    return socket
  end,
  ["error of a refusal"] = function(hook)
    local gone = peers.new()
    gone:close()
    loop.turn()
    local socket = new("udp4", function() end)
    socket:on("error", hook)
    socket:connect(gone.port)
    for _ = 1, 5 do socket:send "refused" end
    return socket
  end,
  ["message of a connected socket"] = function(hook)
    local peer = peers.new()
    local socket = new("udp4", hook)
    socket:connect(peer.port)
    for _ = 1, 20 do peer:send("hello", socket:address().port) end
    return socket, closer(peer)
  end,
  ["a connected send's callback"] = function(hook)
    local socket = new "udp4"
    socket:connect(9)
    socket:on("error", function() end)
    for _ = 1, 10 do socket:send("x", hook) end
    return socket
  end,
  ["lookup itself"] = function(hook)
    local socket
    socket = new { type = "udp4", lookup = function(_, _, cb)
      hook()
      cb(nil, "127.0.0.1")
    end }
    socket:on("error", function() end)
    for i = 1, 3 do socket:send("x", 9, "name" .. i, function() end) end
    return socket
  end,
  ["lookup of bind, after its answer"] = function(hook)
    local socket = new { type = "udp4", lookup = function(_, _, cb)
      cb(nil, "127.0.0.1")
      hook()
    end }
    socket:on("error", function() end)
    socket:bind(0, "some.name")
    return socket
  end,
  ["send's callback after a look-up"] = function(hook)
    local socket = new { type = "udp4", lookup = slowly }
    for _ = 1, 5 do socket:send("x", 9, "some.name", hook) end
    return socket
  end,
  ["send's callback after a look-up that failed"] = function(hook)
    local socket = new { type = "udp4", lookup = function(_, _, cb) cb(purpose) end }
    for _ = 1, 5 do socket:send("x", 9, "some.name", hook) end
    return socket
  end,
  ["a listener of its signal"] = function(hook)
    local signal = dgram.EventEmitter()
    local socket = new { type = "udp4", signal = signal }
    socket:bind(0, "127.0.0.1", function() signal:emit "abort" end)
    signal:on("abort", hook)
    return socket
  end,
  ["a unix bind's callback"] = function(hook)
    local socket = new "unix_dgram"
    socket:bind(unix.path(), hook)
    return socket
  end,
  ["error of a unix bind"] = function(hook)
    local socket = new "unix_dgram"
    socket:on("error", hook)
    socket:bind "/nobody/here"
    return socket
  end,
  ["a unix message"] = function(hook)
    local socket, path = unix.bound(hook)
    for _ = 1, 5 do socket:send("x", path) end
    return socket
  end,
  ["a unix connect's callback"] = function(hook)
    local server, path = unix.bound(function() end)
    local socket = new "unix_dgram"
    socket:connect(path, hook)
    return socket, closer(server)
  end,
  ["a unix send's callback with an error"] = function(hook)
    local socket = new "unix_dgram"
    for _ = 1, 3 do socket:send("x", "/nobody/here", hook) end
    return socket
  end,
  ["a unix send's callback, after a wait"] = function(hook)
    local reader, path = unix.bound()
    local socket = new "unix_dgram"
    unix.fill(socket, path)
    for _ = 1, 3 do socket:send("x", path, hook) end
    reader:on("message", function() end)
    return socket, closer(reader)
  end,
  ["a connected unix send's callback, after the reader's death"] = function(hook)
    local reader, path = unix.bound()
    local socket = new "unix_dgram"
    socket:connect(path)
    socket:on("error", function() end)
    unix.fill(socket)
    for _ = 1, 3 do socket:send("x", hook) end
    reader:close()
    return socket
  end,
  ["drain"] = function(hook)
    local reader, path = unix.bound(function() end)
    local socket = new { type = "unix_dgram", sendQueueLimit = 100 }
    socket:on("drain", hook)
    for _ = 1, 3 do socket:send(("x"):rep(30), path) end
    return socket, closer(reader)
  end,
  ["listening of an adopted descriptor"] = function(hook)
    local socket = new "udp4"
    local fds = uv.socketpair and uv.socketpair "dgram"
    if not fds then pending "this luv makes no pairs of sockets" end
    uv.fs_close(fds[2])
    socket:on("error", function() end)
    socket:bind({ fd = fds[1] }, hook)
    socket:send("nobody there", function() end)
    return socket
  end,
}

local actions = {
  close = function(socket) socket:close() end,
  ["close with a callback"] = function(socket) socket:close(function() collectgarbage() end) end,
  raise = function() error(purpose, 0) end,
  ["raise a table"] = function() error({ purpose }, 0) end,
  ["close and raise"] = function(socket)
    socket:close()
    error(purpose, 0)
  end,
  ["remove all listeners and collect"] = function(socket)
    socket:removeAllListeners()
    collectgarbage()
    collectgarbage()
  end,
  disconnect = function(socket) socket:disconnect() end,
  ["disconnect and connect"] = function(socket)
    pcall(socket.disconnect, socket)
    pcall(socket.connect, socket, 9, function() collectgarbage() end)
    socket:connectSync(9)
  end,
  ["connect by name"] = function(socket)
    pcall(socket.disconnect, socket)
    socket:connect(9, "some.name", function() collectgarbage() end)
  end,
  ["connect to a path"] = function(socket)
    pcall(socket.disconnect, socket)
    socket:connect("/nobody/here", function() collectgarbage() end)
  end,
  ["bind every way"] = function(socket)
    pcall(socket.bind, socket, { fd = -1 })
    pcall(socket.bindSync, socket)
    pcall(socket.bind, socket, 0, "some.name")
    pcall(socket.bind, socket, unix.path())
    socket:bind()
  end,
  ["adopt a descriptor"] = function(socket)
    local fds = uv.socketpair and uv.socketpair "dgram" or {}
    local ok = pcall(socket.bind, socket, { fd = fds[1] })
    if not ok and fds[1] then uv.fs_close(fds[1]) end
    if fds[2] then uv.fs_close(fds[2]) end
  end,
  ["send every way"] = function(socket)
    local cb = function() collectgarbage() end
    for _ = 1, 10 do
      pcall(socket.send, socket, "x", cb)
      pcall(socket.send, socket, "x", 9, "127.0.0.1", cb)
      pcall(socket.send, socket, "x", 9, "some.name", cb)
      pcall(socket.send, socket, "x", "/nobody/here", cb)
    end
  end,
  ["send every way and close"] = function(socket)
    local cb = function() pcall(socket.address, socket) end
    for _ = 1, 3 do
      pcall(socket.send, socket, "x", cb)
      pcall(socket.send, socket, "x", 9, "some.name", cb)
      pcall(socket.send, socket, "x", "/nobody/here", cb)
    end
    socket:close()
  end,
  ["run the loop again"] = function() dgram.run "nowait" end,
  ["unref and ref"] = function(socket) socket:unref():ref():unref() end,
  ["make others and drop them"] = function()
    for _ = 1, 5 do
      drop(dgram.createSocket "udp4"):connectSync(9)
      drop(dgram.createSocket "unix_dgram"):bind(unix.path())
      drop(dgram.createSocket { type = "udp4", lookup = at_once }):send("x", 9, "some.name")
    end
    collectgarbage()
    collectgarbage()
  end,
  ["a new block list"] = function()
    local list = dgram.BlockList()
    list:addAddress "127.0.0.1"
    local socket = new { type = "udp4", sendBlockList = list, receiveBlockList = list }
    socket:connect(9, function() socket:close() end)
  end,
}

-- What a case may raise out of the loop: what was raised on purpose, and what the system said to nobody in particular.
local function harmless(err)
  if type(err) == "table" and err[1] == purpose then return true end
  local syscall = type(err) ~= "string" and err.syscall
  return tostring(err):find(purpose, 1, true) or syscall == "send" or syscall == "recvmsg" or syscall == "connect"
    or syscall == "bind" or syscall == "getaddrinfo" or type(err) ~= "string" and err.code == "ERR_IP_BLOCKED"
end

for where, start in pairs(callbacks) do
  describe("in " .. where, function()
    loop.guard()

    for what, act in pairs(actions) do
      it(what, function()
        finally(function() dgram.setUncaughtHandler(nil) end)
        local calls = 0
        local socket, stop
        socket, stop = start(function()
          calls = calls + 1
          collectgarbage()
          if calls > 1 or not socket then return end
          local ok, err = pcall(act, socket)
          -- what a socket refuses is no matter here; what was raised on purpose goes on
          if not ok and (err == purpose or type(err) == "table" and err[1] == purpose) then error(err, 0) end
        end)
        local function step(fn, ...)
          local ok, err = pcall(fn, ...)
          if not ok and not harmless(err) then error(err, 0) end
          return ok
        end
        repeat until step(loop.wait, function() return calls > 0 end, 20)
        for _ = 1, 3 do step(loop.turn) end
        pcall(socket.close, socket)
        if stop then stop() end
        repeat
          step(loop.turn)
          collectgarbage()
          collectgarbage()
          close_dropped()
        until step(loop.run, 20)
      end)
    end
  end)
end
