-- SPDX-License-Identifier: MIT
-- detach(): the descriptor goes on without its socket.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"
local uv = require "luv"

local need, expect, never, new, bound = can.need, loop.expect, loop.never, sockets.new, sockets.bound

-- Numbers that no socket has.
local loose = {}

local function close_loose()
  for fd in pairs(loose) do uv.fs_close(fd) end
  loose = {}
end

local function detach(socket)
  finally(close_loose)
  local fd = socket:detach()
  loose[fd] = true
  return fd
end

--- A socket that adopts the number and collects what comes.
local function adopt(fd, kind)
  local got = {}
  local socket = new(kind or "udp4", function(msg) got[#got + 1] = msg end)
  socket:bind { fd = fd }
  loose[fd] = nil
  return socket, got
end

describe("detach", function()
  loop.guard()

  it("takes the descriptor of a bound socket, with what waits in it", function()
    local giver, port = bound "udp4"
    giver:on("message", never()):on("close", expect())
    local sender = new "udp4"
    for i = 1, 3 do sender:send("before " .. i, port, "127.0.0.1") end
    sender:flush()
    local fd = detach(giver)
    assert.same({ type = "udp4", bound = false, connected = false, paused = false, closing = false, closed = true },
      giver:state())
    sender:send("after", port, "127.0.0.1")
    local taker, got = adopt(fd)
    assert.equal(port, taker:address().port)
    loop.wait(function() return #got == 4 end)
    assert.same({ "before 1", "before 2", "before 3", "after" }, got)
    sockets.close_all(sender, taker)
    loop.run()
  end)

  it("ends the calls that wait for a datagram", function()
    for waiting = 1, 3 do
      local giver, ended = bound "udp4", {}
      for i = 1, waiting do
        coroutine.wrap(function() ended[i] = { giver:receive(i == 2 and 60000 or nil) } end)()
      end
      detach(giver)
      assert.same({}, ended)
      loop.wait(function() return #ended == waiting end)
      for i = 1, waiting do assert.same({ nil, "closed" }, ended[i]) end
    end
    loop.run()
  end)

  it("takes that of an unbound socket, which may be bound later", function()
    local giver = new "udp6"
    giver:setRecvBufferSize(50000)
    local size = giver:getRecvBufferSize()
    giver:on("close", expect())
    local fd = detach(giver)
    local taker = adopt(fd, "udp6")
    assert.equal(fd, taker:fileno())
    assert.equal(size, taker:getRecvBufferSize())
    taker:close()
    loop.run()
  end)

  it("leaves a connected one connected", function()
    local peer, port, heard = sockets.collector "udp4"
    local giver = new "udp4"
    giver:connectSync(port, "127.0.0.1")
    local taker = adopt(detach(giver))
    assert.equal(port, taker:remoteAddress().port)
    taker:send("still connected", expect(function(err) assert.is_nil(err) end))
    loop.wait(function() return #heard == 1 end)
    sockets.close_all(peer, taker)
    loop.run()
  end)

  it("passes an adopted one on", function()
    local first, port = bound "udp4"
    local second = adopt(detach(first))
    local third, got = adopt(detach(second))
    third:send("to itself", port, "127.0.0.1")
    loop.wait(function() return #got == 1 end)
    third:close()
    loop.run()
  end)

  it("keeps the number where no loop has watched it, and closes nothing", function()
    local out = child.lua_ok [[
      local dgram = require "dgram"
      local s = dgram.createSocket "udp4"
      s:bindSync { address = "127.0.0.1" }
      local number = s:fileno()
      print(s:detach() == number)
      s = nil
      collectgarbage() collectgarbage()
      local t = dgram.createSocket "udp4"
      print(t:bindSync({ fd = number }).address)
    ]]
    assert.equal("true\n127.0.0.1\n", out)
  end)

  it("sends what is queued first", function()
    local receiver, port, got = sockets.collector "udp4"
    local giver = bound "udp4"
    for i = 1, 20 do giver:send("queued " .. i, port, "127.0.0.1", expect(function(err) assert.is_nil(err) end)) end
    assert.is_true(giver:getSendQueueCount() > 0)
    detach(giver)
    loop.wait(function() return #got == 20 end)
    receiver:close()
    loop.run()
  end)

  it("fails with ECANCELED what the kernel does not take", function()
    local path = unix.path()
    local stuck, sender = unix.bound(nil, path), new "unix_dgram"
    local answered, sent, failed, errors = 0, 0, 0, 0
    local function report(err)
      answered = answered + 1
      if err then
        assert.equal("ECANCELED", err.code)
        failed = failed + 1
      else
        sent = sent + 1
      end
    end
    sender:on("error", function(err)
      assert.equal("ECANCELED", err.code)
      errors = errors + 1
    end)
    sender:on("drain", never())
    for _ = 1, 1000 do sender:send("with", path, report) end
    for _ = 1, 3 do sender:send("without", path) end
    local waits = sender:getSendQueueCount()
    assert.is_true(waits > 3)
    detach(sender)
    assert.same({ 0, 0, 0 }, { sender:getSendQueueCount(), sender:getSendQueueSize(), answered })
    sender:on("close", expect(function() assert.same({ 1000, 3 }, { answered, errors }) end))
    stuck:close()
    loop.run()
    assert.is_true(sent > 0 and failed > 0)
  end)

  it("fails with ECANCELED what waits for a look-up, and forgets a bind and a connect that do", function()
    local answers = {}
    local function lookup(_, _, answer) answers[#answers + 1] = answer end
    local giver = new { type = "udp4", lookup = lookup }
    giver:on("listening", never()):on("connect", never())
    giver:bind(0, "some.name")
    giver:connect(9, "other.name")
    giver:send("held", 9, "third.name", expect(function(err) assert.equal("ECANCELED", err.code) end))
    giver:on("error", expect(function(err) assert.equal("ECANCELED", err.code) end))
    giver:send("held", 9, "third.name")
    giver:on("close", expect())
    local fd = detach(giver)
    for _, answer in ipairs(answers) do answer(nil, "127.0.0.1", 4) end
    loop.run()
    local taker = new "udp4"
    taker:bind { fd = fd, address = "127.0.0.1" }
    loose[fd] = nil
    assert.equal("127.0.0.1", taker:address().address)
    taker:close()
    loop.run()
  end)

  it("leaves the file of a Unix socket, and its senders", function()
    local path = unix.path()
    local giver = unix.bound(nil, path)
    local sender = new "unix_dgram"
    local sent = 0
    for _ = 1, 100 do
      sender:send("x", path, function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    sender:flush()
    local fd = detach(giver)
    loop.turn()
    giver = nil -- luacheck: ignore
    collectgarbage()
    assert.equal("socket", unix.kind(path))
    local taker, got = adopt(fd, "unix_dgram")
    loop.wait(function() return #got == 100 and sent == 100 end)
    sockets.close_all(sender, taker)
    loop.run()
    assert.equal("socket", unix.kind(path)) -- who adopts it has not made it
  end)

  it("within a listener, a callback, and twice over", function()
    local giver, port = bound "udp4"
    local fd
    giver:on("message", expect(function()
      fd = detach(giver)
      faults.raised(faults.not_running, giver.detach, giver)
    end))
    giver:on("close", expect())
    for _ = 1, 5 do giver:send("x", port, "127.0.0.1") end
    loop.run()
    local taker = adopt(fd)
    taker:send("x", port, "127.0.0.1", expect(function()
      fd = detach(taker)
    end))
    loop.run()
    assert.is_truthy(uv.fs_fstat(fd))
  end)

  it("with the option signal, ref, unref, pause, moderation: nothing is left", function()
    local signal = dgram.EventEmitter()
    local list = { { type = "udp4", signal = signal }, { type = "udp4", moderation = 50 } }
    for i, options in ipairs(list) do
      local giver = bound(options, function() end)
      if i == 1 then giver:unref():pause() end
      loop.turn()
      detach(giver)
    end
    loop.run()
    signal:emit "abort"
    assert.equal(0, signal:listenerCount "abort")
  end)

  it("counts go on being told", function()
    local giver, port = bound "udp4"
    giver:send("x", port, "127.0.0.1")
    giver:flush()
    detach(giver)
    assert.equal(1, giver:stats().messagesSent)
    loop.run()
  end)

  it("raises while the socket is closing, when it is closed, and for a surplus argument", function()
    local stuck, path = unix.bound()
    local closing = new "unix_dgram"
    for _ = 1, 1000 do closing:send("x", path) end
    closing:close()
    assert.is_true(closing:state().closing)
    faults.raised(faults.not_running, closing.detach, closing)
    closing:discard()
    local closed = new "udp4"
    closed:close()
    faults.raised(faults.not_running, closed.detach, closed)
    local open = bound "udp4"
    faults.raised(faults.bad_value, open.detach, open, 1)
    assert.is_true(open:state().bound)
    sockets.close_all(stuck, open)
    loop.run()
  end)

  it("changes nothing where there is no descriptor left", function()
    need(pending, can.program "sh")
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local process = child.start("/bin/sh", { "-c", 'ulimit -n 40; exec "$@"', "sh", child.interpreter(), "-e", paths,
      "-e", [[
        local dgram = require "dgram"
        local s = dgram.createSocket("udp4", function(msg) print(msg) end)
        s:bind(0, "127.0.0.1")
        local others, ok = {}, true
        while ok do
          ok, others[#others + 1] = pcall(dgram.createSocket, "udp4")
        end
        for i = 1, 10 do s:send("x" .. i, s:address().port, "127.0.0.1", function(err) assert(not err) end) end
        local raised, err = pcall(s.detach, s)
        print(raised, err.code, err.syscall, s:state().bound)
        for i = 1, 5 do others[i]:close() end
        dgram.run "nowait"
        print(s:detach() > 0)
        os.exit(0)
      ]] }, { own = true }):wait()
    assert.equal("", process.err)
    local messages = {}
    for i = 1, 10 do messages[i] = "x" .. i .. "\n" end
    assert.equal("false\tEMFILE\tfcntl\ttrue\n" .. table.concat(messages) .. "true\n", process.out)
  end)
end)
