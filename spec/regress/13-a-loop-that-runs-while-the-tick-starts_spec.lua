-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"

describe("once wrong", function()
  loop.guard()

  local start = uv.idle_start

  -- The collector may run while luv starts the tick, and with it a finalizer that does this.
  local function while_tick_starts(fn)
    local nested = false
    uv.idle_start = function(...)
      if not nested then
        nested = true
        fn()
        nested = false
      end
      return start(...)
    end
  end

  after_each(function() uv.idle_start = start end)

  it("a finalizer that ran the loop inside of send left the datagram behind, and the loop spinning", function()
    local receiver, port, got = sockets.collector "udp4"
    local sender = sockets.bound "udp4"
    local peer = peers.new()
    loop.turn(3)
    while_tick_starts(function() uv.run "nowait" end)
    for i = 1, 20 do
      peer:send("to be dispatched in the nested loop", port)
      sender:send("sent " .. i, port, "127.0.0.1")
      loop.turn(3)
      assert.equal(0, sender:getSendQueueCount())
    end
    uv.idle_start = start
    loop.wait(function() return #got == 40 end)
    loop.turn(3)
    uv.walk(function(handle)
      if tostring(handle):find "uv_idle" then assert.is_false(handle:is_active()) end
    end)
    peer:close()
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("a finalizer that sent inside of send took the place of its callback", function()
    local receiver, port, got = sockets.collector "udp4"
    local log = {}
    local function named(name)
      return function(err)
        assert.is_nil(err)
        log[#log + 1] = name
      end
    end
    for many = 1, 8 do
      local sender = sockets.bound "udp4"
      loop.turn(3)
      log = {}
      local wanted = {}
      while_tick_starts(function()
        for i = 1, many do
          wanted[#wanted + 1] = "nested " .. i
          sender:send("x", port, "127.0.0.1", named(wanted[#wanted]))
        end
      end)
      sender:send("x", port, "127.0.0.1", named "outer")
      wanted[#wanted + 1] = "outer"
      uv.idle_start = start
      loop.wait(function() return #log >= many + 1 end)
      assert.same(wanted, log)
      sender:close()
      loop.turn(3)
    end
    loop.wait(function() return #got == 44 end)
    receiver:close()
    loop.run()
  end)
end)
