-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local sockopt = require "spec.support.sockopt"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- Binds a second socket with the same options to the port of the first one; returns the second one's error, if any.
local function bind_twice(first_options, second_options)
  local first, port = sockets.bound(first_options)
  local second = new(second_options)
  local failure, listening
  second:on("error", function(err) failure = err end)
  second:on("listening", function() listening = true end)
  second:bind(port, "127.0.0.1")
  loop.wait(function() return failure or listening end)
  if not failure then assert.equal(port, second:address().port) end
  sockets.close_all(first, second)
  loop.run()
  return failure
end

describe("two sockets on one port", function()
  loop.guard()

  it("are refused by default", function()
    faults.system(bind_twice("udp4", "udp4"), { code = "EADDRINUSE", syscall = "bind" })
    faults.system(bind_twice({ type = "udp4", reuseAddr = false }, { type = "udp4", reusePort = false }),
      { code = "EADDRINUSE", syscall = "bind" })
  end)

  it("work where both have reuseAddr", function()
    assert.is_nil(bind_twice({ type = "udp4", reuseAddr = true }, { type = "udp4", reuseAddr = true }))
  end)

  it("are refused where only one has reuseAddr", function()
    assert.is_not_nil(bind_twice({ type = "udp4", reuseAddr = true }, "udp4"))
    assert.is_not_nil(bind_twice("udp4", { type = "udp4", reuseAddr = true }))
  end)

  it("work where both have reusePort", function()
    local failure = bind_twice({ type = "udp4", reusePort = true }, { type = "udp4", reusePort = true })
    if failure and failure.code == "ENOTSUP" then pending "this system does not share out a port" end
    assert.is_nil(failure)
  end)

  it("share the senders out with reusePort", function()
    need(pending, sockopt.readable()) -- Linux: the kernel spreads by flow
    local options = { type = "udp4", reusePort = true }
    local first, port, first_got = sockets.collector(options)
    local second_got = {}
    local second = new(options, function(msg) second_got[#second_got + 1] = msg end)
    second:bind(port, "127.0.0.1")
    local senders = {}
    for i = 1, 64 do
      senders[i] = peers.new()
      senders[i]:send("from " .. i, port)
    end
    loop.wait(function() return #first_got + #second_got == 64 end)
    assert.is_true(#first_got > 0 and #second_got > 0)
    for i = 1, 64 do senders[i]:close() end
    sockets.close_all(first, second)
    loop.run()
  end)

  it("the options are the kernel's", function()
    need(pending, sockopt.readable())
    local plain, addr = new "udp4", new { type = "udp4", reuseAddr = true }
    local port = new { type = "udp4", reusePort = true }
    for _, socket in ipairs { plain, addr, port } do socket:bind(0, "127.0.0.1") end
    assert.equal(0, sockopt.get(plain, "SO_REUSEADDR"))
    assert.equal(0, sockopt.get(plain, "SO_REUSEPORT"))
    assert.equal(1, sockopt.get(addr, "SO_REUSEADDR"))
    assert.equal(0, sockopt.get(addr, "SO_REUSEPORT"))
    assert.equal(1, sockopt.get(port, "SO_REUSEPORT"))
    sockets.close_all(plain, addr, port)
    loop.run()
  end)
end)

describe("ipv6Only", function()
  loop.guard()

  it("true: the IPv4 port stays free", function()
    need(pending, can.ipv6())
    local six = new { type = "udp6", ipv6Only = true }
    six:bind(0)
    local four = new "udp4"
    four:on("error", never())
    four:bind(six:address().port, expect())
    loop.turn()
    sockets.close_all(six, four)
    loop.run()
  end)

  it("absent or false: the socket has the IPv4 port too, and hears it", function()
    need(pending, can.ipv6())
    for _, options in ipairs { { type = "udp6" }, { type = "udp6", ipv6Only = false } } do
      local got = {}
      local six = new(options, function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
      six:bind(0)
      local port = six:address().port
      local four = new "udp4"
      local failure
      four:on("error", function(err) failure = err end)
      four:bind(port)
      local peer = peers.new "127.0.0.1"
      peer:send("hello", port)
      loop.wait(function() return failure and #got == 1 end)
      assert.equal("EADDRINUSE", failure.code)
      assert.equal("::ffff:127.0.0.1", got[1].rinfo.address)
      assert.equal("IPv6", got[1].rinfo.family)
      assert.equal(peer.port, got[1].rinfo.port)
      peer:close()
      sockets.close_all(six, four)
      loop.run()
    end
  end)

  it("means nothing to a udp4 socket", function()
    local socket = new { type = "udp4", ipv6Only = true }
    socket:bind(0, "127.0.0.1", expect())
    loop.turn()
    socket:close()
    loop.run()
  end)
end)
