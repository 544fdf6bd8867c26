-- SPDX-License-Identifier: MIT
-- setTypeOfService, setDontFragment, getPathMTU: what the kernel shows, and what a router of a smaller MTU does.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local namespaces = require "spec.support.namespace"
local sockets = require "spec.support.sockets"
local sockopt = require "spec.support.sockopt"
local unix = require "spec.support.unix"

local need, new = can.need, sockets.new
local kinds = { "udp4", "udp6" }

describe("setTypeOfService", function()
  loop.guard()

  for _, kind in ipairs(kinds) do
    it("sets what the kernel shows, in both families where both are: " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      need(pending, sockopt.readable())
      for _, socket in ipairs { new(kind), (sockets.bound(kind)) } do
        assert.equal(0, socket:getTypeOfService())
        for _, tos in ipairs { 0, 1, 2, 3, 46 * 4, 255, 0 } do
          assert.is_nil(socket:setTypeOfService(tos))
          assert.equal(tos, socket:getTypeOfService())
          assert.equal(tos, sockopt.get(socket, "IP_TOS"))
          if kind == "udp6" then assert.equal(tos, sockopt.get(socket, "IPV6_TCLASS")) end
        end
        socket:close()
      end
      loop.run()
    end)
  end

  it("works on an ipv6Only socket", function()
    need(pending, can.ipv6())
    local socket = new { type = "udp6", ipv6Only = true }
    socket:setTypeOfService(184)
    assert.equal(184, socket:getTypeOfService())
    socket:close()
    loop.run()
  end)
end)

describe("setDontFragment", function()
  loop.guard()

  for _, kind in ipairs(kinds) do
    it("sets what the kernel shows, in both families where both are: " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      need(pending, sockopt.readable())
      local socket = new(kind)
      local first = sockopt.get(socket, "IP_MTU_DISCOVER")
      assert.equal(1, first) -- IP_PMTUDISC_WANT
      for _, flag in ipairs { true, false, true } do
        assert.is_nil(socket:setDontFragment(flag))
        local how = flag and 3 or first
        assert.equal(how, sockopt.get(socket, "IP_MTU_DISCOVER"))
        if kind == "udp6" then
          assert.same({ how, flag and 1 or 0 },
            { sockopt.get(socket, "IPV6_MTU_DISCOVER"), sockopt.get(socket, "IPV6_DONTFRAG") })
        end
      end
      socket:close()
      loop.run()
    end)
  end
end)

describe("getPathMTU", function()
  loop.guard()

  local function not_connected(socket)
    faults.raised({ name = "Error", code = "ERR_SOCKET_DGRAM_NOT_CONNECTED" }, socket.getPathMTU, socket)
  end

  for _, kind in ipairs(kinds) do
    it("tells of a connected socket only, and after options that change the way: " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      need(pending, sockopt.readable())
      local address = sockets.loopback[kind]
      local peer, port, got = sockets.collector(kind)
      local socket = new(kind)
      not_connected(socket)
      socket:bind(0, address)
      not_connected(socket)
      socket:connectSync(port, address)
      local mtu = socket:getPathMTU()
      assert.is_true(mtu >= 1280, tostring(mtu))
      socket:setTypeOfService(8)
      socket:setDontFragment(true)
      local own = socket:address()
      assert.equal(mtu, socket:getPathMTU())
      assert.same({ own, address }, { socket:address(), socket:remoteAddress().address })
      socket:send "still connected"
      loop.wait(function() return #got == 1 end)
      assert.equal(own.port, got[1].rinfo.port)
      socket:disconnect()
      not_connected(socket)
      sockets.close_all(socket, peer)
      loop.run()
    end)
  end
end)

describe("on unix_dgram and closed sockets", function()
  loop.guard()

  local calls = { setTypeOfService = 1, getTypeOfService = false, setDontFragment = true, getPathMTU = false }

  it("the four raise", function()
    local socket, path, closed = new "unix_dgram", unix.path(), new "udp4"
    socket:bind(path)
    socket:connectSync(path)
    closed:close()
    for method, value in pairs(calls) do
      value = value or nil
      faults.raised({ code = "ENOTSUP", syscall = method }, socket[method], socket, value)
      faults.raised(faults.not_running, closed[method], closed, value)
    end
    socket:close()
    loop.run()
  end)
end)

describe("across a router of a smaller MTU", function()
  loop.guard()

  -- What the receiver has, and the sender with a socket `s` that is connected to it.
  local function start(kind, address, any)
    need(pending, namespaces.possible())
    local a, b = namespaces.routed()
    need(pending, a, b)
    local receiver, sender = b:program(), a:program()
    local everywhere = any == "udp4" and "0.0.0.0" or "::"
    local port = receiver:call([[s = new %q s:bind(0, %q) return s:address().port]], any, everywhere)
    sender:call([[
      s = new %q
      errors = {}
      s:on("error", function(err) errors[#errors + 1] = err.code end)
      s:connectSync(%d, %q)
      function try(length)
        told = nil
        s:send(("x"):rep(length), function(err) told = err and err.code or "sent" end)
      end
    ]], kind, port, address)
    return sender, receiver, port
  end

  local ways = {
    { "udp4", "10.78.2.1", "udp4", 28 }, { "udp6", "fd78:2::1", "udp6", 48 }, { "udp6", "10.78.2.1", "udp4", 28 },
  }
  for _, way in ipairs(ways) do
    local kind, address, any, headers = way[1], way[2], way[3], way[4]

    it(("what is too long fails, and the way's MTU is told: %s to %s"):format(kind, address), function()
      local sender, receiver = start(kind, address, any)
      local function try(length)
        sender:call("try(%d)", length)
        sender:wait "return told"
        return sender:call "return told"
      end
      assert.equal(1400, sender:call "return s:getPathMTU()")
      sender:call "s:setDontFragment(true)"
      assert.equal("sent", try(1300 - headers))
      receiver:wait "return #got == 1"
      assert.equal("EMSGSIZE", try(1401 - headers))
      assert.equal("sent", try(1400 - headers)) -- the router has to say it
      sender:wait "return s:getPathMTU() == 1300"
      sender:wait "return errors[1]"
      assert.equal("EMSGSIZE", sender:call "return errors[1]")
      assert.equal("sent", try(1300 - headers))
      receiver:wait "return #got == 2"
      sender:call "s:setTypeOfService(8)"
      assert.equal(1300, sender:call "return s:getPathMTU()")
      assert.equal("sent", try(1350 - headers)) -- a probe: it is not held back, though it is lost
      sender:call "s:setDontFragment(false)"
      assert.equal("sent", try(3000))
      receiver:wait "return #got == 3"
      assert.same({ 1300 - headers, 1300 - headers, 3000 },
        { receiver:call "return #got[1].msg, #got[2].msg, #got[3].msg" })
      sender:stop()
      receiver:stop()
      loop.run()
    end)

    it(("without a peer the socket hears what the interface does not take: %s to %s"):format(kind, address),
      function()
        local sender, receiver, port = start(kind, address, any)
        sender:call [[
          s:disconnect()
          s:setDontFragment(true)
        ]]
        for i, length in ipairs { 1401 - headers, 1300 - headers } do
          sender:call([[told = nil s:send(("x"):rep(%d), %d, %q, function(err) told = err and err.code or "sent" end)]],
            length, port, address)
          sender:wait "return told"
          assert.equal(i == 1 and "EMSGSIZE" or "sent", sender:call "return told")
        end
        receiver:wait "return #got == 1"
        assert.equal(1300 - headers, receiver:call "return #got[1].msg")
        sender:stop()
        receiver:stop()
        loop.run()
      end)
  end
end)
