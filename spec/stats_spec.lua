-- SPDX-License-Identifier: MIT
-- stats(): what the kernel dropped, and all of it after close.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local need, expect, new = can.need, loop.expect, sockets.new

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
