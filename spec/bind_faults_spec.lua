-- SPDX-License-Identifier: MIT
-- A bind that fails for what luv or Lua lack leaves the socket unbound, whoever asked for it: bind, or a method that
-- binds by itself. It can be bound again, and then works.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- Runs body() while a function of luv's fails: with what it answers, or by an error.
local function failing(name, code, body)
  local original = uv[name]
  uv[name] = function() -- luacheck: ignore
    if code == "error" then error("not enough memory", 0) end
    return nil, code .. ": no such luck", code
  end
  local ok, err = pcall(body)
  uv[name] = original -- luacheck: ignore
  if not ok then error(err, 0) end
end

local function peer_of(kind)
  local peer = new(kind)
  peer:bind(kind == "unix_dgram" and unix.path() or 0, kind ~= "unix_dgram" and sockets.loopback[kind] or nil)
  return peer, peer:address()
end

-- What binds. Each gets the socket, a destination (port, address or path), and a function that wants the error; a call
-- that answers at once may raise it.
local ways = {
  bind = function(socket, _, told) socket:on("error", told) socket:bind() end,
  ["bind, plain or with a callback,"] = function(socket, _, told) socket:on("error", told) socket:bind(never()) end,
  bindSync = function(socket) socket:bindSync() end,
  send = function(socket, to, told) socket:send("lost", to[1], to[2] or told, to[2] and told or nil) end,
  ["send without a callback"] = function(socket, to, told)
    socket:on("error", told)
    socket:send("lost", to[1], to[2])
  end,
  sendMany = function(socket, to, told)
    socket:sendMany({ "lost", "too" }, to[1], to[2] or told, to[2] and told or nil)
  end,
  connect = function(socket, to, told) socket:connect(to[1], to[2] or told, to[2] and told or nil) end,
  connectSync = function(socket, to) socket:connectSync(to[1], to[2]) end,
}

