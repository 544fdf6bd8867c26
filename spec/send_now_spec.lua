-- SPDX-License-Identifier: MIT
-- When a send goes to the kernel: the first one of a socket outside of dgram's callbacks within its call, others with the
-- batch, the dispatch or the turn.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram, uv = require "dgram", require "luv"

local need, new = can.need, sockets.new

local function close(...)
  sockets.close_all(...)
  loop.run()
end

local function sent(socket) return socket:stats().messagesSent end

-- A receiver's address as arguments of send, behind what is sent.
local function target(kind)
  if kind == "unix_dgram" then
    local receiver, path = unix.bound(function() end)
    return receiver, { path }
  end
  local receiver, port = sockets.bound(kind, function() end)
  return receiver, { port, sockets.loopback[kind] }
end

local unpack = table.unpack or unpack

for _, kind in ipairs { "udp4", "udp6", "unix_dgram" } do
  describe(("outside of callbacks, %s:"):format(kind), function()
    loop.guard()

    local function start(connected)
      if kind == "udp6" then need(pending, can.ipv6()) end
      local receiver, to = target(kind)
      local sender = new(kind)
      if connected then
        sender:connect(unpack(to))
        loop.turn()
        to = {}
      end
      local function send(msg, callback)
        local arguments = { msg, unpack(to) }
        arguments[#arguments + 1] = callback
        return sender:send(unpack(arguments))
      end
      return sender, receiver, send, to
    end

    for how, connected in pairs { ["a connected socket"] = true, ["a socket"] = false } do
      it(("the first send of %s goes within the call, the second waits for the turn"):format(how), function()
        local sender, receiver, send = start(connected)
        for turn = 0, 2 do
          assert.is_true(send "first")
          assert.same({ 3 * turn + 1, 0 }, { sent(sender), sender:getSendQueueCount() })
          send "second"
          send "third"
          assert.same({ 3 * turn + 1, 2 }, { sent(sender), sender:getSendQueueCount() })
          loop.turn()
          assert.same({ 3 * turn + 3, 0 }, { sent(sender), sender:getSendQueueCount() })
        end
        close(sender, receiver)
      end)
    end

    it("with a callback it goes as well; the callback comes later, before the second one's", function()
      local sender, receiver, send = start()
      local told = {}
      send("first", function(err, bytes) told[#told + 1] = err or bytes end)
      assert.equal(1, sent(sender))
      send("2nd", function(err, bytes) told[#told + 1] = err or bytes end)
      assert.same({ 1, {} }, { sent(sender), told })
      loop.turn()
      assert.same({ 5, 3 }, told)
      close(sender, receiver)
    end)

    it("flush opens the turn for nobody: what follows it waits, or goes with the next flush", function()
      local sender, receiver, send = start()
      send "first"
      sender:flush()
      send "second"
      sender:flush()
      assert.same({ 2, 0 }, { sent(sender), sender:getSendQueueCount() })
      loop.turn()
      close(sender, receiver)
    end)

    it("sendMany as the first goes whole within the call", function()
      local sender, receiver, _, to = start()
      sender:setSendBufferSize(1000000)
      local list, told = {}, 0
      for i = 1, 4 do list[i] = "number " .. i end
      to = { list, unpack(to) }
      to[#to + 1] = function(err, count)
        assert.is_nil(err)
        told = told + count
      end
      assert.is_true(sender:sendMany(unpack(to)))
      assert.same({ 4, 0, 0 }, { sent(sender), sender:getSendQueueCount(), told })
      sender:sendMany(unpack(to))
      assert.same({ 4, 4 }, { sent(sender), sender:getSendQueueCount() })
      loop.turn()
      assert.same({ 8, 8 }, { sent(sender), told })
      close(sender, receiver)
    end)

    it("each socket has a first one of its own", function()
      local a, receiver, send_a = start()
      local b, other, send_b = start()
      send_a "a"
      send_b "b"
      assert.same({ 1, 1 }, { sent(a), sent(b) })
      close(a, b, receiver, other)
    end)
  end)
end

describe("a first send", function()
  loop.guard()

  it("that fails is told later: to its callback, or as an event", function()
    local socket, told, events = new "udp4", {}, {}
    socket:on("error", function(err) events[#events + 1] = err.code end)
    socket:send(("x"):rep(65508), 9, "127.0.0.1", function(err) told[#told + 1] = err.code end)
    assert.same({ {}, {} }, { told, events })
    loop.turn()
    socket:send(("x"):rep(65508), 9, "127.0.0.1")
    assert.same({ { "EMSGSIZE" }, {} }, { told, events })
    loop.turn()
    assert.same({ { "EMSGSIZE" }, { "EMSGSIZE" } }, { told, events })
    close(socket)
  end)

  it("that the kernel does not take waits, and goes in order", function()
    local reader, path = unix.bound()
    local sender, got = new "unix_dgram", {}
    for i = 1, 60 do
      sender:send("number " .. i, path)
      loop.turn()
    end
    assert.is_true(sender:getSendQueueCount() > 0)
    reader:on("message", function(msg) got[#got + 1] = { msg = msg } end)
    loop.wait(function() return #got == 60 end)
    unix.check_filled(got, 60)
    close(sender, reader)
  end)

  it("to a name waits for the look-up, and holds back no other one", function()
    local answer
    local receiver, port = sockets.bound("udp4", function() end)
    local sender = new { type = "udp4", lookup = function(_, _, cb) answer = cb end }
    sender:send("to a name", port, "name.test")
    assert.same({ 0, 1 }, { sent(sender), sender:getSendQueueCount() })
    sender:send("to a literal", port, "127.0.0.1")
    assert.same({ 1, 1 }, { sent(sender), sender:getSendQueueCount() })
    answer(nil, "127.0.0.1", 4)
    loop.turn()
    assert.same({ 2, 0 }, { sent(sender), sender:getSendQueueCount() })
    close(sender, receiver)
  end)

  it("waits while a bind waits for a name", function()
    local answer
    local receiver, port = sockets.bound("udp4", function() end)
    local sender = new { type = "udp4", lookup = function(_, _, cb) answer = cb end }
    sender:bind(0, "name.test")
    sender:send("x", port, "127.0.0.1")
    assert.same({ 0, 1 }, { sent(sender), sender:getSendQueueCount() })
    answer(nil, "127.0.0.1", 4)
    loop.turn()
    assert.same({ 1, 0 }, { sent(sender), sender:getSendQueueCount() })
    close(sender, receiver)
  end)

  it("in a callback of luv's goes within the call, too", function()
    local receiver, port = sockets.bound("udp4", function() end)
    local sender, timer = new "udp4", uv.new_timer()
    local seen
    timer:start(0, 0, function()
      timer:close()
      sender:send("first", port, "127.0.0.1")
      sender:send("second", port, "127.0.0.1")
      seen = { sent(sender), sender:getSendQueueCount() }
    end)
    loop.wait(function() return seen end)
    assert.same({ 1, 1 }, seen)
    close(sender, receiver)
  end)
end)

describe("inside of dgram's callbacks", function()
  loop.guard()

  it("answers wait for the end of the dispatch, and no longer", function()
    local client, answers = new "udp4", {}
    local seen, check = {}, uv.new_check()
    local server, port
    server, port = sockets.bound("udp4", function(_, rinfo)
      for i = 1, 3 do server:send("answer " .. i, rinfo.port, rinfo.address) end
      seen[#seen + 1] = server:getSendQueueCount()
    end)
    check:start(function()
      if #seen > 0 then seen.after = seen.after or server:getSendQueueCount() end
    end)
    client:on("message", function(msg) answers[#answers + 1] = msg end)
    client:send("question", port, "127.0.0.1")
    loop.wait(function() return #answers == 3 end)
    check:close()
    assert.same({ 3, after = 0 }, seen)
    assert.same({ "answer 1", "answer 2", "answer 3" }, answers)
    close(server, client)
  end)

  it("a send of another socket, in a send's callback, waits likewise", function()
    local receiver, port = sockets.bound("udp4", function() end)
    local a, b, seen = new "udp4", new "udp4", nil
    a:send("x", port, "127.0.0.1", function()
      b:send("y", port, "127.0.0.1")
      seen = b:getSendQueueCount()
    end)
    loop.wait(function() return seen end)
    loop.turn(1)
    assert.same({ 1, 1, 0 }, { seen, sent(b), b:getSendQueueCount() })
    close(a, b, receiver)
  end)
end)

describe("a program that ends without closing", function()
  loop.guard()

  -- Runs a program that sends to %d and calls os.exit; returns what came.
  local function ends(source)
    local got = {}
    local receiver, port = sockets.bound("udp4", function(msg) got[#got + 1] = msg end)
    child.lua_ok(('local dgram, port = require "dgram", %d\n%s\nos.exit(0)'):format(port, source))
    loop.turn()
    close(receiver)
    return got
  end

  it("has sent the first datagram of each socket", function()
    assert.same({ "a", "b" }, ends [[
      dgram.createSocket "udp4":send("a", port, "127.0.0.1")
      dgram.createSocket "udp4":send("b", port, "127.0.0.1", print)
    ]])
  end)

  it("has sent a list that was first", function()
    assert.same({ "a", "b", "c" }, ends [[
      dgram.createSocket "udp4":sendMany({ "a", "b", "c" }, port, "127.0.0.1")
    ]])
  end)

  it("has sent all of them behind flush", function()
    assert.same({ "a", "b", "c" }, ends [[
      local socket = dgram.createSocket "udp4"
      for _, msg in ipairs { "a", "b", "c" } do socket:send(msg, port, "127.0.0.1") end
      socket:flush()
    ]])
  end)

  it("has sent the first one of the loop's last turn", function()
    assert.same({ "a", "b" }, ends [[
      local socket = dgram.createSocket "udp4"
      socket:send("a", port, "127.0.0.1")
      dgram.run "nowait"
      socket:send("b", port, "127.0.0.1")
    ]])
  end)

  it("and has no loop has sent each one", function()
    assert.same({ "a", "b", "c" }, ends [[
      package.loaded.luv, package.preload.luv, package.preload.uv = nil, error, error
      local socket = dgram.createSocket "udp4"
      for _, msg in ipairs { "a", "b", "c" } do socket:send(msg, port, "127.0.0.1") end
    ]])
  end)
end)

describe("a first send from a finalizer", function()
  loop.guard()

  it("and those around it all go, once", function()
    local finalized = require "spec.support.finalized"
    local got = {}
    local receiver, port = sockets.bound("udp4", function(msg) got[msg] = (got[msg] or 0) + 1 end)
    local sender = new "udp4"
    for i = 1, 50 do
      finalized(function() sender:send("finalizer " .. i, port, "127.0.0.1") end)
      sender:send("plain " .. i, port, "127.0.0.1", function() collectgarbage "step" end)
      loop.turn(1)
    end
    collectgarbage()
    collectgarbage()
    loop.wait(function()
      for i = 1, 50 do
        if not (got["finalizer " .. i] and got["plain " .. i]) then return false end
      end
      return true
    end)
    for msg, count in pairs(got) do assert.equal(1, count, msg) end
    close(sender, receiver)
  end)

  it("takes no part in a raise: dgram.run gives it back", function()
    local socket = new "udp4"
    socket:send(("x"):rep(65508), 9, "127.0.0.1")
    faults.raised({ code = "EMSGSIZE", syscall = "send" }, dgram.run)
    close(socket)
  end)
end)
