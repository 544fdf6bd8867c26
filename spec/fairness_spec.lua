-- SPDX-License-Identifier: MIT
-- The loop's turns are short: listeners, callbacks and deferred events of all sockets together have some 5 ms of one, a
-- socket 2,048 datagrams, and the next turn begins where this one stopped. Slow code is timed by its own clock, and what
-- is counted is its calls in one turn, in each of which the loop has its timers called: a slow machine only has fewer.
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram, uv = require "dgram", require "luv"

local new = sockets.new

local function burn(milliseconds)
  local till = uv.hrtime() + milliseconds * 1e6
  while uv.hrtime() < till do end
end

-- Counts calls of slow code in each turn of the loop.
local function pace()
  local self = { calls = 0, most = 0 }
  local check, since = uv.new_check(), 0
  check:start(function() self.most, since = math.max(self.most, self.calls - since), self.calls end)
  function self.slow(milliseconds)
    self.calls = self.calls + 1
    burn(milliseconds)
  end
  function self.stop()
    check:close()
    return self.most
  end
  return self
end

local function at_most(milliseconds)
  return math.ceil(5 / milliseconds) + 1
end

local function flood(sender, port, count)
  for i = 1, count do
    sender:send("number " .. i, port, "127.0.0.1")
    if i % 100 == 0 then sender:flush() end
  end
  sender:flush()
end

local function large(listener)
  return sockets.bound({ type = "udp4", recvBufferSize = 4000000 }, listener)
end

