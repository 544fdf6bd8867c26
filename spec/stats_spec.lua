-- SPDX-License-Identifier: MIT
-- stats(): what the kernel dropped, and all of it after close.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local need, expect, new = can.need, loop.expect, sockets.new
local unpack = table.unpack or unpack

-- A socket that does not read, and how many of the datagrams that were sent to it the kernel had no room for.
local function overrun(fd)
  local receiver = new "udp4"
  local at = receiver:bindSync { address = "127.0.0.1", fd = fd }
  receiver:setRecvBufferSize(10000)
  local sender = new { type = "udp4", gso = false }
  for _ = 1, 200 do
    sender:send(("x"):rep(500), at.port, at.address)
    sender:flush()
  end
  loop.turn()
  local dropped = receiver:stats().dropped
  need(pending, dropped, "the system does not say what it dropped")
  return receiver, sender, dropped
end

describe("stats().dropped", function()
  loop.guard()

  it("counts what the kernel had no room for, and is still there after close", function()
    local receiver, sender, dropped = overrun()
    local got = 0
    assert.is_true(dropped > 0)
    receiver:on("message", function() got = got + 1 end)
    loop.wait(function() return got + dropped == 200 end)
    local before = receiver:stats()
    sockets.close_all(receiver, sender)
    assert.equal(dropped, receiver:stats().dropped)
    loop.run()
    assert.same(before, receiver:stats())
  end)

  it("is what the kernel said last where nobody had asked before close", function()
    local receiver, sender = overrun()
    local asked = receiver:stats().dropped
    sender:send("one more", receiver:address().port, "127.0.0.1")
    sender:flush()
    receiver:close(expect())
    sender:close()
    loop.run()
    assert.equal(asked + 1, receiver:stats().dropped)
  end)

  it("is there for adopted descriptors, too", function()
    local maker = new "udp4"
    local heir, sender, dropped = overrun(maker:fileno())
    assert.is_true(dropped > 0)
    sockets.close_all(heir, sender)
    loop.run()
    assert.equal(dropped, heir:stats().dropped)
    maker:close() -- its number is nobody's any more
    loop.run()
  end)

  it("of a socket that lost nothing is 0, bound or not", function()
    for _, kind in ipairs { "udp4", "unix_dgram" } do
      local socket, idle = new(kind), new(kind)
      socket:bind(kind == "udp4" and 0 or unix.path(), kind == "udp4" and "127.0.0.1" or nil)
      local before = { socket:stats().dropped, idle:stats().dropped }
      sockets.close_all(socket, idle)
      loop.run()
      assert.same(before, { socket:stats().dropped, idle:stats().dropped })
      assert.equal(0, before[1] or 0)
    end
  end)
end)

describe("stats().sendErrors", function()
  loop.guard()

  -- Each datagram that was accepted is either sent or an error, whatever kept it from going.
  local function check(socket, accepted, errors)
    loop.run()
    local stats = socket:stats()
    assert.same({ accepted - errors, errors }, { stats.messagesSent, stats.sendErrors })
  end

  local function refuse(_, _, answer) answer { name = "Error", code = "ENOTFOUND", message = "no such name" } end

  it("counts what waited for a look-up that failed, also lists", function()
    local socket = new { type = "udp4", lookup = refuse }
    socket:on("error", function() end)
    socket:send("one", 9, "no.such.name")
    socket:sendMany({ "two", "three" }, 9, "no.such.name")
    socket:send("four", 9, "127.0.0.1")
    socket:close()
    check(socket, 4, 3)
  end)

  it("counts what was sent to a literal that the socket cannot reach", function()
    local socket = new "udp4"
    socket:send("one", 9, "::1", function() end)
    socket:sendMany({ "two", "three" }, 9, "::1", function() end)
    socket:close()
    check(socket, 3, 3)
  end)

  it("counts what waited for a bind that failed", function()
    local socket = new { type = "udp4", lookup = refuse }
    local answer
    local waiting = new { type = "udp4", lookup = function(_, _, cb) answer = cb end }
    socket:close()
    waiting:on("error", function() waiting:close() end)
    waiting:bind(0, "some.name")
    waiting:send("one", 9, "127.0.0.1", function() end)
    waiting:send("two", 9, "127.0.0.1", function() end)
    refuse(nil, nil, answer)
    check(waiting, 2, 2)
  end)

  it("counts what discard gave up, and what had been refused behind it", function()
    local list = dgram.BlockList()
    list:addAddress "127.0.0.2"
    local answer
    local socket = new { type = "udp4", sendBlockList = list, lookup = function(_, _, cb) answer = cb end }
    socket:on("error", function() end)
    socket:bind(0, "some.name")
    socket:send("one", 9, "127.0.0.1", function() end)
    socket:send("two", 9, "127.0.0.2", function() end)
    assert.equal(1, socket:discard())
    answer(nil, "127.0.0.1", 4)
    socket:close()
    check(socket, 2, 2)
  end)
end)

