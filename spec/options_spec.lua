-- SPDX-License-Identifier: MIT
-- The methods that set and get socket options.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local sockopt = require "spec.support.sockopt"
local dgram = require "dgram"

local need, expect, new = can.need, loop.expect, sockets.new

local flags, numbers = { true, false, true }, { 1, 2, 64, 254, 255 }
local with_zero = { 0, 1, 2, 255 }

-- method, its values, the option that the kernel must then show, per family
local setters = {
  { "setBroadcast", flags, udp4 = "SO_BROADCAST", udp6 = "SO_BROADCAST" },
  { "setTTL", numbers, udp4 = "IP_TTL", udp6 = "IPV6_UNICAST_HOPS" },
  { "setMulticastTTL", with_zero, udp4 = "IP_MULTICAST_TTL", udp6 = "IPV6_MULTICAST_HOPS" },
  { "setMulticastLoopback", flags, udp4 = "IP_MULTICAST_LOOP", udp6 = "IPV6_MULTICAST_LOOP" },
}

for _, setter in ipairs(setters) do
  local method, values = setter[1], setter[2]

  describe(method, function()
    loop.guard()

    for _, kind in ipairs { "udp4", "udp6" } do
      for _, state in ipairs { "unbound", "bound" } do
        it(("sets what the kernel shows: %s, %s"):format(kind, state), function()
          if kind == "udp6" then need(pending, can.ipv6()) end
          need(pending, sockopt.readable())
          local socket = state == "bound" and sockets.bound(kind) or new(kind)
          for _, value in ipairs(values) do
            local answer = socket[method](socket, value)
            if method ~= "setBroadcast" then assert.equal(value, answer) end -- as Node's do
            local wanted = value == true and 1 or value == false and 0 or value
            assert.equal(wanted, sockopt.get(socket, setter[kind]))
          end
          if state == "unbound" then
            faults.raised({ code = "EBADF" }, socket.address, socket) -- nothing was bound behind our back
          end
          socket:close()
          loop.run()
        end)
      end
    end
  end)
end

describe("a unicast and a multicast hop limit", function()
  loop.guard()

  it("are two things", function()
    need(pending, sockopt.readable())
    local socket = new "udp4"
    socket:setTTL(11)
    socket:setMulticastTTL(22)
    assert.equal(11, sockopt.get(socket, "IP_TTL"))
    assert.equal(22, sockopt.get(socket, "IP_MULTICAST_TTL"))
    socket:close()
    if can.ipv6() then
      local six = new "udp6"
      six:setTTL(11)
      six:setMulticastTTL(22)
      assert.equal(11, sockopt.get(six, "IPV6_UNICAST_HOPS"))
      assert.equal(22, sockopt.get(six, "IPV6_MULTICAST_HOPS"))
      six:close()
    end
    loop.run()
  end)

  it("on a udp6 socket also hold for IPv4 peers", function()
    need(pending, can.ipv6())
    need(pending, sockopt.readable())
    local socket = new "udp6"
    socket:setTTL(77)
    socket:setMulticastTTL(33)
    socket:setMulticastLoopback(false)
    assert.equal(77, sockopt.get(socket, "IPV6_UNICAST_HOPS"))
    assert.same({ 77, 33, 0 }, { sockopt.get(socket, "IP_TTL"), sockopt.get(socket, "IP_MULTICAST_TTL"),
      sockopt.get(socket, "IP_MULTICAST_LOOP") })
    local peer = peers.new("127.0.0.1"):listen()
    socket:send("hello", peer.port, "127.0.0.1", expect(function(err) assert.is_nil(err) end))
    peer:wait(1)
    peer:close()
    socket:close()
    loop.run()
  end)
end)

