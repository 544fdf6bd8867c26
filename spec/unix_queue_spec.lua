-- SPDX-License-Identifier: MIT
-- A reader that does not read: its queue is full, in the kernel, and the sender's datagrams wait.
local child = require "spec.support.child"
local loop = require "spec.support.loop"
local polls = require "spec.support.polls"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local expect, new = loop.expect, sockets.new

-- How much a wait of some milliseconds costs: turns of the loop, and seconds of this process' CPU.
local function cost(milliseconds)
  local turns, before = loop.count_turns(), os.clock()
  loop.pass(milliseconds)
  local used = os.clock() - before
  return turns(), used
end

-- A sender, where it has to send to, and a reader that reads nothing until it is told to.
local function idle_reader(connected)
  local reader, path = unix.bound()
  local sender = new "unix_dgram"
  if connected then sender:connect(path) end
  local got = {}
  local function read()
    reader:on("message", function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
  end
  return { reader = reader, sender = sender, to = not connected and path or nil, path = path, got = got, read = read }
end

for how, connected in pairs { ["a connected sender"] = true, ["an unconnected sender"] = false } do
  describe("a full reader, and " .. how, function()
    loop.guard()

    it("what waits is queued, in order, and comes when the reader reads", function()
      local s = idle_reader(connected)
      s.sender:on("error", function(err) error(err, 0) end)
      local called = 0
      local total = unix.fill(s.sender, s.to, function(err)
        if err then error(err, 0) end
        called = called + 1
      end)
      local waiting = s.sender:getSendQueueCount()
      assert.is_true(waiting >= 50 and waiting < total, waiting .. " wait of " .. total)
      assert.equal(total - waiting, called)
      s.read()
      loop.wait(function() return #s.got == total and called == total end, 20)
      unix.check_filled(s.got, total)
      assert.same({ 0, 0 }, { s.sender:getSendQueueCount(), s.sender:getSendQueueSize() })
      sockets.close_all(s.reader, s.sender)
      loop.run()
    end)

    it("the wait costs no CPU", function()
      local s = idle_reader(connected)
      local total = unix.fill(s.sender, s.to)
      local waiting = s.sender:getSendQueueCount()
      local turns, used = cost(400)
      assert.equal(waiting, s.sender:getSendQueueCount())
      s.read()
      loop.wait(function() return #s.got == total end, 20)
      sockets.close_all(s.reader, s.sender)
      loop.run()
      assert.is_true(turns < 60, turns .. " turns of the loop")
      assert.is_true(used < 0.15, used .. " s of CPU")
    end)

    it("nothing spins where luv could not be told that the wait is over", function()
      local s = idle_reader(connected)
      local total = unix.fill(s.sender, s.to)
      s.read()
      dgram.setUncaughtHandler(function() end)
      polls.without(function() loop.wait(function() return #s.got == total end, 20) end)
      dgram.setUncaughtHandler(nil)
      local turns = cost(100)
      sockets.close_all(s.reader, s.sender)
      loop.run()
      assert.is_true(turns < 60, turns .. " turns of the loop")
    end)

    it("a reader that reads by and by gets everything in order", function()
      local s = idle_reader(connected)
      local total = unix.fill(s.sender, s.to)
      local function one()
        s.reader:once("message", function(msg)
          s.got[#s.got + 1] = { msg = msg }
          if #s.got == 30 then s.read() else one() end
        end)
      end
      one()
      loop.wait(function() return #s.got >= 30 end, 20)
      -- what comes meanwhile goes behind what waits
      for i = 1, 20 do s.sender:send("number " .. total + i, s.to) end
      loop.wait(function() return #s.got == total + 20 end, 20)
      unix.check_filled(s.got, total + 20)
      sockets.close_all(s.reader, s.sender)
      loop.run()
    end)

    it("close waits until all has gone", function()
      local s = idle_reader(connected)
      local total = unix.fill(s.sender, s.to)
      local closed = false
      s.sender:close(function() closed = true end)
      loop.pass(30)
      assert.is_false(closed)
      assert.is_true(s.sender:getSendQueueCount() > 0)
      s.read()
      loop.wait(function() return closed and #s.got == total end, 20)
      unix.check_filled(s.got, total)
      s.reader:close()
      loop.run()
    end)

    it("a reader that dies fails each that waits, once", function()
      local s = idle_reader(connected)
      s.sender:on("error", function(err) error(err, 0) end)
      local sent, failed = 0, 0
      local total = unix.fill(s.sender, s.to, function(err)
        if err then failed = failed + 1 else sent = sent + 1 end
      end)
      local waiting = s.sender:getSendQueueCount()
      s.reader:close()
      loop.wait(function() return sent + failed == total end, 20)
      assert.equal(waiting, failed)
      assert.equal(0, s.sender:getSendQueueCount())
      s.sender:close()
      loop.run()
      assert.equal(total, sent + failed)
    end)

    it("a reader that dies lets a closing sender end", function()
      local s = idle_reader(connected)
      s.sender:on("error", function() end)
      unix.fill(s.sender, s.to)
      s.sender:close(expect())
      loop.turn()
      s.reader:close()
      loop.run(20)
    end)

    it("errors of callbacks do not stop it", function()
      local s = idle_reader(connected)
      local raised = 0
      dgram.setUncaughtHandler(function(err)
        assert(tostring(err):find("on purpose", 1, true), err)
        raised = raised + 1
      end)
      finally(function() dgram.setUncaughtHandler(nil) end)
      local total = unix.fill(s.sender, s.to, function() error("on purpose", 0) end)
      s.read()
      loop.wait(function() return #s.got == total and raised == total end, 20)
      unix.check_filled(s.got, total)
      sockets.close_all(s.reader, s.sender)
      loop.run()
    end)

    it("a sender that is no longer reachable still delivers", function()
      local s = idle_reader(connected)
      local total = unix.fill(s.sender, s.to)
      local left = setmetatable({ s.sender }, { __mode = "v" })
      s.sender = nil
      collectgarbage()
      collectgarbage()
      loop.pass(20)
      collectgarbage()
      s.read()
      loop.wait(function() return #s.got == total end, 20)
      unix.check_filled(s.got, total)
      s.reader:close()
      -- code that LuaJIT has compiled may hold the sender as a constant
      if rawget(_G, "jit") then rawget(_G, "jit").flush() end
      loop.wait(function()
        collectgarbage()
        return left[1] == nil
      end, 20)
      loop.run()
    end)
  end)
end

describe("one full reader among several", function()
  loop.guard()

  it("is waited for; the order to each stays", function()
    local s = idle_reader(false)
    local other, path, got = unix.collector()
    local total = unix.fill(s.sender, s.to)
    for i = 1, 40 do s.sender:send("number " .. i, path) end
    s.read()
    loop.wait(function() return #s.got == total and #got == 40 end, 20)
    unix.check_filled(s.got, total)
    unix.check_filled(got, 40)
    sockets.close_all(s.reader, s.sender, other)
    loop.run()
  end)

  it("does not hold up another sender", function()
    local s = idle_reader(false)
    local other, path, got = unix.collector()
    local total = unix.fill(s.sender, s.to)
    local sender = new "unix_dgram"
    for i = 1, 40 do sender:send("number " .. i, path) end
    loop.wait(function() return #got == 40 end)
    unix.check_filled(got, 40)
    assert.is_true(s.sender:getSendQueueCount() > 0)
    s.read()
    loop.wait(function() return #s.got == total end, 20)
    sockets.close_all(s.reader, s.sender, other, sender)
    loop.run()
  end)

  it("keeps no other traffic of its sender from coming in", function()
    local s = idle_reader(false)
    local total = unix.fill(s.sender, s.to)
    local heard = {}
    s.sender:on("message", function(msg) heard[#heard + 1] = msg end)
    local client = new "unix_dgram"
    for i = 1, 5 do client:send("number " .. i, s.sender:address().address) end
    loop.wait(function() return #heard == 5 end)
    assert.is_true(s.sender:getSendQueueCount() > 0)
    s.read()
    loop.wait(function() return #s.got == total end, 20)
    sockets.close_all(s.reader, s.sender, client)
    loop.run()
  end)

  it("large messages wait for room in the sender's own buffer too", function()
    local s = idle_reader(false)
    local big = ("x"):rep(100000)
    local called = 0
    for _ = 1, 8 do
      s.sender:send(big, s.path, function(err)
        assert.is_nil(err)
        called = called + 1
      end)
    end
    loop.pass(20)
    assert.is_true(called < 8)
    assert.equal(8 - called, s.sender:getSendQueueCount())
    assert.equal((8 - called) * 100000, s.sender:getSendQueueSize())
    local _, used = cost(200)
    s.read()
    loop.wait(function() return #s.got == 8 and called == 8 end, 20)
    for i = 1, 8 do assert.is_true(s.got[i].msg == big) end
    sockets.close_all(s.reader, s.sender)
    loop.run()
    assert.is_true(used < 0.1, used .. " s of CPU")
  end)

  -- In a process of its own, for the sake of what would never end.
  it("waits for them in one order, before and after the sender was connected to it, and while it was", function()
    child.lua_ok [[
      local dgram = require "dgram"
      local reader, sender = dgram.createSocket "unix_dgram", dgram.createSocket "unix_dgram"
      local got, sent = {}, 0
      reader:on("message", function(msg) got[#got + 1] = tonumber(msg) end):pause():bind()
      local path = reader:address().address
      local function one(...)
        sent = sent + 1
        sender:send(tostring(sent), ...)
      end
      repeat
        one(path)
        dgram.run "nowait"
      until sender:getSendQueueCount() > 0
      sender:connect(path)
      for _ = 1, 3 do one() end
      sender:disconnect()
      for _ = 1, 3 do one(path) end
      sender:flush()
      for _ = 1, 3 do one(path) end
      reader:resume()
      while #got < sent do dgram.run "once" end
      for i = 1, sent do assert(got[i] == i) end
      sender:close()
      reader:close()
      dgram.run()
    ]]
  end)
end)
