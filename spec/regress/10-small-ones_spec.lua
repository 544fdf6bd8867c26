-- SPDX-License-Identifier: MIT
local dgram = require "dgram"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"

local expect, new = loop.expect, sockets.new

describe("once wrong", function()
  loop.guard()

  it("bindSync of a descriptor with a name took the descriptor over before it raised", function()
    local other, socket = new "udp4", new "udp4"
    local own = socket:fileno()
    faults.raised({ code = "ERR_INVALID_ARG_VALUE" }, socket.bindSync, socket,
      { fd = other:fileno(), address = "localhost" })
    assert.equal(own, socket:fileno())
    socket:bindSync { address = "127.0.0.1" }
    sockets.close_all(other, socket)
    loop.run()
  end)

  it("an empty sendMany to a name lost its callback when the socket was closed", function()
    local socket = new { type = "udp4", lookup = function(_, _, cb) cb(nil, "127.0.0.1", 4) end }
    socket:sendMany({}, 9, "some.name", expect(1, function(err, count)
      assert.is_nil(err)
      assert.equal(0, count)
    end))
    socket:close()
    loop.run()
  end)

  it("too many arguments of a function were counted as if it were a method", function()
    local err = faults.raised(faults.bad_value, dgram.BlockList, dgram.BlockList())
    assert.is_truthy(tostring(err):find("at most 0. Received", 1, true), tostring(err))
    assert.is_truthy(tostring(err):find("as number 1", 1, true), tostring(err))
    err = faults.raised(faults.bad_value, dgram.setUncaughtHandler, nil, 3)
    assert.is_truthy(tostring(err):find("at most 1. Received", 1, true), tostring(err))
  end)
end)