describe("setBroadcast", function()
  loop.guard()

  local function broadcast(socket, port)
    local result
    socket:send("to all", port, "127.255.255.255", function(err) result = err or "sent" end)
    loop.wait(function() return result end)
    return result
  end

  it("allows broadcasts, which arrive, and forbids them again", function()
    local got = {}
    local receiver = new("udp4", function(msg) got[#got + 1] = msg end)
    receiver:bind(0)
    local port = receiver:address().port
    local socket = new "udp4"
    local refused = broadcast(socket, port)
    if refused == "sent" then
      sockets.close_all(receiver, socket)
      pending "this system lets everybody broadcast"
    end
    assert.equal("EACCES", refused.code)
    socket:setBroadcast(true)
    assert.equal("sent", broadcast(socket, port))
    loop.wait(function() return #got == 1 end)
    assert.equal("to all", got[1])
    socket:setBroadcast(false)
    assert.equal("EACCES", broadcast(socket, port).code)
    sockets.close_all(receiver, socket)
    loop.run()
  end)
end)

describe("setMulticastInterface", function()
  loop.guard()

  it("takes an address of an interface", function()
    need(pending, can.native())
    need(pending, sockopt.readable())
    local socket = new "udp4"
    socket:setMulticastInterface "127.0.0.1"
    -- an address in network order, read as this machine's integer
    local value = sockopt.get(socket, "IP_MULTICAST_IF")
    assert.is_true(value == 0x0100007F or value == 0x7F000001)
    socket:setMulticastInterface "0.0.0.0"
    assert.equal(0, sockopt.get(socket, "IP_MULTICAST_IF"))
    socket:close()
    loop.run()
  end)

  it("takes an address with a zone on udp6", function()
    local zone = need(pending, can.multicast6())
    need(pending, sockopt.readable())
    local socket = new "udp6"
    socket:setMulticastInterface("::%" .. zone)
    assert.is_true(sockopt.get(socket, "IPV6_MULTICAST_IF") > 0)
    socket:close()
    loop.run()
  end)

  it("refuses what is no address, and an address of nobody", function()
    local socket = new "udp4"
    for _, text in ipairs { "not an address", "256.0.0.1", "127.0.0.1 " } do
      faults.raised({ code = "EINVAL", syscall = "setMulticastInterface" },
        socket.setMulticastInterface, socket, text)
    end
    faults.raised({ code = "EADDRNOTAVAIL", syscall = "setMulticastInterface" },
      socket.setMulticastInterface, socket, "203.0.113.1")
    socket:close()
    loop.run()
  end)
end)

for what, option in pairs { Recv = "SO_RCVBUF", Send = "SO_SNDBUF" } do
  describe(what .. " buffer size", function()
    loop.guard()

    local get, set = "get" .. what .. "BufferSize", "set" .. what .. "BufferSize"
    local name = what:lower() .. "BufferSize"

    it("is what the kernel reports", function()
      need(pending, sockopt.readable())
      local socket = new "udp4"
      assert.equal(sockopt.get(socket, option), socket[get](socket))
      socket[set](socket, 50000)
      assert.equal(sockopt.get(socket, option), socket[get](socket))
      socket:close()
      loop.run()
    end)

    it("can be set, bound or not", function()
      for _, socket in ipairs { new "udp4", (sockets.bound "udp4") } do
        for _, size in ipairs { 40000, 20000 } do
          socket[set](socket, size)
          local now = socket[get](socket)
          -- Linux reports the double, for its own book-keeping
          assert.is_true(now == size or now == 2 * size, tostring(now))
        end
        socket:close()
      end
      loop.run()
    end)

    it("can be given to createSocket", function()
      local socket = new { type = "udp4", [name] = 30000 }
      local now = socket[get](socket)
      assert.is_true(now == 30000 or now == 60000, tostring(now))
      socket:close()
      loop.run()
    end)

    it("refuses what is no size", function()
      local socket = new "udp4"
      local before = socket[get](socket)
      local want = { code = "ERR_SOCKET_BAD_BUFFER_SIZE", name = "TypeError" }
      for _, value in ipairs { -1, 1.5, 0 / 0, 1 / 0, -1 / 0, 4294967296, "1000", true, {}, print } do
        faults.raised(want, socket[set], socket, value)
        local range = type(value) == "number" and faults.out_of_range or faults.bad_type
        faults.raised(range, dgram.createSocket, { type = "udp4", [name] = value })
      end
      faults.raised(want, socket[set], socket)
      assert.equal(before, socket[get](socket))
      socket:close()
      loop.run()
    end)

    it("tells when the system refuses", function()
      local socket = new "udp4"
      local before = socket[get](socket)
      faults.raised({ code = "ERR_SOCKET_BUFFER_SIZE" }, socket[set], socket, 2147483648)
      faults.raised({ code = "ERR_SOCKET_BUFFER_SIZE" }, socket[set], socket, 4294967295)
      assert.equal(before, socket[get](socket))
      socket:close()
      loop.run()
    end)
  end)
end

describe("options of createSocket", function()
  loop.guard()

  it("take booleans only where they are flags", function()
    for _, name in ipairs { "reuseAddr", "reusePort", "ipv6Only" } do
      for _, value in ipairs { 0, 1, "true", {}, print, io.stdout } do
        faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", [name] = value })
      end
    end
  end)

  it("raise where they are unknown, and name what is unknown", function()
    for _, name in ipairs { "reuseaddr", "port", "x" } do
      local err = faults.raised(faults.bad_value, dgram.createSocket, { type = "udp4", [name] = true })
      assert.is_truthy(err.message:find(name, 1, true))
    end
    faults.raised(faults.bad_value, dgram.createSocket, { "udp4", type = "udp4" })
  end)

  it("leak nothing when they are wrong", function()
    need(pending, can.see_descriptors())
    local before = loop.descriptors()
    for _ = 1, 20 do
      pcall(dgram.createSocket, { type = "udp4", recvBufferSize = 4294967295 })
      pcall(dgram.createSocket, { type = "udp4", ipv6Only = 1 })
      pcall(dgram.createSocket, { type = "udp4", colour = "red" })
      pcall(dgram.createSocket, { type = "udp4" }, "no function")
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, loop.descriptors())
  end)
end)
