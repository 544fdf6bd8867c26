-- SPDX-License-Identifier: MIT
-- The `signal` option: an emitter whose `abort` closes the socket.
local loop = require "spec.support.loop"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local expect, never, new = loop.expect, loop.never, sockets.new

local function closed(socket)
  return select(2, pcall(socket.address, socket)).code == "ERR_SOCKET_DGRAM_NOT_RUNNING"
end

describe("the signal option", function()
  loop.guard()

  it("closes the socket with the abort event", function()
    local signal = dgram.EventEmitter()
    local socket = new { type = "udp4", signal = signal }
    local told = false
    socket:on("close", expect(function(...)
      assert.equal(0, select("#", ...))
      assert.is_true(told)
    end))
    socket:on("error", never())
    socket:bind(0, "127.0.0.1")
    loop.turn()
    assert.equal(1, signal:listenerCount "abort")
    signal:emit "abort"
    told = true
    assert.is_true(closed(socket))
    loop.run()
    assert.equal(0, signal:listenerCount "abort")
  end)

  it("lets go out what was sent before", function()
    local peer = peers.new():listen()
    local signal = dgram.EventEmitter()
    local socket = new { type = "udp4", signal = signal }
    socket:send("hello", peer.port, "127.0.0.1", expect(function(err) assert.is_nil(err) end))
    signal:emit("abort", "whatever", 42)
    faults.raised(faults.not_running, socket.send, socket, "too late", peer.port)
    peer:wait(1)
    peer:close()
    loop.run()
  end)

  it("that is aborted already closes it at once", function()
    local signal = dgram.EventEmitter()
    signal.aborted = true
    local got = 0
    local socket = new({ type = "udp4", signal = signal }, function() got = got + 1 end)
    assert.is_true(closed(socket))
    socket:on("close", expect())
    faults.raised(faults.not_running, socket.bind, socket)
    signal:emit "abort"
    loop.run()
    assert.equal(0, signal:listenerCount "abort")
  end)

  it("looks at nothing but aborted == true", function()
    for _, value in ipairs { false, 0, 1, "true", {} } do
      local signal = dgram.EventEmitter()
      signal.aborted = value
      local socket = new { type = "udp4", signal = signal }
      assert.is_false(closed(socket), tostring(value))
      socket:close()
    end
    loop.run()
  end)

  it("of a socket that has closed does nothing any more", function()
    local signal = dgram.EventEmitter()
    local socket = new { type = "udp4", signal = signal }
    socket:on("close", expect())
    socket:close()
    signal:emit "abort"
    loop.run()
    assert.equal(0, signal:listenerCount "abort")
    signal:emit "abort"
    loop.run()
  end)

  it("closes all sockets that have it, whatever their listeners do", function()
    local signal = dgram.EventEmitter()
    local count = 0
    for i = 1, 5 do
      local socket = new { type = "udp4", signal = signal }
      socket:on("close", function() count = count + 1 end)
      if i % 2 == 0 then socket:bind(0, "127.0.0.1") end
      if i == 3 then socket:on("close", function() signal:emit "abort" end) end
    end
    assert.equal(5, signal:listenerCount "abort")
    signal:emit "abort"
    loop.run()
    assert.equal(5, count)
    assert.equal(0, signal:listenerCount "abort")
  end)

  it("works inside the socket's own listeners", function()
    local signal = dgram.EventEmitter()
    local got = 0
    local socket = new({ type = "udp4", signal = signal }, function()
      got = got + 1
      signal:emit "abort"
    end)
    socket:on("close", expect())
    socket:bind(0, "127.0.0.1")
    local peer = peers.new()
    for _ = 1, 10 do peer:send("hello", socket:address().port) end
    loop.wait(function() return got > 0 end)
    peer:close()
    loop.run()
    assert.equal(1, got)
  end)

  it("stops a bind and a connect that look a name up", function()
    for _, method in ipairs { "bind", "connect" } do
      local signal = dgram.EventEmitter()
      local answer
      local socket = new { type = "udp4", signal = signal, lookup = function(_, _, cb) answer = cb end }
      socket:on("error", never())
      socket:on("connect", never())
      socket:on("close", expect())
      socket[method](socket, method == "bind" and 0 or 9, "some.name", never())
      loop.wait(function() return answer end)
      signal:emit "abort"
      answer(nil, "127.0.0.1")
      loop.run()
    end
  end)

  it("may be any object with a method on", function()
    -- without off: the listener stays, and does no harm
    local listeners = {}
    local plain = { on = function(self, event, fn)
      assert.equal("table", type(self))
      listeners[#listeners + 1] = { event, fn }
    end }
    local socket = new { type = "udp4", signal = plain }
    assert.equal(1, #listeners)
    assert.equal("abort", listeners[1][1])
    socket:on("close", expect())
    socket:close()
    loop.run()
    listeners[1][2]()
    loop.run()

    -- with removeListener in place of off
    local removed = {}
    local older = {
      on = function(_, event, fn) listeners[#listeners + 1] = { event, fn } end,
      removeListener = function(_, event, fn) removed[#removed + 1] = { event, fn } end,
    }
    socket = new { type = "udp4", signal = older }
    listeners[2][2]()
    assert.is_true(closed(socket))
    loop.run()
    assert.same({ { "abort", listeners[2][2] } }, removed)

    -- a userdata: another socket, whose listeners hear what a program emits
    local other = new "udp4"
    socket = new { type = "udp4", signal = other }
    socket:on("close", expect(function() other:close() end))
    other:emit "abort"
    assert.is_true(closed(socket))
    loop.run()
  end)

  it("must have a method on", function()
    local before = loop.descriptors()
    for _, value in ipairs { 1, "x", true, print, {}, { on = 1 }, { emit = print }, io.stdout } do
      local err = faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", signal = value })
      assert.is_truthy(err.message:find("signal", 1, true), err.message)
    end
    assert.equal(before, loop.descriptors())
  end)

  it("whose on raises leaves nothing behind", function()
    local before = loop.descriptors()
    local thrown = { "as it is" }
    local ok, err = pcall(dgram.createSocket, { type = "udp4", signal = { on = function() error(thrown) end } })
    assert.is_false(ok)
    assert.is_true(rawequal(thrown, err))
    loop.run()
    collectgarbage()
    collectgarbage()
    assert.equal(before, loop.descriptors())
  end)

  it("reaches sockets that the program forgot", function()
    local signal = dgram.EventEmitter()
    for _ = 1, 3 do new({ type = "udp4", signal = signal }):bind(0, "127.0.0.1") end
    loop.turn()
    signal:emit "abort"
    loop.run()
    assert.equal(0, signal:listenerCount "abort")
  end)
end)
