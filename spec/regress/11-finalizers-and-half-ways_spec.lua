-- SPDX-License-Identifier: MIT
local collector = require "spec.support.collector"
local dgram = require "dgram"
local finalized = require "spec.support.finalized"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local expect, new = loop.expect, sockets.new

describe("once wrong", function()
  loop.guard()

  local originals = {}

  -- Puts a function in the place of luv's until the end of the spec.
  local function replace(name, fn)
    originals[name] = originals[name] or uv[name]
    uv[name] = fn
  end

  after_each(function()
    for name, fn in pairs(originals) do uv[name] = fn end
    originals = {}
  end)

  it("a socket that a finalizer closed inside of send queued the datagram, and told nobody", function()
    for _, many in ipairs { false, true } do
      local socket = new "udp4"
      socket:bind(0, "127.0.0.1")
      loop.turn(3)
      local start = uv.idle_start
      replace("idle_start", function(...) -- the collector runs here, as it may
        uv.idle_start = start
        collectgarbage()
        collectgarbage()
        return start(...)
      end)
      finalized(function() socket:close() end)
      local send = many and socket.sendMany or socket.send
      send(socket, many and { "a", "b", "c" } or "a", 9, "127.0.0.1", expect(1, function(err)
        assert.is_true(err == nil or err.code == "ECANCELED", tostring(err))
      end))
      loop.run()
      assert.equal(0, socket:getSendQueueCount())
    end
  end)

  it("a batch that an outer listener reads was given away by a finalizer's loop", function()
    local one, other, paused = new "udp4", new "udp4", nil
    one:bind(0, "127.0.0.1")
    other:bind(0, "127.0.0.2")
    paused = new("udp4", function() paused:pause() end)
    paused:bind(0, "127.0.0.1")
    one:sendMany({ "a", "a", "a", "a" }, paused:address().port, "127.0.0.1")
    one:flush()
    loop.turn(5)
    local payload, count, fired, receiver = ("p"):rep(60), 0, false, nil
    local function finalizer()
      if fired then return end
      fired = true
      paused:close()
      one:send(payload, receiver:address().port, "127.0.0.1")
      one:flush()
      uv.run "nowait"
    end
    receiver = new({ type = "udp4", gro = false }, function(msg)
      count = count + 1
      assert.equal(payload, msg)
      if count == 5 then
        finalized(finalizer)
        collectgarbage "restart"
      end
    end)
    receiver:bind(0, "127.0.0.1")
    for i = 1, 20 do
      local sender = i % 2 == 0 and one or other
      sender:send(payload, receiver:address().port, "127.0.0.1")
      sender:flush()
    end
    collectgarbage()
    local set_back = collector(0, 1000000)
    collectgarbage "stop"
    loop.turn(5)
    collectgarbage "restart"
    set_back()
    collectgarbage()
    loop.wait(function() return count == 21 end)
    sockets.close_all(one, other, receiver)
    loop.run()
    assert.is_true(fired)
  end)

  it("a bind to a descriptor that failed half-way left its poll to the socket's next bind", function()
    if not uv.socketpair then return pending "this luv has no socketpair" end
    local pair = uv.socketpair("dgram", 0)
    local receiver, got = new("udp4", function() end), nil
    receiver:on("message", function(msg) got = msg end)
    replace("poll_start", function() error("no memory, say", 0) end)
    assert.is_false((pcall(receiver.bind, receiver, { fd = pair[1] })))
    uv.poll_start = originals.poll_start
    receiver:bind(0, "127.0.0.1")
    local sender = new "udp4"
    sender:send("hi", receiver:address().port, "127.0.0.1")
    loop.wait(function() return got == "hi" end)
    sockets.close_all(sender, receiver)
    loop.run()
    for _, fd in ipairs(pair) do uv.fs_close(fd) end
  end)

  it("a send to a name whose handle luv could not reference left what it held in the queue", function()
    local socket = new { type = "udp4", lookup = function(_, _, cb) cb(nil, "127.0.0.1", 4) end }
    socket:bind(0, "127.0.0.1")
    loop.turn(3)
    socket:unref()
    replace("ref", function() error("no memory, say", 0) end)
    for _, send in ipairs { socket.send, socket.sendMany } do
      local what = send == socket.send and "x" or { "x", "y" }
      assert.is_false((pcall(send, socket, what, 9, "some.name")))
      assert.same({ 0, 0 }, { socket:getSendQueueCount(), socket:getSendQueueSize() })
    end
    uv.ref = originals.ref
    socket:send("x", 9, "some.name", expect(1, function(err) assert.is_nil(err) end))
    loop.run()
    socket:close()
    loop.run()
  end)

  it("what finalizers changed while luv was told of an earlier change was not told", function()
    for times = 1, 5 do
      local receiver, sender, got = new "udp4", new "udp4", 0
      receiver:on("message", function() got = got + 1 end)
      receiver:bind(0, "127.0.0.1")
      loop.turn(3)
      receiver:pause()
      local start, paused, changes = uv.poll_start, false, 0
      replace("poll_start", function(...)
        if changes < times then
          changes = changes + 1
          paused = not paused
          receiver[paused and "pause" or "resume"](receiver)
        end
        return start(...)
      end)
      receiver:resume()
      uv.poll_start = originals.poll_start
      assert.equal(times, changes)
      sender:send("hi", receiver:address().port, "127.0.0.1")
      if paused then loop.turn(5) else loop.wait(function() return got == 1 end) end
      assert.equal(paused and 0 or 1, got)
      sockets.close_all(sender, receiver)
      loop.run()
    end
  end)

  it("a handle that a finalizer unreferenced while luv referenced it kept the loop alive", function()
    local socket = new "udp4"
    socket:bind(0, "127.0.0.1")
    loop.turn(3)
    socket:unref()
    replace("ref", function(...)
      uv.ref = originals.ref
      socket:unref()
      return uv.ref(...)
    end)
    socket:ref()
    loop.run()
    socket:close()
    loop.run()
  end)

  it("an earlier connect's event called a later connect's callback", function()
    local found
    local socket = new { type = "udp4", lookup = function(_, _, cb) found = cb end }
    socket:connect(9, "127.0.0.1")
    socket:disconnect()
    socket:connect(9, "some.name", expect(1, function(err) assert.equal("NOPE", err.code) end))
    loop.turn(3)
    found { code = "NOPE" }
    loop.turn(3)
    socket:close()
    loop.run()
  end)

  it("a signal whose off raises swallowed close", function()
    local signal = { on = function() end, off = function() error("off fails", 0) end }
    local socket = new { type = "udp4", signal = signal }
    socket:bind(0, "127.0.0.1")
    socket:close(expect(1, function() end))
    assert.is_false((pcall(dgram.run)))
    loop.run()
  end)

  it("each close event waited a turn for the one before it", function()
    local SOCKETS, closed, turns = 200, 0, 0
    local timer = uv.new_timer()
    timer:start(1, 0, function()
      timer:close()
      for _ = 1, SOCKETS do
        local socket = new "udp4"
        socket:bind(0, "127.0.0.1")
        socket:close(function()
          closed = closed + 1
          local another = new "udp4"
          another:bind(0, "127.0.0.1")
          another:close()
        end)
      end
    end)
    while closed < SOCKETS and turns < 1000 do
      dgram.run "once"
      turns = turns + 1
    end
    loop.run()
    assert.equal(SOCKETS, closed)
    assert.is_true(turns < 20, turns .. " turns")
  end)
end)