describe("a slow listener", function()
  loop.guard()

  for how, options in pairs { ["datagrams that came singly"] = { gso = false }, ["trains"] = { gso = true } } do
    it("under a flood leaves timers their turn, in the midst of a batch: " .. how, function()
      local time, got = pace(), {}
      local receiver, port = large(function(msg)
        got[#got + 1] = msg
        time.slow(2)
      end)
      receiver:setRecvBufferSize(4000000)
      local sender = new { type = "udp4", gso = options.gso }
      flood(sender, port, 150)
      loop.wait(function() return #got == 150 end, 20)
      assert.is_true(time.stop() <= at_most(2), time.most .. " calls in a turn")
      for i = 1, 150 do assert.equal("number " .. i, got[i]) end
      sockets.close_all(receiver, sender)
      loop.run()
    end)
  end

  it("that raises loses nothing, and is no less slow", function()
    local time, raised, got = pace(), 0, {}
    dgram.setUncaughtHandler(function(err)
      assert(tostring(err):find("on purpose", 1, true), err)
      raised = raised + 1
    end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    local receiver, port = large(function(msg)
      got[#got + 1] = msg
      time.slow(2)
      error("on purpose", 0)
    end)
    local sender = new "udp4"
    flood(sender, port, 60)
    loop.wait(function() return #got == 60 end, 20)
    assert.is_true(time.stop() <= at_most(2), time.most .. " calls in a turn")
    assert.equal(60, raised)
    for i = 1, 60 do assert.equal("number " .. i, got[i]) end
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("on each of a hundred sockets: all of them share the turn, and each gets its own", function()
    local time, order, list = pace(), {}, {}
    for i = 1, 100 do
      list[i] = sockets.bound("udp4", function()
        order[#order + 1] = i
        time.slow(1)
      end)
    end
    local sender = new "udp4"
    for _, socket in ipairs(list) do
      for _ = 1, 3 do sender:send("x", socket:address().port, "127.0.0.1") end
    end
    sender:flush()
    loop.wait(function() return #order == 300 end, 20)
    assert.is_true(time.stop() <= at_most(1), time.most .. " calls in a turn")
    local calls = {}
    for _, i in ipairs(order) do calls[i] = (calls[i] or 0) + 1 end
    for i = 1, 100 do assert.equal(3, calls[i]) end
    for _, socket in ipairs(list) do socket:close() end
    sender:close()
    loop.run()
  end)

  it("on some sockets that are never empty starves none of the others", function()
    local list, calls, over = {}, {}, false
    local sender = peers.new()
    for i = 1, 8 do
      calls[i] = 0
      list[i] = large(function()
        if over then return end
        calls[i] = calls[i] + 1
        for _ = 1, 2 do sender:send("more", list[i]:address().port) end
        burn(2)
      end)
      sender:send("first", list[i]:address().port)
    end
    loop.wait(function()
      for i = 1, 8 do if calls[i] < 10 then return false end end
      return true
    end, 30)
    over = true
    local least, most = math.huge, 0
    for i = 1, 8 do least, most = math.min(least, calls[i]), math.max(most, calls[i]) end
    assert.is_true(most <= 6 * least + 10, ("%d calls and %d"):format(least, most))
    for _, socket in ipairs(list) do socket:close() end
    sender:close()
    loop.run()
  end)

  it("of a Unix socket leaves timers their turn", function()
    local time, got = pace(), {}
    local receiver, path = unix.bound(function(msg)
      got[#got + 1] = { msg = msg }
      time.slow(2)
    end)
    local sender = new "unix_dgram"
    for i = 1, 60 do sender:send("number " .. i, path) end
    loop.wait(function() return #got == 60 end, 20)
    assert.is_true(time.stop() <= at_most(2), time.most .. " calls in a turn")
    unix.check_filled(got, 60)
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("that pauses or closes its socket when the turn is used up is called no more", function()
    for _, how in ipairs { "pause", "close", "removeAllListeners" } do
      local got = 0
      local receiver, port = large(function() end)
      receiver:removeAllListeners "message"
      receiver:on("message", function()
        got = got + 1
        burn(2)
        if got == 4 then receiver[how](receiver) end
      end)
      local sender = new "udp4"
      flood(sender, port, 40)
      loop.wait(function() return got == 4 end)
      loop.pass(20)
      assert.equal(4, got, how)
      if how ~= "close" then receiver:close() end
      sender:close()
      loop.run()
    end
  end)

  it("has its answers sent though the turn is used up", function()
    local answers, got = {}, 0
    local receiver, port
    receiver, port = large(function(msg, rinfo)
      got = got + 1
      receiver:send("to " .. msg, rinfo.port, rinfo.address)
      burn(6)
      -- what the one before was answered has gone by now: its dispatch is over
      assert.equal(1, receiver:getSendQueueCount())
    end)
    local sender = sockets.bound("udp4", function(msg) answers[#answers + 1] = msg end)
    flood(sender, port, 10)
    loop.wait(function() return #answers == 10 end)
    for i = 1, 10 do assert.equal("to number " .. i, answers[i]) end
    sockets.close_all(receiver, sender)
    loop.run()
  end)
end)

describe("slow callbacks", function()
  loop.guard()

  it("of thousands of sends leave timers their turn, and come in order", function()
    local time, told = pace(), 0
    local receiver, port = sockets.bound("udp4", function() end)
    local sender, total = new "udp4", 2000
    for i = 1, total do
      sender:send("x", port, "127.0.0.1", function(err)
        assert.is_nil(err)
        assert.equal(told + 1, i)
        told = i
        if i % 10 == 0 then time.slow(1) end
      end)
    end
    loop.wait(function() return told == total end, 30)
    assert.is_true(time.stop() <= at_most(1), time.most .. " slow calls in a turn")
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("of a stuck Unix peer, too", function()
    local time, told, got = pace(), 0, 0
    local receiver, path = unix.bound()
    local sender, total = new "unix_dgram", 200
    for i = 1, total do
      sender:send("x", path, function(err)
        assert.is_nil(err)
        assert.equal(told + 1, i)
        told = i
        time.slow(1)
      end)
    end
    loop.turn()
    receiver:on("message", function() got = got + 1 end)
    loop.wait(function() return told == total and got == total end, 30)
    assert.is_true(time.stop() <= at_most(1), time.most .. " calls in a turn")
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("that raise lose none of the others", function()
    local raised, told = 0, 0
    dgram.setUncaughtHandler(function() raised = raised + 1 end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    local receiver, port = sockets.bound("udp4", function() end)
    local sender = new "udp4"
    for _ = 1, 50 do
      sender:send("x", port, "127.0.0.1", function()
        told = told + 1
        burn(1)
        error "on purpose"
      end)
    end
    loop.wait(function() return told == 50 end, 20)
    loop.turn()
    assert.equal(50, raised)
    sockets.close_all(receiver, sender)
    loop.run()
  end)
end)

describe("slow deferred events", function()
  loop.guard()

  it("leave timers their turn, and come in order", function()
    local time, told = pace(), {}
    local socket = new "udp4"
    for i = 1, 60 do
      socket:send("x", 9, "::1", function(err)
        assert.is_truthy(err)
        told[#told + 1] = i
        time.slow(2)
      end)
    end
    loop.wait(function() return #told == 60 end, 20)
    assert.is_true(time.stop() <= at_most(2), time.most .. " calls in a turn")
    for i = 1, 60 do assert.equal(i, told[i]) end
    socket:close()
    loop.run()
  end)

  it("that make more of them starve no socket", function()
    local receiver_heard, called, over = nil, 0, false
    local receiver, port = sockets.bound("udp4", function() receiver_heard = receiver_heard or called end)
    local busy, sender = new "udp4", new "udp4"
    local function again()
      called = called + 1
      burn(1)
      if not over then busy:send("x", 9, "::1", again) end
    end
    for _ = 1, 40 do busy:send("x", 9, "::1", again) end
    sender:send("hello", port, "127.0.0.1")
    loop.wait(function() return receiver_heard or called > 600 end, 20)
    over = true
    assert.is_truthy(receiver_heard, "nothing was heard in " .. called .. " calls")
    assert.is_true(receiver_heard < 80, "it was heard after " .. tostring(receiver_heard) .. " calls")
    loop.turn()
    sockets.close_all(receiver, busy, sender)
    loop.run()
  end)

  it("that raise starve no socket either", function()
    local heard, called, over = nil, 0, false
    dgram.setUncaughtHandler(function() end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    local receiver, port = sockets.bound("udp4", function() heard = heard or called end)
    local busy, sender = new "udp4", new "udp4"
    local function again()
      called = called + 1
      if not over then busy:send("x", 9, "::1", again) end
      burn(6)
      error "on purpose"
    end
    for _ = 1, 10 do busy:send("x", 9, "::1", again) end
    sender:send("hello", port, "127.0.0.1")
    loop.wait(function() return heard or called > 200 end, 20)
    over = true
    assert.is_truthy(heard, "nothing was heard in " .. called .. " calls")
    loop.turn()
    sockets.close_all(receiver, busy, sender)
    loop.run()
  end)

  it("and a flood leave each other their turn", function()
    local events, datagrams, over = 0, 0, false
    local sender = peers.new()
    local receiver, port
    receiver, port = large(function()
      datagrams = datagrams + 1
      if not over then for _ = 1, 2 do sender:send("more", port) end end
      burn(2)
    end)
    local busy = new "udp4"
    local function again()
      events = events + 1
      burn(2)
      if not over then busy:send("x", 9, "::1", again) end
    end
    for _ = 1, 10 do busy:send("x", 9, "::1", again) end
    sender:send("first", port)
    loop.wait(function() return events >= 30 and datagrams >= 30 end, 20)
    over = true
    receiver:close()
    sender:close()
    loop.turn()
    busy:close()
    loop.run(20)
  end)
end)

describe("a socket's share of a turn", function()
  loop.guard()

  it("is 2,048 datagrams, whatever they cost", function()
    local got, most, since = 0, 0, 0
    local receiver, port = sockets.bound({ type = "udp4", gro = true, recvBufferSize = 8000000 }, function()
      got = got + 1
    end)
    receiver:setRecvBufferSize(8000000)
    local sender, list = new "udp4", {}
    for i = 1, 128 do list[i] = "x" end
    receiver:pause()
    for _ = 1, 80 do
      sender:sendMany(list, port, "127.0.0.1")
      sender:flush()
    end
    local here = sender:stats().messagesSent - (receiver:stats().dropped or 0) * 128
    local check = uv.new_check()
    check:start(function()
      most, since = math.max(most, got - since), got
    end)
    receiver:resume()
    loop.wait(function() return got >= math.min(here, 5000) end)
    check:close()
    assert.is_true(most <= 2048, most .. " in a turn")
    sockets.close_all(receiver, sender)
    loop.run()
  end)
end)

-- luv from 1.50 on runs no loop inside of its own.
local function nests()
  local answer
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    timer:close()
    answer = pcall(dgram.run, "nowait")
  end)
  loop.run()
  return answer
end

describe("a loop inside of a listener", function()
  loop.guard()

  it("goes on though the listener's turn is used up", function()
    if not nests() then pending "this luv runs no loop inside of its own" end
    local got, inside = {}, false
    local receiver, port = large(function() end)
    receiver:removeAllListeners "message"
    receiver:on("message", function(msg)
      got[#got + 1] = msg
      burn(6)
      if inside then return end
      inside = true
      loop.wait(function() return #got == 20 end)
    end)
    local sender = new "udp4"
    flood(sender, port, 20)
    loop.wait(function() return #got == 20 end)
    for i = 1, 20 do assert.equal("number " .. i, got[i]) end
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("goes on behind a socket's 2,048 datagrams", function()
    if not nests() then pending "this luv runs no loop inside of its own" end
    local got, inside = 0, false
    local sender = peers.new()
    local receiver, port
    receiver, port = large(function()
      got = got + 1
      if got < 5000 then sender:send("x", port) end
      if inside then return end
      inside = true
      loop.wait(function() return got == 5000 end, 20)
    end)
    sender:send("x", port)
    loop.wait(function() return got == 5000 end, 20)
    receiver:close()
    sender:close()
    loop.run()
  end)

  it("waits without spinning once nothing is due any more", function()
    if not nests() then pending "this luv runs no loop inside of its own" end
    local turns, inside = nil, false
    local other = sockets.bound("udp4", function() end)
    local receiver, port
    receiver, port = large(function(_, rinfo)
      if inside then return end
      inside = true
      receiver:send("answer", rinfo.port, rinfo.address)
      local count, over, timer = loop.count_turns(), false, uv.new_timer()
      timer:start(100, 0, function() over = true end)
      while not over do dgram.run "once" end
      timer:close()
      turns = count()
    end)
    other:send("x", port, "127.0.0.1")
    loop.wait(function() return turns end)
    assert.is_true(turns < 30, turns .. " turns of the loop")
    sockets.close_all(receiver, other)
    loop.run()
  end)
end)