describe("stats() adds up", function()
  loop.guard()

  local fields = { "messagesReceived", "bytesReceived", "messagesSent", "bytesSent", "sendErrors", "blocked",
    "strangers", "truncated", "receiveCalls", "sendCalls" }

  it("and has whole numbers from the begin on, and says what is engaged", function()
    local socket = new "udp4"
    local stats = socket:stats()
    for _, name in ipairs(fields) do assert.equal(0, stats[name], name) end
    assert.equal("boolean", type(stats.gso))
    assert.is_false(stats.gro)
    socket:close()
    loop.run()
  end)

  local SIZE, MANY = 200, 3000

  -- How the receiver takes what has room in its buffer.
  local takers = {
    ["by message"] = function(socket) socket:on("message", function() end) end,
    ["by batch"] = function(socket) socket:on("batch", function() end) end,
    ["by both"] = function(socket) socket:on("batch", function() end):on("message", function(_, _) end) end,
    ["by receive"] = function(socket)
      coroutine.wrap(function() while socket:receive() do end end)()
    end,
    ["by receiveMany"] = function(socket)
      coroutine.wrap(function() while socket:receiveMany(100, math.huge) do end end)()
    end,
  }

  for how, take in pairs(takers) do
    for _, gso in ipairs { true, false } do
      it(("to the datagram, %s, %s: sent is received and dropped"):format(how, gso and "trains" or "singly"), function()
        local receiver = new { type = "udp4", gro = false, recvBufferSize = 20000 }
        local at = receiver:bindSync { address = "127.0.0.1" }
        need(pending, receiver:stats().dropped, "the system does not say what it dropped")
        local sender = new { type = "udp4", gso = gso }
        local function send(count)
          for i = 1, count do
            sender:send(("x"):rep(SIZE), at.port, at.address)
            if i % 500 == 0 then sender:flush() end
          end
          sender:flush()
        end
        send(MANY)
        take(receiver)
        local function sum()
          local stats = receiver:stats()
          return stats.messagesReceived + stats.dropped
        end
        loop.wait(function() return sum() == MANY end)
        send(10)
        loop.wait(function() return sum() == MANY + 10 end)
        loop.turn()
        local sent, got = sender:stats(), receiver:stats()
        assert.is_true(got.dropped > 0)
        assert.same({ MANY + 10, (MANY + 10) * SIZE, 0 }, { sent.messagesSent, sent.bytesSent, sent.sendErrors })
        assert.equal(sent.messagesSent, got.messagesReceived + got.dropped)
        assert.equal(SIZE * got.messagesReceived, got.bytesReceived)
        assert.is_true(got.receiveCalls > 0 and sent.sendCalls > 0 and got.truncated == 0)
        assert.same({ false, gso and sent.gso }, { got.gro, sent.gso })
        sockets.close_all(receiver, sender)
        loop.run()
        assert.same(got.messagesReceived, receiver:stats().messagesReceived)
      end)
    end
  end

  it("with those that are blocked, and with strangers", function()
    local list = dgram.BlockList()
    list:addAddress "127.0.0.2"
    for how, take in pairs(takers) do
      local receiver = new { type = "udp4", gro = false, receiveBlockList = list }
      local at = receiver:bindSync { address = "127.0.0.1" }
      local peer, stranger, blocked = sockets.bound "udp4", sockets.bound "udp4", new "udp4"
      blocked:bind(0, "127.0.0.2")
      for _ = 1, 30 do
        for _, from in ipairs { peer, blocked, stranger } do
          from:send("x", at.port, at.address)
          from:flush()
        end
      end
      receiver:connectSync(peer:address().port, "127.0.0.1")
      take(receiver)
      loop.wait(function() return receiver:stats().messagesReceived == 30 and receiver:stats().strangers == 60 end)
      receiver:disconnect()
      blocked:send("x", at.port, at.address)
      stranger:send("x", at.port, at.address)
      loop.wait(function() return receiver:stats().blocked == 1 and receiver:stats().messagesReceived == 31 end)
      local stats = receiver:stats()
      assert.equal(92, stats.messagesReceived + stats.strangers + stats.blocked + (stats.dropped or 0), how)
      sockets.close_all(receiver, peer, stranger, blocked)
      loop.run()
    end
  end)
end)

