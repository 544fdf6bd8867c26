-- SPDX-License-Identifier: MIT
-- A send was noted for the tick only where nothing else was due.

local can = require "spec.support.can"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

describe("a send behind other work", function()
  loop.guard()

  it("goes out when the socket is also due for its implied bind", function()
    can.need(pending, can.native())
    local peer = peers.new():listen()
    local socket = sockets.new "udp4"
    socket:addMembership("239.77.1.1", "127.0.0.1")
    local told = loop.expect(function(err, bytes) assert.same({ nil, 5 }, { err, bytes }) end)
    socket:send("hello", peer.port, "127.0.0.1", told)
    peer:wait(1)
    socket:close()
    peer:close()
    loop.run()
  end)

  it("goes out when the socket is also due to deliver the rest of a batch", function()
    local peer = peers.new():listen()
    local got = 0
    local socket, port
    socket, port = sockets.bound("udp4", function()
      got = got + 1
      if got == 3 then socket:pause() end
    end)
    local sender = sockets.new "udp4"
    for _ = 1, 20 do sender:send("x", port, "127.0.0.1") end
    loop.wait(function() return got == 3 end)
    socket:resume()
    socket:send("hello", peer.port, "127.0.0.1")
    peer:wait(1)
    loop.wait(function() return got == 20 end)
    sockets.close_all(socket, sender)
    peer:close()
    loop.run()
  end)
end)
