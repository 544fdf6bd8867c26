-- SPDX-License-Identifier: MIT
-- The queue is empty as well when everything in it has failed.

local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local uv = require "luv"

describe("drain", function()
  loop.guard()

  it("comes when the bind that the queue waited for has failed", function()
    local timer = uv.new_timer()
    local cancelled, drained = 0, false
    local socket = sockets.new {
      type = "udp4", sendQueueLimit = 1000,
      lookup = function(_, _, cb)
        timer:start(1, 0, function() cb "no" end)
      end,
    }
    socket:on("error", function(err)
      if type(err) == "table" and err.code == "ECANCELED" then cancelled = cancelled + 1 end
    end)
    socket:on("drain", loop.expect(function() drained = true end))
    socket:bind(0, "some.name")
    local below
    for _ = 1, 5 do below = socket:send(("x"):rep(100), 9, "127.0.0.1") end
    assert.is_false(below)
    loop.wait(function() return drained and cancelled == 5 end)
    assert.equal(0, socket:getSendQueueCount())
    timer:close()
    socket:close()
    loop.run()
  end)
end)