describe("pause, drain and sendQueueLimit", function()
  loop.guard()

  it("beside batch and calls: what waits is kept, in order, and comes once", function()
    local receiver, port = sockets.bound { type = "udp4", gro = true, recvBufferSize = 1000000 }
    local sender, seen, got = sockets.bound "udp4", {}, {}
    receiver:on("batch", function(messages)
      for _, msg in ipairs(messages) do seen[#seen + 1] = msg end
      receiver:pause()
    end)
    coroutine.wrap(function()
      while true do
        local msg = receiver:receive()
        if not msg then return end
        got[#got + 1] = msg
      end
    end)()
    local wanted = {}
    for i = 1, 200 do wanted[i] = ("%03d"):format(i) end
    for first = 1, 200, 50 do
      sender:sendMany({ unpack(wanted, first, first + 49) }, port, "127.0.0.1")
      sender:flush()
      repeat
        loop.wait(function() return receiver:state().paused end)
        loop.turn()
        local heard = #seen
        assert.same({ nil, "timeout" }, { receiver:receive(0) })
        assert.is_true(#got < heard) -- the messages of the last batch wait for resume
        receiver:resume()
        loop.wait(function() return #got >= heard end)
      until #got == first + 49
    end
    assert.same(wanted, seen)
    assert.same(wanted, got)
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("beside receiveMany of a paused socket: it takes nothing, and all after resume", function()
    local receiver, port = sockets.bound "udp4"
    local sender = sockets.bound "udp4"
    receiver:pause()
    sender:sendMany({ "1", "2", "3" }, port, "127.0.0.1")
    sender:flush()
    assert.same({ nil, "timeout" }, { receiver:receiveMany() })
    receiver:resume()
    assert.same({ "1", "2", "3" }, (receiver:receiveMany()))
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  for _, event in ipairs { "batch", "receive" } do
    it("where " .. event .. " answers more than the limit takes: refused, told, and drained", function()
      local path, own = unix.path(), unix.path()
      local server = new { type = "unix_dgram", sendQueueLimit = 4000 }
      server:bind(path)
      local slow = new "unix_dgram"
      slow:bind(own)
      local heard, refused, sent, drained = 0, 0, 0, 0
      slow:on("message", function() heard = heard + 1 end)
      slow:pause()
      local full
      local function answer()
        for _ = 1, 40 do
          if not server:send(("a"):rep(100), own, function(err)
            if not err then sent = sent + 1 return end
            assert.equal("ENOBUFS", err.code)
            refused = refused + 1
          end) then full = true end
        end
      end
      server:on("drain", function() drained = drained + 1 end)
      if event == "batch" then
        server:on("batch", function(messages) for _ = 1, #messages do answer() end end)
      else
        coroutine.wrap(function() while server:receive() do answer() end end)()
      end
      local asker = new "unix_dgram"
      for _ = 1, 3 do asker:send("?", path) end
      loop.wait(function() return refused > 0 end)
      slow:resume()
      loop.wait(function() return sent + refused == 120 and heard == sent and (drained > 0 or not full) end)
      assert.equal(0, server:getSendQueueCount())
      local stats = server:stats()
      assert.same({ sent, refused }, { stats.messagesSent, stats.sendErrors })
      sockets.close_all(server, slow, asker)
      loop.run()
    end)
  end
end)
