-- SPDX-License-Identifier: MIT
-- setOption and getOption: what goes to setsockopt(2) and comes from getsockopt(2), as it is.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local sockopt = require "spec.support.sockopt"
local uv = require "luv"

local need, expect, new = can.need, loop.expect, sockets.new

local SOCKET, IP, IPV6, UDP = "SOL_SOCKET", "IPPROTO_IP", "IPPROTO_IPV6", "IPPROTO_UDP"

-- An option that this system may lack.
local function set(socket, ...)
  local ok, err = pcall(socket.setOption, socket, ...)
  if ok then return true end
  return nil, tostring(err)
end

local function linux()
  if uv.os_uname().sysname == "Linux" then return true end
  return nil, "the options of Linux"
end

describe("setOption and getOption", function()
  loop.guard()

  for _, kind in ipairs { "udp4", "udp6", "unix_dgram" } do
    it("set and get integers, by name and by number: " .. kind, function()
      need(pending, linux())
      if kind == "udp6" then need(pending, can.ipv6()) end
      local socket = new(kind)
      assert.equal(2, socket:getOption(SOCKET, "SO_TYPE"))
      assert.is_nil(socket:setOption(SOCKET, "SO_PRIORITY", 5))
      assert.equal(5, socket:getOption(SOCKET, "SO_PRIORITY"))
      assert.equal(5, socket:getOption(1, 12))
      socket:setOption(1, 12, 3)
      assert.equal(3, socket:getOption(SOCKET, "SO_PRIORITY"))
      socket:close()
      loop.run()
    end)
  end

  for _, kind in ipairs { "udp4", "udp6" } do
    it("know which processor a peer's datagrams come by, and take one: " .. kind, function()
      need(pending, linux())
      if kind == "udp6" then need(pending, can.ipv6()) end
      local receiver, port, got = sockets.collector(kind)
      local sender, from = sockets.bound(kind)
      need(pending, pcall(receiver.getOption, receiver, SOCKET, "SO_INCOMING_CPU"), "no SO_INCOMING_CPU")
      assert.equal(-1, receiver:getOption(SOCKET, "SO_INCOMING_CPU"))
      receiver:connectSync(from, sockets.loopback[kind])
      sender:send("x", port, sockets.loopback[kind])
      loop.wait(function() return #got == 1 end)
      assert.is_true(receiver:getOption(SOCKET, "SO_INCOMING_CPU") >= 0)
      sender:setOption(SOCKET, "SO_INCOMING_CPU", 0)
      assert.equal(0, sender:getOption(SOCKET, "SO_INCOMING_CPU"))
      sockets.close_all(receiver, sender)
      loop.run()
    end)

    it("set the mark of the firewall's rules, where that is allowed: " .. kind, function()
      need(pending, linux())
      if kind == "udp6" then need(pending, can.ipv6()) end
      local socket = new(kind)
      local done, err = pcall(socket.setOption, socket, SOCKET, "SO_MARK", 77)
      if done then
        assert.equal(77, socket:getOption(SOCKET, "SO_MARK"))
      else
        faults.system(err, { code = "EPERM", syscall = "setsockopt" })
      end
      socket:close()
      loop.run()
    end)
  end

  it("take bytes and give bytes", function()
    need(pending, linux())
    local socket = new "udp4"
    local device = "lo\0"
    need(pending, set(socket, SOCKET, "SO_BINDTODEVICE", device))
    assert.equal(device, socket:getOption(SOCKET, "SO_BINDTODEVICE"))
    socket:setOption(SOCKET, "SO_BINDTODEVICE", "")
    assert.equal("", socket:getOption(SOCKET, "SO_BINDTODEVICE"))
    assert.equal(12, #socket:getOption(SOCKET, "SO_PEERCRED"))
    socket:setOption(IP, "IP_TTL", "\77") -- one byte, which Linux takes, too
    assert.equal(77, socket:getOption(IP, "IP_TTL"))
    socket:close()
    loop.run()
  end)

  it("show what the methods have set, and set what the kernel shows", function()
    need(pending, sockopt.readable())
    local socket = new "udp4"
    socket:setTTL(99)
    assert.equal(99, socket:getOption(IP, "IP_TTL"))
    socket:setOption(IP, "IP_TTL", 98)
    assert.equal(98, sockopt.get(socket, "IP_TTL"))
    socket:close()
    loop.run()
  end)

  it("raise what the system says", function()
    need(pending, linux())
    local socket = new "udp4"
    faults.raised({ code = "ENOPROTOOPT", syscall = "setsockopt" }, socket.setOption, socket, SOCKET, 9999, 1)
    faults.raised({ code = "ENOPROTOOPT", syscall = "getsockopt" }, socket.getOption, socket, SOCKET, 9999)
    faults.raised({ code = "EINVAL", syscall = "setsockopt" }, socket.setOption, socket, SOCKET, "SO_PRIORITY", "abc")
    faults.raised({ code = "EINVAL", syscall = "setsockopt" }, socket.setOption, socket, IP, "IP_TTL", 256)
    local device = "SO_BINDTODEVICE"
    faults.raised({ code = "ENODEV", syscall = "setsockopt" }, socket.setOption, socket, SOCKET, device, "dgno")
    socket:close()
    faults.raised(faults.not_running, socket.setOption, socket, SOCKET, "SO_PRIORITY", 1)
    faults.raised(faults.not_running, socket.getOption, socket, SOCKET, "SO_PRIORITY")
    loop.run()
  end)

  it("work on connected sockets, and on those that took over a descriptor", function()
    need(pending, linux())
    local socket = new "udp4"
    socket:connectSync(9, "127.0.0.1")
    socket:setOption(SOCKET, "SO_PRIORITY", 2)
    assert.equal(2, socket:getOption(SOCKET, "SO_PRIORITY"))
    socket:close()
    loop.run()
    if not uv.socketpair then pending "this luv makes no pairs of sockets" end
    local fds, heir = assert(uv.socketpair "dgram"), new "udp4"
    heir:bind { fd = fds[1] }
    heir:setOption(SOCKET, "SO_PRIORITY", 4)
    assert.equal(4, heir:getOption(SOCKET, "SO_PRIORITY"))
    heir:close()
    uv.fs_close(fds[2])
    loop.run()
  end)

  it("hold for what is sent after them", function()
    need(pending, linux())
    local receiver, port, got = sockets.collector "udp4"
    receiver:setOption(IP, 12, 1) -- IP_RECVTTL: who asks for more than the message does no harm
    local sender = new "udp4"
    for i = 1, 5 do
      sender:send("n" .. i, port, "127.0.0.1")
      sender:setOption(IP, "IP_TTL", i)
      assert.equal(0, sender:getSendQueueCount())
    end
    loop.wait(function() return #got == 5 end)
    assert.same({ "n1", "n2", "n3", "n4", "n5" }, sockets.messages(got))
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("tell the socket of what it goes by: IPV6_V6ONLY", function()
    need(pending, can.ipv6())
    need(pending, linux())
    local socket = new "udp6"
    socket:setOption(IPV6, 26, 1)
    socket:send("x", 9, "127.0.0.1", expect(function(err)
      assert.is_truthy(tostring(err):find("an IPv4 address on an ipv6Only socket", 1, true), tostring(err))
    end))
    loop.turn()
    socket:close()
    loop.run()
  end)

  it("tell the socket of what it goes by: UDP_GRO", function()
    need(pending, linux())
    local asking = new { type = "udp4", gro = true }
    local takes_trains = asking:stats().gro
    asking:close()
    need(pending, takes_trains, "this back end, or this kernel, knows no trains")
    local receiver, port, got = sockets.collector { type = "udp4", gro = false }
    receiver:setOption(UDP, 104, 1)
    assert.is_true(receiver:stats().gro)
    local sender, list = new "udp4", {}
    for i = 1, 20 do list[i] = ("%02d"):format(i):rep(50) end
    sender:sendMany(list, port, "127.0.0.1")
    loop.wait(function() return #got == 20 end)
    assert.same(list, sockets.messages(got))
    receiver:setOption(UDP, 104, 0)
    assert.is_false(receiver:stats().gro)
    sender:sendMany(list, port, "127.0.0.1")
    loop.wait(function() return #got == 40 end)
    assert.equal(list[20], got[40].msg)
    sockets.close_all(receiver, sender)
    loop.run()
  end)

  it("of an error queue (IP_RECVERR) do not make the loop spin", function()
    need(pending, linux())
    local socket, errors = sockets.bound "udp4", {}
    socket:on("error", function(err) errors[#errors + 1] = err.code end):on("message", loop.never())
    socket:setOption(IP, 11, 1)
    local other, port = sockets.bound "udp4"
    other:close()
    loop.turn()
    socket:send("x", port, "127.0.0.1")
    loop.wait(function() return #errors > 0 end)
    for _ = 1, 20 do loop.turn() end
    assert.same({ "ECONNREFUSED" }, errors)
    assert.equal(0, socket:getOption(SOCKET, 4)) -- SO_ERROR
    socket:close()
    loop.run()
  end)
end)
