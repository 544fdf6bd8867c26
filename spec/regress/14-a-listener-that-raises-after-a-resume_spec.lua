-- SPDX-License-Identifier: MIT
local dgram = require "dgram"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

describe("once wrong", function()
  loop.guard()

  after_each(function() dgram.setUncaughtHandler(nil) end)

  -- Datagrams of one batch, of which the first makes the rest wait; each that comes later raises.
  local function waiting(first)
    local got, errors = {}, 0
    local peer = peers.new()
    local socket, port
    local function later(msg)
      got[#got + 1] = msg
      error("raised for " .. msg, 0)
    end
    socket, port = sockets.bound "udp4"
    dgram.setUncaughtHandler(function() errors = errors + 1 end)
    first(socket, function(msg) got[#got + 1] = msg end, later)
    for i = 1, 4 do peer:send(tostring(i), port) end
    loop.wait(function() return #got >= 1 end)
    loop.turn(3)
    return socket, peer, got, later, function() return errors end
  end

  it("a listener that raised after a resume stranded the rest of the batch", function()
    local socket, peer, got, _, errors = waiting(function(socket, note, later)
      local n = 0
      socket:on("message", function(msg)
        n = n + 1
        if n > 1 then return later(msg) end
        note(msg)
        socket:pause()
      end)
    end)
    assert.same({ "1" }, got)
    socket:resume()
    loop.turn(5)
    assert.same({ "1", "2", "3", "4" }, got)
    assert.equal(3, errors())
    peer:close()
    socket:close()
    loop.run()
  end)

  it("so did one that was added while datagrams waited", function()
    local socket, peer, got, later, errors = waiting(function(socket, note) socket:once("message", note) end)
    assert.same({ "1" }, got)
    socket:on("message", later)
    loop.turn(5)
    assert.same({ "1", "2", "3", "4" }, got)
    assert.equal(3, errors())
    peer:close()
    socket:close()
    loop.run()
  end)
end)
