-- SPDX-License-Identifier: MIT
-- connect, disconnect and remoteAddress.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockopt = require "spec.support.sockopt"
local sockets = require "spec.support.sockets"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new
local unpack = table.unpack or unpack

local connected = { code = "ERR_SOCKET_DGRAM_IS_CONNECTED", name = "Error" }
local not_connected = { code = "ERR_SOCKET_DGRAM_NOT_CONNECTED", name = "Error" }

local families = {
  udp4 = { address = "127.0.0.1", name = "IPv4", resolve = "inet" },
  udp6 = { address = "::1", name = "IPv6", resolve = "inet6" },
}

local CB = {}

for kind, family in pairs(families) do
  describe("connect of " .. kind, function()
    loop.guard()

    local function peer()
      if kind == "udp6" then need(pending, can.ipv6()) end
      return peers.new(family.address):listen()
    end

    local forms = {
      ["(port)"] = {}, ["(port, cb)"] = { CB }, ["(port, address)"] = { family.address },
      ["(port, address, cb)"] = { family.address, CB }, ["(port, nil, cb)"] = { nil, CB },
    }

    for form, rest in pairs(forms) do
      it("takes " .. form, function()
        local other = peer()
        local socket = new(kind)
        local returned, events, calls = false, 0, 0
        local arguments = {}
        for i = 1, 2 do
          arguments[i] = rest[i]
          if rest[i] == CB then
            arguments[i] = function(...)
              assert.equal(0, select("#", ...))
              assert.is_true(returned)
              calls = calls + 1
            end
          end
        end
        socket:on("error", never())
        socket:on("connect", function(...)
          assert.equal(0, select("#", ...))
          assert.is_true(returned)
          events = events + 1
        end)
        socket:connect(other.port, unpack(arguments, 1, 2))
        returned = true
        assert.same({ address = family.address, family = family.name, port = other.port }, socket:remoteAddress())
        loop.turn()
        assert.same({ 1, form:find "cb" and 1 or 0 }, { events, calls })
        socket:send("hello", expect(function(err, bytes) assert.same({ nil, 5 }, { err, bytes }) end))
        other:wait(1)
        assert.equal("hello", other.got[1].msg)
        assert.equal(socket:address().port, other.got[1].from.port)
        other:close()
        socket:close()
        loop.run()
      end)
    end

    it("binds an unbound socket first", function()
      local other = peer()
      local socket = new(kind)
      local log = {}
      socket:on("listening", function() log[#log + 1] = "listening" end)
      socket:on("connect", function() log[#log + 1] = "connect" end)
      socket:connect(other.port, function() log[#log + 1] = "cb" end)
      assert.same({ family.address, family.name }, { socket:address().address, socket:address().family })
      assert.is_true(socket:address().port > 0)
      assert.same({}, log)
      loop.turn()
      assert.equal("listening", table.remove(log, 1))
      table.sort(log)
      assert.same({ "cb", "connect" }, log)
      other:close()
      socket:close()
      loop.run()
    end)

    it("by name looks up first", function()
      local name = need(pending, can.resolve_localhost(family.resolve))
      local other = peer()
      local socket = new(kind)
      local done = 0
      socket:connect(other.port, name, function() done = done + 1 end)
      faults.raised(not_connected, socket.remoteAddress, socket)
      faults.raised(not_connected, socket.disconnect, socket)
      faults.raised(connected, socket.connect, socket, other.port, never())
      faults.raised(faults.bad_port, socket.send, socket, "too early")
      loop.wait(function() return done > 0 end, 20)
      assert.equal(other.port, socket:remoteAddress().port)
      assert.equal(family.address, socket:remoteAddress().address)
      socket:send "in time"
      other:wait(1)
      assert.equal("in time", other.got[1].msg)
      other:close()
      socket:close()
      loop.run()
      assert.equal(1, done)
    end)

    it("hears its peer only", function()
      local other, stranger = peer(), peer()
      local socket, port, got = sockets.collector(kind)
      socket:connect(other.port)
      stranger:send("from a stranger", port)
      other:send("from the peer", port)
      loop.wait(function() return #got > 0 end)
      assert.equal("from the peer", got[1].msg)
      assert.same({ address = family.address, family = family.name, port = other.port, size = 13 }, got[1].rinfo)
      socket:disconnect()
      stranger:send("from a stranger", port)
      loop.wait(function() return #got > 1 end)
      assert.same({ "from the peer", "from a stranger" }, sockets.messages(got))
      other:close()
      stranger:close()
      socket:close()
      loop.run()
    end)

    it("ends with disconnect, and begins anew", function()
      local first, second = peer(), peer()
      local socket = sockets.bound(kind)
      local here = socket:address()
      socket:connect(first.port, family.address)
      socket:send "to the first"
      socket:disconnect()
      faults.raised(not_connected, socket.remoteAddress, socket)
      faults.raised(not_connected, socket.disconnect, socket)
      faults.raised(faults.bad_port, socket.send, socket, "to nobody")
      assert.same(here, socket:address()) -- some kernels give an address back that the system had chosen
      socket:send("by port", second.port, family.address)
      socket:connect(second.port, family.address)
      socket:send "to the second"
      assert.equal(second.port, socket:remoteAddress().port)
      first:wait(1)
      second:wait(2)
      assert.equal("to the first", first.got[1].msg)
      assert.equal("by port", second.got[1].msg)
      assert.equal("to the second", second.got[2].msg)
      assert.equal(here.port, first.got[1].from.port)
      assert.equal(here.port, second.got[2].from.port)
      first:close()
      second:close()
      socket:close()
      loop.run()
      assert.same({ 1, 2 }, { #first.got, #second.got })
    end)

    it("disconnect leaves a socket where it was bound by connect", function()
      local other = peer()
      local socket = new(kind)
      local got = {}
      socket:on("message", function(msg) got[#got + 1] = msg end)
      socket:connect(other.port)
      local port = socket:address().port
      socket:disconnect()
      assert.equal(port, socket:address().port)
      other:send("still here", port)
      loop.wait(function() return #got == 1 end)
      other:close()
      socket:close()
      loop.run()
    end)
  end)
end

describe("connect", function()
  loop.guard()

  it("and disconnect leave a socket bound to its interface", function()
    need(pending, sockopt.readable())
    sockopt.SO_BINDTOIFINDEX = { 1, 62 }
    local setter = sockopt.setter(1, 62, 1)
    if not setter then pending "nothing is here to set socket options" end
    for kind, address in pairs { udp4 = "127.0.0.1", udp6 = can.ipv6() and "::1" } do
      if address then
        local socket, port, got = sockets.collector(kind)
        local process = child.start("/bin/sh", { "-c", setter }, { stdin = socket:fileno() }):wait()
        need(pending, process.status == 0 or nil, "the system lets nobody bind to an interface: " .. process.err)
        socket:connect(9, address)
        socket:disconnect()
        assert.equal(1, sockopt.get(socket, "SO_BINDTOIFINDEX"))
        local other = new(kind)
        other:send("still here", port, address)
        loop.wait(function() return #got == 1 end)
        other:close()
        socket:close()
        loop.run()
      end
    end
  end)

  it("to a name that nobody knows tells its callback alone", function()
    local socket = new "udp4"
    local seen
    socket:on("error", never())
    socket:on("connect", expect())
    socket:connect(9, "nohost.invalid", expect(function(err, ...)
      assert.equal(0, select("#", ...))
      seen = err
    end))
    loop.wait(function() return seen end, 20)
    local code = seen.code == "EAI_AGAIN" and "EAI_AGAIN" or "ENOTFOUND"
    faults.check(seen, { code = code, syscall = "getaddrinfo", hostname = "nohost.invalid" })
    faults.raised(not_connected, socket.remoteAddress, socket)
    socket:connect(9) -- it can be connected now
    assert.equal(9, socket:remoteAddress().port)
    loop.turn()
    socket:close()
    loop.run()
  end)

  it("to a name that nobody knows is an error event without a callback", function()
    local socket = new "udp4"
    local seen
    socket:on("error", expect(function(err) seen = err end))
    socket:on("connect", never())
    socket:connect(9, "nohost.invalid")
    loop.wait(function() return seen end, 20)
    assert.equal("getaddrinfo", seen.syscall)
    socket:close()
    loop.run()
  end)

  local refused = {
    ["a broadcast address without leave"] = { "127.255.255.255", "EACCES",
      "connect EACCES 127.255.255.255:9: broadcasts need setBroadcast(true)" },
    ["an IPv6 address of a udp4 socket"] = { "::1", "EINVAL",
      "connect EINVAL [::1]:9: an IPv6 address on a udp4 socket" },
  }
  for what, case in pairs(refused) do
    it("that the system refuses is told, with address and port: " .. what, function()
      local want = { code = case[2], syscall = "connect", address = case[1], port = 9 }
      local socket = sockets.bound "udp4"
      local returned = false
      socket:once("error", never())
      socket:on("connect", never())
      socket:connect(9, case[1], expect(function(err)
        assert.is_true(returned)
        faults.system(err, want)
        assert.equal(case[3], tostring(err))
      end))
      returned = true
      loop.turn()
      socket:removeAllListeners "error"
      socket:on("error", expect(function(err) faults.system(err, want) end))
      socket:connect(9, case[1])
      loop.turn()
      faults.raised(not_connected, socket.remoteAddress, socket)
      socket:close()
      loop.run()
    end)
  end

  it("twice raises and changes nothing", function()
    local socket = new "udp4"
    socket:connect(9, expect())
    faults.raised(connected, socket.connect, socket, 10)
    faults.raised(connected, socket.connect, socket, 10, "127.0.0.2", never())
    loop.turn()
    faults.raised(connected, socket.connect, socket, 9, "nohost.invalid", never())
    assert.same({ address = "127.0.0.1", family = "IPv4", port = 9 }, socket:remoteAddress())
    socket:close()
    loop.run()
  end)

  it("makes a port, an address or a path in send an error", function()
    local other = peers.new():listen()
    local socket = new "udp4"
    socket:connect(other.port)
    local calls = {
      { "send", "x", other.port }, { "send", "x", other.port, "127.0.0.1" }, { "send", "x", 9, never() },
      { "send", "x", other.port, "127.0.0.1", never() }, { "send", "x", 0, 1, other.port },
      { "send", "x", 0, 1, other.port, "127.0.0.1" }, { "send", "x", 0, 1, other.port, "127.0.0.1", never() },
      { "send", { "x", "y" }, other.port, "127.0.0.1" },
      { "sendto", "x", 0, 1, other.port, "127.0.0.1" }, { "sendto", "x", 0, 1, other.port, "127.0.0.1", never() },
    }
    for i, call in ipairs(calls) do
      faults.raised({ code = connected.code, name = "Error", label = ("%s, case %d"):format(call[1], i) },
        socket[call[1]], socket, unpack(call, 2))
    end
    assert.equal(0, socket:getSendQueueCount())
    socket:send "the only one"
    other:wait(1)
    socket:close(function() other:close() end)
    loop.run()
    assert.equal(1, #other.got)
    assert.equal("the only one", other.got[1].msg)
  end)

  it("knows all forms of a connected send", function()
    local other = peers.new():listen()
    local socket = new "udp4"
    socket:connect(other.port)
    local told = {}
    local function cb(err, bytes)
      assert.is_nil(err)
      told[#told + 1] = bytes
    end
    assert.is_true(socket:send "1 hello")
    socket:send("2 hello", cb)
    socket:send({ "3 ", "", "hel", "lo" }, cb)
    socket:send("...4 hello...", 3, 7, cb)
    socket:send("...5 hello...", 3, 7)
    socket:send("", cb)
    socket:send("7 hello", 2, 0, cb)
    other:wait(7)
    loop.turn()
    local messages = {}
    for i, datagram in ipairs(other.got) do messages[i] = datagram.msg end
    assert.same({ "1 hello", "2 hello", "3 hello", "4 hello", "5 hello", "", "" }, messages)
    assert.same({ 7, 7, 7, 0, 0 }, told)
    faults.raised(faults.out_of_range, socket.send, socket, "hello", -1, 2)
    faults.raised({ code = "ERR_BUFFER_OUT_OF_BOUNDS" }, socket.send, socket, "hello", 4, 2)
    faults.raised(faults.bad_type, socket.send, socket, 42)
    faults.raised(faults.bad_type, socket.send, socket)
    other:close()
    socket:close()
    loop.run()
  end)

  it("fails a datagram that is too long, and that one only", function()
    local other = peers.new():listen()
    local socket = new "udp4"
    socket:on("error", never())
    socket:connect(other.port)
    socket:send "before"
    socket:send(("x"):rep(65508), expect(function(err, bytes)
      faults.system(err, { code = "EMSGSIZE", syscall = "send", address = "127.0.0.1", port = other.port })
      assert.equal(65508, bytes)
    end))
    socket:send "after"
    other:wait(2)
    assert.equal("after", other.got[2].msg)
    other:close()
    socket:close()
    loop.run()
  end)

  it("refuses wrong arguments and does nothing", function()
    local socket = new "udp4"
    local before = loop.descriptors()
    for _, port in ipairs { 0, -1, 65536, 1.5, "80", "", true, {}, print, io.stdout } do
      faults.raised(faults.bad_port, socket.connect, socket, port, "127.0.0.1")
    end
    faults.raised(faults.bad_port, socket.connect, socket)
    faults.raised(faults.bad_port, socket.connect, socket, nil, "127.0.0.1", never())
    for _, value in ipairs { 1, true, {}, io.stdout } do
      faults.raised(faults.bad_type, socket.connect, socket, 9, value)
      faults.raised(faults.bad_type, socket.connect, socket, 9, "127.0.0.1", value)
    end
    for _, value in ipairs { "", "127.0.0.1\0", "\0" } do
      faults.raised(faults.bad_value, socket.connect, socket, 9, value)
    end
    faults.raised(faults.bad_value, socket.connect, socket, 9, "127.0.0.1", never(), 1)
    faults.raised(faults.bad_value, socket.connect, socket, 9, never(), 1)
    for _, name in ipairs { "disconnect", "remoteAddress" } do
      faults.raised(not_connected, socket[name], socket)
    end
    loop.turn()
    faults.raised({ code = "EBADF" }, socket.address, socket)
    assert.equal(before, loop.descriptors())
    socket:connect(9)
    faults.raised(faults.bad_value, socket.disconnect, socket, 1)
    faults.raised(faults.bad_value, socket.remoteAddress, socket, 1)
    assert.equal(9, socket:remoteAddress().port)
    socket:close()
    for _, call in ipairs { { "connect", 9 }, { "disconnect" }, { "remoteAddress" } } do
      faults.raised(faults.not_running, socket[call[1]], socket, call[2])
    end
    loop.run()
  end)

  it("is not told once the socket is closed", function()
    local socket = new "udp4"
    socket:on("connect", never())
    socket:connect(9, never())
    socket:close(expect())
    loop.run()
    local other = new "udp4"
    other:on("connect", never())
    other:on("error", never())
    other:connect(9, "localhost", never())
    other:close(expect())
    loop.run(20)
  end)
end)
