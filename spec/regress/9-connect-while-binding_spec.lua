-- SPDX-License-Identifier: MIT
-- connect while a bind waited for a name bound the socket to any port; the bind then failed, and the socket was deaf.
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"

local need, expect, new = can.need, loop.expect, sockets.new

describe("connect while a bind waits for a name", function()
  loop.guard()

  it("comes after it", function()
    local name = need(pending, can.resolve_localhost "inet")
    local receiver, port, got = sockets.collector "udp4"
    local socket, order = new "udp4", {}
    socket:on("listening", function() order[#order + 1] = "listening" end)
    socket:on("connect", function() order[#order + 1] = "connect" end)
    socket:bind(0, name)
    socket:connect(port, "127.0.0.1", expect(1, function(err)
      assert.is_nil(err)
      assert.equal("127.0.0.1", socket:address().address)
      assert.equal(port, socket:remoteAddress().port)
      socket:send("hello")
    end))
    faults.raised({ code = "ERR_SOCKET_DGRAM_IS_CONNECTED" }, socket.connect, socket, port, "127.0.0.1")
    loop.wait(function() return #got == 1 end)
    sockets.close_all(socket, receiver)
    loop.run()
    assert.same({ "listening", "connect" }, order)
  end)

  it("fails with it", function()
    local found, answer
    local socket = new { type = "udp4", lookup = function(_, _, cb) found = cb end }
    socket:on("error", expect(1, function(err) faults.system(err, { code = "EADDRNOTAVAIL", syscall = "bind" }) end))
    socket:bind(0, "some.name")
    socket:connect(9, "127.0.0.1", expect(1, function(err) answer = err end))
    found(nil, "192.0.2.1", 4)
    loop.wait(function() return answer ~= nil end)
    assert.equal("EADDRNOTAVAIL", answer.code)
    -- and may be tried again
    socket:connect(9, "127.0.0.1", expect(1, function(err) assert.is_nil(err) end))
    loop.turn()
    socket:close()
    loop.run()
  end)

  it("is forgotten with the socket", function()
    local found
    local socket = new { type = "udp4", lookup = function(_, _, cb) found = cb end }
    socket:bind(0, "some.name")
    socket:connect(9, "127.0.0.1", loop.never())
    socket:close()
    found(nil, "127.0.0.1", 4)
    loop.run()
  end)
end)
