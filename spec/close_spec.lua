-- SPDX-License-Identifier: MIT
-- close, the event `close`, and the collection of sockets.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

describe("close", function()
  loop.guard()

  it("returns the socket and tells once, later", function()
    local socket = sockets.bound "udp4"
    local returned = false
    socket:on("close", expect(function(...)
      assert.equal(0, select("#", ...))
      assert.is_true(returned)
    end))
    assert.equal(socket, socket:close())
    returned = true
    loop.run()
  end)

  it("calls its callback, bound or not", function()
    new("udp4"):close(expect())
    local bound = sockets.bound "udp4"
    bound:close(expect())
    local listening = sockets.bound("udp4", never())
    loop.turn()
    listening:close(expect())
    loop.run()
  end)

  it("a second call raises and changes nothing", function()
    local socket = sockets.bound "udp4"
    socket:close(expect())
    faults.raised(faults.not_running, socket.close, socket)
    faults.raised(faults.not_running, socket.close, socket, never())
    loop.run()
    faults.raised(faults.not_running, socket.close, socket)
  end)

  it("gives its descriptor back", function()
    need(pending, can.see_descriptors())
    local before = loop.descriptors()
    local list = {}
    for i = 1, 50 do list[i] = sockets.bound("udp4", never()) end
    assert.is_true(loop.descriptors() >= before + 50)
    sockets.close_all((table.unpack or unpack)(list))
    loop.run()
    assert.equal(before, loop.descriptors())
    assert.equal(0, #loop.handles())
  end)

  it("sends what was accepted, then closes", function()
    local receiver, port, got = sockets.collector "udp4"
    local socket = new "udp4"
    local sent = 0
    for i = 1, 10 do
      socket:send("number " .. i, port, "127.0.0.1", expect(function(err, bytes)
        assert.is_nil(err)
        assert.equal(#("number " .. i), bytes)
        sent = sent + 1
      end))
    end
    socket:close(expect(function() assert.equal(10, sent) end))
    loop.wait(function() return #got == 10 and sent == 10 end)
    receiver:close()
    loop.run()
    for i = 1, 10 do assert.equal("number " .. i, got[i].msg) end
  end)

  it("waits for look-ups that are on their way", function()
    local name = need(pending, can.resolve_localhost "inet")
    local receiver, port, got = sockets.collector "udp4"
    local socket = new "udp4"
    local told = false
    socket:send("by name", port, name, expect(function(err)
      assert.is_nil(err)
      told = true
    end))
    socket:close(expect(function() assert.is_true(told) end))
    loop.wait(function() return #got == 1 end)
    receiver:close()
    loop.run()
    assert.same({ "by name" }, sockets.messages(got))
  end)

  it("tells of a look-up that failed before it closes", function()
    local socket = new "udp4"
    local failed
    socket:send("x", 9, "nohost.invalid", expect(function(err) failed = err end))
    socket:close(expect(function() assert.is_not_nil(failed) end))
    loop.run(20)
    assert.equal("getaddrinfo", failed.syscall)
  end)

  it("ends a bind by name that is on its way: no listening", function()
    local name = need(pending, can.resolve_localhost "inet")
    local socket = new "udp4"
    socket:on("listening", never())
    socket:on("error", never())
    socket:bind(0, name, never())
    socket:close(expect())
    loop.run(20)
  end)

  it("right after bind: no listening, no message", function()
    local socket, port = sockets.bound("udp4", never())
    local peer = peers.new()
    peer:send("too late", port)
    socket:on("listening", never())
    socket:close(expect())
    peer:close()
    loop.run()
  end)

  it("stops receiving at once", function()
    local socket, port = sockets.bound "udp4"
    local closed = false
    socket:on("message", expect(function()
      assert.is_false(closed)
      closed = true
      socket:close()
    end))
    local peer = peers.new()
    for i = 1, 20 do peer:send("number " .. i, port) end
    peer:close()
    loop.run()
  end)

  it("leaves the other sockets alone", function()
    local a = sockets.bound("udp4", never())
    local b, port, got = sockets.collector "udp4"
    a:close()
    local peer = peers.new()
    peer:send("hello", port)
    loop.wait(function() return #got == 1 end)
    peer:close()
    b:close()
    loop.run()
  end)

  it("frees the port", function()
    local a, port = sockets.bound "udp4"
    a:close()
    loop.run()
    local b = new "udp4"
    b:on("error", never())
    b:bind(port, "127.0.0.1")
    assert.equal(port, b:address().port)
    b:close()
    loop.run()
  end)
end)

describe("collection", function()
  loop.guard()

  local function gone(make)
    need(pending, can.see_descriptors())
    loop.turn()
    collectgarbage()
    local before = loop.descriptors()
    local weak = setmetatable({}, { __mode = "v" })
    for i = 1, 20 do weak[i] = make() end
    for _ = 1, 3 do
      collectgarbage()
      loop.turn()
    end
    assert.is_nil(next(weak))
    assert.equal(before, loop.descriptors())
    assert.equal(0, #loop.handles())
  end

  it("closes an unbound socket", function()
    gone(function() return dgram.createSocket "udp4" end)
  end)

  it("closes an unbound socket with listeners that know it", function()
    gone(function()
      local socket = dgram.createSocket "udp4"
      socket:on("message", function() socket:close() end)
      socket:on("close", function() return socket end)
      return socket
    end)
  end)

  it("closes a bound socket that nobody listens to", function()
    gone(function() return dgram.createSocket("udp4"):bind(0, "127.0.0.1") end)
  end)

  it("closes one whose listener was removed", function()
    gone(function()
      local function listener() end
      local socket = dgram.createSocket("udp4", listener)
      socket:bind(0, "127.0.0.1")
      loop.turn()
      socket:off("message", listener)
      return socket
    end)
  end)

  it("closes one that has sent", function()
    local receiver, port, got = sockets.collector "udp4"
    need(pending, can.see_descriptors())
    local before = loop.descriptors()
    local sent = 0
    for _ = 1, 20 do
      dgram.createSocket("udp4"):send("hello", port, "127.0.0.1", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    collectgarbage()
    loop.wait(function() return #got == 20 and sent == 20 end)
    for _ = 1, 3 do
      collectgarbage()
      loop.turn()
    end
    assert.equal(before, loop.descriptors())
    receiver:close()
    loop.run()
    assert.equal(0, #loop.handles())
  end)

  it("leaves closed ones alone", function()
    gone(function()
      local socket = dgram.createSocket "udp4"
      socket:bind(0, "127.0.0.1")
      socket:close()
      return socket
    end)
  end)

  it("spares a bound socket with a listener", function()
    local port
    local seen = 0
    do
      local socket = dgram.createSocket "udp4"
      socket:on("message", function(msg)
        seen = seen + 1
        if msg == "close" then socket:close() end
      end)
      socket:bind(0, "127.0.0.1")
      port = socket:address().port
    end
    local peer = peers.new()
    for i = 1, 3 do
      collectgarbage()
      peer:send("hello", port)
      loop.wait(function() return seen == i end)
    end
    collectgarbage()
    peer:send("close", port)
    peer:close()
    loop.run()
    assert.equal(4, seen)
  end)

  it("spares one whose look-up is on its way", function()
    local name = need(pending, can.resolve_localhost "inet")
    local receiver, port, got = sockets.collector "udp4"
    dgram.createSocket("udp4"):send("by name", port, name)
    collectgarbage()
    collectgarbage()
    loop.wait(function() return #got == 1 end)
    receiver:close()
    loop.turn()
    collectgarbage()
    loop.run()
  end)

  it("spares one that waits to tell something", function()
    dgram.createSocket("udp4"):bind(0, "127.0.0.1", expect())
    dgram.createSocket("udp4"):close(expect())
    collectgarbage()
    collectgarbage()
    loop.turn(5)
    collectgarbage()
    loop.run()
  end)
end)