-- The socket must be as it was before, and work.
local function check_unbound(socket, kind, to, peer)
  faults.raised({ code = "EBADF", syscall = "getsockname" }, socket.address, socket)
  assert.is_truthy(tostring(socket):find "unbound")
  loop.turn()
  local got, heard = {}, 0
  socket:removeAllListeners()
  socket:on("error", never())
  socket:on("listening", function() heard = heard + 1 end)
  socket:on("message", function(msg) got[#got + 1] = msg end)
  socket:bind(kind == "unix_dgram" and unix.path() or 0, kind ~= "unix_dgram" and sockets.loopback[kind] or nil)
  local at = socket:address()
  local sent = expect(function(err) assert.is_nil(err) end)
  socket:send("to the peer", to[1], to[2] or sent, to[2] and sent or nil)
  peer:send("back", at.port or at.address, at.port and at.address or nil)
  loop.wait(function() return #got == 1 end)
  assert.same({ { "back" }, 1 }, { got, heard })
end

for _, kind in ipairs { "udp4", "udp6", "unix_dgram" } do
  describe("luv that cannot watch a socket: " .. kind, function()
    loop.guard()

    for name, way in pairs(ways) do
      it(name .. " tells, and leaves it unbound", function()
        if kind == "udp6" then need(pending, can.ipv6()) end
        for _, fn in ipairs { "new_poll", "poll_start" } do
          for _, code in ipairs { "ENOSPC", "ENOMEM", "EMFILE", "EEXIST", "error" } do
            local what = ("%s %s"):format(fn, code)
            local peer, at = peer_of(kind)
            local to = kind == "unix_dgram" and { at.address } or { at.port, at.address }
            local socket, told, events = new(kind), nil, 0
            socket:on("listening", never())
            failing(fn, code, function()
              local ok, err = pcall(way, socket, to, function(err)
                told, events = err, events + 1
              end)
              if not ok then told, events = err, 1 end
            end)
            loop.turn()
            assert.equal(1, events, what)
            if code == "error" then
              assert.is_truthy(tostring(told):find "not enough memory", what)
            else
              assert.equal(code, told.code, what)
            end
            check_unbound(socket, kind, to, peer)
            sockets.close_all(socket, peer)
            loop.run()
          end
        end
      end)
    end

    it("does not keep a socket alive that the program has forgotten", function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local gone = setmetatable({}, { __mode = "k" })
      failing("new_poll", "ENOSPC", function()
        local function forget()
          local socket = new(kind)
          gone[socket] = true
          pcall(socket.bindSync, socket)
        end
        forget()
      end)
      loop.turn()
      collectgarbage()
      collectgarbage()
      assert.is_nil((next(gone)))
      loop.run()
    end)
  end)
end

describe("luv that cannot watch a socket:", function()
  loop.guard()

  it("a join that binds tells, and leaves it unbound", function()
    local interface = need(pending, can.multicast4())
    local socket, told = new "udp4", {}
    socket:on("error", function(err) told[#told + 1] = err end)
    failing("new_poll", "ENOSPC", function()
      socket:addMembership("239.255.77.1", interface)
      loop.turn()
    end)
    assert.equal(1, #told)
    faults.system(told[1], { code = "ENOSPC", syscall = "bind" })
    local peer, at = peer_of "udp4"
    check_unbound(socket, "udp4", { at.port, at.address }, peer)
    sockets.close_all(socket, peer)
    loop.run()
  end)

  it("a path is free again", function()
    local path, socket = unix.path(), new "unix_dgram"
    failing("new_poll", "ENOSPC", function()
      faults.raised({ code = "ENOSPC", syscall = "bind" }, socket.bindSync, socket, { path = path })
    end)
    assert.is_nil(unix.kind(path))
    local other = unix.bound(nil, path)
    sockets.close_all(socket, other)
    loop.run()
  end)

  it("an adopted descriptor is unbound, too, and can be bound", function()
    local maker, socket = new "udp4", new "udp4"
    local fd = maker:fileno()
    failing("new_poll", "ENOSPC", function()
      faults.raised({ code = "ENOSPC", syscall = "bind" }, socket.bindSync, socket, { fd = fd, address = "127.0.0.1" })
    end)
    assert.equal(fd, socket:fileno())
    local peer, at = peer_of "udp4"
    check_unbound(socket, "udp4", { at.port, at.address }, peer)
    sockets.close_all(socket, peer)
    loop.run()
    maker:close() -- its number is nobody's any more
    loop.run()
  end)

  it("a bind that failed in the kernel can be followed by one that adopts", function()
    local taken, port = sockets.bound "udp4"
    local socket, maker = new "udp4", new "udp4"
    socket:on("error", expect(function(err) assert.equal("EADDRINUSE", err.code) end))
    socket:bind(port, "127.0.0.1")
    loop.turn()
    socket:bind({ fd = maker:fileno(), address = "127.0.0.1" }, expect())
    assert.equal(maker:fileno(), socket:fileno())
    local got = {}
    socket:on("message", function(msg) got[#got + 1] = msg end)
    taken:send("hello", socket:address().port, "127.0.0.1")
    loop.wait(function() return #got == 1 end)
    sockets.close_all(taken, socket)
    loop.run()
    maker:close() -- its number is nobody's any more
    loop.run()
  end)

  it("the kernel's own failure is told likewise", function()
    if os.getenv "LD_PRELOAD" then pending "a sanitizer is preloaded" end
    local strace = need(pending, can.program "strace")
    for _, errno in ipairs { "ENOSPC", "ENOMEM" } do
      local process = child.start(strace, { "-qq", "-o", "/dev/null", "-e", "trace=epoll_ctl", "-e",
        ("inject=epoll_ctl:error=%s:when=1..2"):format(errno), child.interpreter(), "-e", ([[
          package.path = %q; package.cpath = %q
          local dgram = require "dgram"
          local s = dgram.createSocket("udp4", function(msg, rinfo) print(msg, rinfo.address) end)
          s:on("error", function(err)
            print(err.code, (pcall(s.address, s)))
            s:bind(0, "127.0.0.1")
            s:send("hello", s:address().port, "127.0.0.1", function() s:close() end)
          end)
          s:on("listening", function() print "listening" end)
          s:bind(0, "127.0.0.1")
          dgram.run()
        ]]):format(package.path, package.cpath) }, { own = true }):wait()
      need(pending, not process.err:find "ptrace", "strace cannot trace here")
      assert.same({ 0, "" }, { process.status, process.err })
      assert.is_truthy(process.out:find("^" .. errno .. "\tfalse\nlistening\n"), process.out)
    end
  end)
end)

-- What a finalizer can do that runs while luv makes a handle.
local meanwhile = {
  close = function(socket) socket:close() end,
  bind = function(socket) socket:bind(0, "127.0.0.1") end,
  ["bindSync that fails"] = function(socket) socket:bindSync { address = "203.0.113.1" } end,
  send = function(socket, to) socket:send("meanwhile", to.port, to.address) end,
  connect = function(socket, to) socket:connect(to.port, to.address) end,
  ["connect and send"] = function(socket, to)
    socket:connectSync(to.port, to.address)
    for _ = 1, 200 do socket:send "meanwhile" end
  end,
  listen = function(socket) socket:on("message", function() end):unref():ref() end,
  pause = function(socket) socket:on("message", function() end):pause() end,
  ["run the loop"] = function() uv.run "nowait" end,
  ["bind, run the loop, close"] = function(socket)
    socket:bind(0, "127.0.0.1")
    uv.run "nowait"
    socket:close()
  end,
  adopt = function(socket, to) socket:bind { fd = to.other:fileno(), address = "127.0.0.1" } end,
}

describe("while a socket is being bound", function()
  loop.guard()

  local calls = {
    bind = function(socket) socket:bind(0, "127.0.0.1") end,
    ["bind{fd}"] = function(socket, to) socket:bind { fd = to.adopted:fileno() } end,
    bindSync = function(socket) socket:bindSync { address = "127.0.0.1" } end,
    send = function(socket, to) socket:send("sent", to.port, to.address) end,
    connect = function(socket, to) socket:connect(to.port, to.address) end,
  }
  for action, act in pairs(meanwhile) do
    it(("its program may %s"):format(action), function()
      for call, run in pairs(calls) do
        for _, place in ipairs { "new_poll", "poll_start", "new_idle" } do
          local what = ("%s during %s in %s"):format(action, place, call)
          loop.run()
          local peer, to = peer_of "udp4"
          local socket, listening, closed = new "udp4", 0, 0
          to.adopted, to.other = new "udp4", new "udp4"
          socket:on("error", function(err) assert.is_string(err.code) end)
          socket:on("listening", function() listening = listening + 1 end)
          socket:on("close", function() closed = closed + 1 end)
          local original, done = uv[place], false
          uv[place] = function(...) -- luacheck: ignore
            if not done then
              done = true
              pcall(act, socket, to)
            end
            return original(...)
          end
          local ok, err = pcall(run, socket, to)
          uv[place] = original -- luacheck: ignore
          assert.is_true(ok or type(err) == "table" and err.code ~= nil, what .. ": " .. tostring(err))
          loop.turn()
          loop.turn()
          local running, at = pcall(socket.address, socket)
          if running and at.port then assert.equal(1, listening, what) end
          if closed == 0 then
            socket:close()
            loop.turn()
          end
          assert.equal(1, closed, what)
          sockets.close_all(peer, to.adopted, to.other) -- the number of an adopted one is nobody's any more
          loop.run()
        end
      end
    end)
  end
end)
