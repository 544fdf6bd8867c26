-- SPDX-License-Identifier: MIT
-- ref and unref: what keeps the loop alive.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local never, new = loop.never, sockets.new

-- Whether the loop ends by itself: it is run, for as long as it wants to.
local function ends()
  return (pcall(loop.run, 1))
end

describe("unref", function()
  loop.guard()

  it("lets the loop end, and ref keeps it again", function()
    local socket = sockets.bound("udp4", never())
    loop.turn()
    assert.equal(socket, socket:unref())
    loop.run()
    assert.is_false(uv.loop_alive())
    assert.equal(socket, socket:ref())
    assert.is_true(uv.loop_alive())
    socket:unref():unref():ref()
    assert.is_true(uv.loop_alive())
    socket:unref()
    loop.run()
    socket:close()
    loop.run()
  end)

  it("before bind counts as well", function()
    local socket = new("udp4", never())
    socket:unref()
    socket:bind(0, "127.0.0.1", loop.expect())
    loop.run()
    socket:close()
    loop.run()
  end)

  it("does not stop messages while the loop runs", function()
    local socket, port, got = sockets.collector "udp4"
    socket:unref()
    local peer = peers.new():listen()
    peer:send("hello", port)
    loop.wait(function() return #got == 1 end)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("does not stop what was sent", function()
    local peer = peers.new():listen()
    peer.handle:unref()
    local socket = new "udp4"
    socket:unref()
    local called = 0
    for i = 1, 200 do
      socket:send("number " .. i, peer.port, "127.0.0.1", function(err)
        assert.is_nil(err)
        called = called + 1
      end)
    end
    assert.is_true(ends())
    assert.equal(200, called)
    peer.handle:ref()
    peer:wait(200)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("does not stop what waits for a look-up", function()
    local peer = peers.new():listen()
    peer.handle:unref()
    local timer = uv.new_timer()
    local socket = new { type = "udp4", lookup = function(_, _, cb)
      timer:start(20, 0, function()
        timer:close()
        cb(nil, "127.0.0.1")
      end)
      timer:unref()
    end }
    socket:unref()
    local sent = false
    socket:send("hello", peer.port, "some.name", function(err) sent = err == nil end)
    assert.is_true(ends())
    assert.is_true(sent)
    peer.handle:ref()
    peer:wait(1)
    peer:close()
    socket:close()
    loop.run()
  end)

  for how, connected in pairs { connected = true, unconnected = false } do
    it("does not stop what waits for a reader: " .. how, function()
      local reader, path = unix.bound()
      reader:unref()
      local sender = new "unix_dgram"
      if connected then sender:connect(path) end
      sender:unref()
      loop.turn()
      local called = 0
      local total = unix.fill(sender, not connected and path or nil, function(err)
        assert.is_nil(err)
        called = called + 1
      end)
      assert.is_true(uv.loop_alive())
      local got = {}
      local timer = uv.new_timer()
      timer:start(100, 0, function()
        timer:close()
        reader:on("message", function(msg) got[#got + 1] = { msg = msg } end)
      end)
      timer:unref()
      assert.is_true(ends())
      assert.equal(total, called)
      assert.equal(0, sender:getSendQueueCount())
      assert.is_false(uv.loop_alive())
      reader:ref()
      loop.wait(function() return #got == total end)
      unix.check_filled(got, total)
      sockets.close_all(reader, sender)
      loop.run()
    end)

    it("while something waits takes effect when it is gone: " .. how, function()
      local reader, path = unix.bound()
      local sender = new "unix_dgram"
      if connected then sender:connect(path) end
      unix.fill(sender, not connected and path or nil)
      sender:unref()
      sender:ref()
      sender:unref()
      reader:unref()
      assert.is_true(uv.loop_alive())
      reader:on("message", function() end)
      assert.is_true(ends())
      assert.equal(0, sender:getSendQueueCount())
      sender:ref()
      assert.is_true(uv.loop_alive())
      sockets.close_all(reader, sender)
      loop.run()
    end)
  end

  it("does not stop a close: its callback comes", function()
    local socket = sockets.bound "udp4"
    socket:unref()
    local closed = false
    socket:close(function() closed = true end)
    assert.is_true(ends())
    assert.is_true(closed)
    assert.equal(socket, socket:ref())
    assert.equal(socket, socket:unref())
    loop.run()
  end)

  it("does not stop bind and connect callbacks", function()
    local socket = new "udp4"
    socket:unref()
    local log = {}
    socket:bind(0, "127.0.0.1", function()
      log[#log + 1] = "bound"
      socket:connect(9, function() log[#log + 1] = "connected" end)
    end)
    assert.is_true(ends())
    assert.same({ "bound", "connected" }, log)
    socket:close()
    loop.run()
  end)

  it("lets a program end by itself once everything has gone", function()
    local server, port, got = sockets.collector "udp4"
    local out = child.lua_ok([[
      local dgram = require "dgram"
      local s = dgram.createSocket("udp4", print)
      s:unref()
      s:connect(%d)
      for i = 1, 50 do s:send("number " .. i) end
      s:send("last", function(err) print(err) end)
      dgram.run()
      print "end"
    ]], port)
    assert.equal("nil\nend\n", out)
    loop.wait(function() return #got == 51 end)
    assert.equal("last", got[51].msg)
    server:close()
    loop.run()
  end)
end)

describe("ref", function()
  loop.guard()

  it("is how a socket begins: bound, it keeps the loop alive", function()
    local plain, listening, connected = sockets.bound "udp4", sockets.bound("udp4", never()), new "udp4"
    connected:connect(9)
    loop.turn()
    for _, socket in ipairs { plain, listening, connected } do
      assert.is_true(uv.loop_alive())
      socket:close()
      loop.turn()
    end
    loop.run()
  end)

  it("of an unbound socket keeps nothing alive", function()
    local socket = new("udp4", never())
    socket:ref()
    assert.is_true(ends())
    socket:close()
    loop.run()
  end)
end)
