-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"

describe("once wrong", function()
  loop.guard()

  it("a finalizer that ran the loop inside of send left the datagram behind, and the loop spinning", function()
    local receiver, port, got = sockets.collector "udp4"
    local sender = sockets.bound "udp4"
    local peer = peers.new()
    loop.turn(3)
    local start, nested = uv.idle_start, false
    uv.idle_start = function(...) -- the collector may run here, and with it a finalizer
      if not nested then
        nested = true
        uv.run "nowait"
        nested = false
      end
      return start(...)
    end
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
end)
