-- SPDX-License-Identifier: MIT
-- socket:state(): where a socket stands, at each step of its life.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"

local new = sockets.new

-- A table of all fields: those that are named are true.
local function state(kind, names)
  local wanted = { type = kind, bound = false, connected = false, paused = false, closing = false, closed = false }
  for name in (names or ""):gmatch "%a+" do wanted[name] = true end
  return wanted
end

describe("state()", function()
  loop.guard()

  local addresses = { udp4 = "127.0.0.1", udp6 = "::1" }

  for kind, address in pairs(addresses) do
    it("follows bind, connect, pause, disconnect and close: " .. kind, function()
      if kind == "udp6" then can.need(pending, can.ipv6()) end
      local socket = new(kind)
      assert.same(state(kind), socket:state())
      socket:pause()
      assert.same(state(kind, "paused"), socket:state())
      socket:resume()
      socket:bind(0, address)
      assert.same(state(kind, "bound"), socket:state())
      socket:connectSync(9, address)
      assert.same(state(kind, "bound connected"), socket:state())
      socket:pause()
      assert.same(state(kind, "bound connected paused"), socket:state())
      socket:disconnect()
      assert.same(state(kind, "bound paused"), socket:state())
      local closed
      socket:close(function() closed = socket:state() end)
      loop.run()
      assert.same(state(kind, "closed"), closed)
      assert.same(state(kind, "closed"), socket:state())
    end)
  end

  it("follows a Unix socket, too", function()
    local socket, peer, path = new "unix_dgram", new "unix_dgram", unix.path()
    assert.same(state "unix_dgram", socket:state())
    peer:bind(path)
    assert.same(state("unix_dgram", "bound"), peer:state())
    socket:connectSync(path)
    assert.is_true(socket:state().connected)
    sockets.close_all(socket, peer)
    loop.run()
    assert.same(state("unix_dgram", "closed"), peer:state())
  end)

  it("has a bind and a connect done when their names are known", function()
    local answers = {}
    local function lookup(_, _, cb) answers[#answers + 1] = cb end
    local socket = new { type = "udp4", lookup = lookup }
    socket:bind(0, "some.name")
    assert.same(state "udp4", socket:state())
    answers[1](nil, "127.0.0.1", 4)
    loop.wait(function() return socket:state().bound end)
    socket:connect(9, "some.name")
    assert.same(state("udp4", "bound"), socket:state())
    answers[2](nil, "127.0.0.1", 4)
    loop.wait(function() return socket:state().connected end)
    socket:close()
    loop.run()
  end)

  it("is closing while something is still to be sent", function()
    local answer
    local socket = new { type = "udp4", lookup = function(_, _, cb) answer = cb end }
    socket:bind(0, "127.0.0.1")
    socket:send("x", 9, "some.name")
    socket:close()
    assert.same(state("udp4", "bound closing"), socket:state())
    answer(nil, "127.0.0.1", 4)
    loop.run()
    assert.same(state("udp4", "closed"), socket:state())
  end)

  it("is a table of its own each time", function()
    local socket = new "udp4"
    socket:state().bound = "no"
    assert.is_false(socket:state().bound)
    socket:close()
    loop.run()
  end)

  it("takes no arguments, and sockets only", function()
    local socket = new "udp4"
    faults.raised(faults.bad_value, socket.state, socket, 1)
    faults.raised(faults.bad_type, socket.state)
    faults.raised(faults.bad_type, socket.state, {})
    socket:close()
    loop.run()
  end)
end)
