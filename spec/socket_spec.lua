-- SPDX-License-Identifier: MIT
-- createSocket, isSocket, fileno and other basics.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

describe("createSocket", function()
  loop.guard()

  it("takes a type", function()
    for _, kind in ipairs { "udp4", "udp6" } do
      if kind == "udp4" or can.ipv6() then
        local socket = new(kind)
        assert.is_true(dgram.isSocket(socket))
        assert.equal("userdata", type(socket))
        socket:close()
      end
    end
    loop.run()
  end)

  it("takes options", function()
    local socket = new { type = "udp4", reuseAddr = true, recvBufferSize = 65536, sendBufferSize = 65536 }
    assert.is_true(dgram.isSocket(socket))
    socket:close()
    loop.run()
  end)

  it("does not change the options table and does not need it later", function()
    local options = { type = "udp4" }
    local socket = new(options)
    options.type = "no such type"
    socket:bind(0, "127.0.0.1")
    assert.equal("IPv4", socket:address().family)
    assert.same({ type = "no such type" }, options)
    socket:close()
    loop.run()
  end)

  for form, argument in pairs { type = "udp4", options = { type = "udp4" } } do
    it("listens for messages with the callback, form " .. form, function()
      local peer = peers.new()
      local socket
      socket = new(argument, expect(function(msg)
        assert.equal("hello", msg)
        socket:close()
      end))
      assert.equal(1, socket:listenerCount "message")
      socket:bind(0, "127.0.0.1")
      peer:send("hello", socket:address().port)
      peer:close()
      loop.run()
    end)
  end

  it("has its descriptor at once", function()
    need(pending, can.see_descriptors())
    local before = loop.descriptors()
    local socket = new "udp4"
    assert.equal(before + 1, loop.descriptors())
    assert.equal("number", type(socket:fileno()))
    socket:close()
    loop.run()
    assert.equal(before, loop.descriptors())
  end)

  it("does not hand its descriptor to other programs", function()
    local sh = need(pending, can.program "sh")
    if not can.see_descriptors() then pending "no /proc/self/fd" end
    local socket = new "udp4"
    local script = "if test -e /proc/self/fd/%d; then echo inherited; else echo closed; fi"
    local process = child.start(sh, { "-c", script:format(socket:fileno()) }):wait()
    assert.equal("closed\n", process.out)
    socket:close()
    loop.run()
  end)

  it("alone keeps no loop running", function()
    local socket = new "udp4"
    socket:on("message", never())
    loop.run(1)
    socket:close()
    loop.run()
  end)
end)

describe("isSocket", function()
  it("knows sockets from all else", function()
    for _, value in ipairs { 1, "udp4", {}, true, print, io.stdout, dgram.Socket, dgram.EventEmitter() } do
      assert.is_false(dgram.isSocket(value))
    end
    assert.is_false(dgram.isSocket(nil))
    assert.is_false(dgram.isSocket())
  end)
end)

describe("fileno", function()
  loop.guard()

  it("is one number for life, another for each socket", function()
    local a, b = new "udp4", new "udp4"
    local fd = a:fileno()
    assert.is_true(fd >= 0 and fd % 1 == 0)
    assert.is_not_equal(fd, b:fileno())
    a:bind(0, "127.0.0.1")
    loop.turn()
    assert.equal(fd, a:fileno())
    sockets.close_all(a, b)
    loop.run()
  end)
end)

describe("tostring", function()
  loop.guard()

  it("tells family, address and port", function()
    local socket, port = sockets.bound "udp4"
    assert.equal("dgram.Socket (udp4 127.0.0.1:" .. port .. ")", tostring(socket))
    socket:close()
    loop.run()
  end)

  it("works for IPv6", function()
    need(pending, can.ipv6())
    local socket, port = sockets.bound "udp6"
    local text = tostring(socket)
    assert.is_truthy(text:find("dgram.Socket (udp6 ", 1, true))
    assert.is_truthy(text:find("::1", 1, true))
    assert.is_truthy(text:find(":" .. port .. ")", 1, true))
    socket:close()
    loop.run()
  end)

  it("works before bind and after close", function()
    local socket = new "udp4"
    assert.is_truthy(tostring(socket):find("dgram.Socket (udp4", 1, true))
    socket:close()
    assert.is_truthy(tostring(socket):find("dgram.Socket (udp4", 1, true))
    loop.run()
    assert.is_truthy(tostring(socket):find("dgram.Socket (udp4", 1, true))
  end)
end)

describe("ref and unref", function()
  loop.guard()

  it("return the socket, bound or not, and as often as one likes", function()
    local socket = new "udp4"
    assert.equal(socket, socket:unref())
    assert.equal(socket, socket:unref())
    assert.equal(socket, socket:ref())
    socket:bind(0, "127.0.0.1")
    assert.equal(socket, socket:unref())
    assert.equal(socket, socket:ref())
    assert.equal(socket, socket:ref())
    socket:close()
    loop.run()
    assert.equal(socket, socket:ref())
    assert.equal(socket, socket:unref())
  end)

  for _, listening in ipairs { true, false } do
    local kind = listening and "with a listener" or "without a listener"

    it("a bound socket " .. kind .. " keeps the loop running", function()
      local socket = sockets.bound "udp4"
      if listening then socket:on("message", never()) end
      loop.turn(5)
      assert.is_true(require("luv").loop_alive())
      socket:close()
      loop.run()
    end)

    it("an unref'd one " .. kind .. " does not", function()
      local socket = sockets.bound "udp4"
      if listening then socket:on("message", never()) end
      socket:unref()
      loop.run(1)
      socket:ref()
      assert.is_true(require("luv").loop_alive())
      socket:close()
      loop.run()
    end)
  end

  it("unref before bind counts", function()
    local socket = new("udp4", never())
    socket:unref():bind(0, "127.0.0.1")
    loop.run(1)
    socket:close()
    loop.run()
  end)

  it("an unref'd socket still receives and still tells what is due", function()
    local socket = new "udp4"
    local seen
    socket:unref():bind(0, "127.0.0.1", expect())
    socket:on("message", function(msg) seen = msg end)
    local peer = peers.new():listen()
    peer:send("hello", socket:address().port)
    loop.wait(function() return seen end)
    assert.equal("hello", seen)
    peer:close()
    socket:close(expect())
    loop.run()
  end)
end)

describe("close variables", function()
  loop.guard()

  local function run(source)
    return assert(load(source))(new, error)
  end

  it("close the socket at the end of the block", function()
    need(pending, can.close_variables())
    local socket = run [[
      local new = ...
      local outside
      do
        local s <close> = new "udp4"
        outside = s:bind(0, "127.0.0.1")
      end
      return outside
    ]]
    socket:on("close", expect())
    faults.raised(faults.not_running, socket.address, socket)
    loop.run()
  end)

  it("close it when the block raises, and let the error pass", function()
    need(pending, can.close_variables())
    local ok, err, socket = run [[
      local new, error = ...
      local outside
      local ok, err = pcall(function()
        local s <close> = new "udp4"
        outside = s
        error("boom", 0)
      end)
      return ok, err, outside
    ]]
    assert.is_false(ok)
    assert.equal("boom", err)
    faults.raised(faults.not_running, socket.fileno, socket)
    loop.run()
  end)

  it("do not mind a socket that was closed before", function()
    need(pending, can.close_variables())
    local socket = run [[
      local new = ...
      local s <close> = new "udp4"
      s:close()
      return s
    ]]
    faults.raised(faults.not_running, socket.fileno, socket)
    loop.run()
  end)
end)
