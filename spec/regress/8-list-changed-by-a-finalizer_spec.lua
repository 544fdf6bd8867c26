-- SPDX-License-Identifier: MIT
-- A list that a finalizer changed, after it was measured and before it was copied, was written past what was reserved for it.
local collector = require "spec.support.collector"
local finalized = require "spec.support.finalized"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"

local ROUNDS = 300

describe("a list that a finalizer changes while it is sent", function()
  loop.guard()

  it("is refused, or goes as it was", function()
    local receiver, port, got = sockets.collector { type = "udp4", recvBufferSize = 200000 }
    local told, list = 0, nil
    local large = ("y"):rep(60000)
    local function change()
      if list then list[1] = list[1] == "x" and large or "x" end
    end
    local set_back = collector(1, 1000)
    for _ = 1, ROUNDS do
      local socket = sockets.new "udp4"
      list = { "x", "z" }
      finalized(change)
      socket:send(list, port, "127.0.0.1", function(err, bytes)
        told = told + 1
        if err then assert.equal("EINVAL", err.code) else assert.is_true(bytes == 2 or bytes == 60001) end
      end)
      list = nil
      loop.turn()
      socket:close()
    end
    set_back()
    loop.wait(function() return told == ROUNDS end)
    receiver:close()
    loop.run()
    for _, each in ipairs(got) do assert.is_true(#each.msg == 2 or #each.msg == 60001) end
  end)

  for what, change in pairs {
    shorter = function(list) list[2], list[3] = nil, nil end,
    larger = function(list) list[1] = ("z"):rep(1000) end,
  } do
    it("to a name is counted as it was copied: " .. what, function()
      local socket = sockets.new { type = "udp4", lookup = function(_, _, cb) cb(nil, "127.0.0.1", 4) end }
      socket:bind(0, "127.0.0.1")
      loop.turn(3)
      local list, send = { "a", "b", "c" }, socket.sendMany
      collectgarbage()
      collectgarbage()
      local set_back = collector(10, 1000)
      collectgarbage "stop"
      finalized(function() change(list) end)
      collectgarbage "restart"
      send(socket, list, 9, "some.name")
      collectgarbage "stop"
      loop.turn(3)
      assert.same({ 0, 0 }, { socket:getSendQueueCount(), socket:getSendQueueSize() })
      collectgarbage "restart"
      set_back()
      socket:send("x", 9, "127.0.0.1", loop.expect(1, function(err) assert.is_nil(err) end))
      socket:close(loop.expect(1, function() end))
      loop.run()
    end)
  end
end)
