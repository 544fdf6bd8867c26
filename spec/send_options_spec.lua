-- SPDX-License-Identifier: MIT
-- The options of single datagrams: localAddress, interface, tos, ttl of send and sendMany, and where reply answers from.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local namespace = require "spec.support.namespace"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new
local loopback = sockets.loopback

local foreign = { udp4 = "192.0.2.1", udp6 = "2001:db8::1" } -- RFC 5737, RFC 3849: nobody has them

-- Why the system has no options for single datagrams, or nil.
local function missing()
  local socket, code = new "udp4", nil
  socket:send("probe", 9, "127.0.0.1", { tos = 0 }, function(err) code = err and err.code end)
  socket:close()
  loop.run()
  return code == "ENOTSUP" and "this system has no options for single datagrams" or nil
end

local function need_options()
  local reason = missing()
  if reason then pending(reason) end
end

local function close(...)
  sockets.close_all(...)
  loop.run()
end

-- A program that shows what comes with each datagram: text, source, hop limit, traffic class.
local watcher = [[
import socket, sys
family = socket.AF_INET6 if sys.argv[1] == "udp6" else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(0, 12, 1)  # IP_RECVTTL
s.setsockopt(0, 13, 1)  # IP_RECVTOS
if family == socket.AF_INET6:
    s.setsockopt(41, 26, 0)
    s.setsockopt(41, 51, 1)  # IPV6_RECVHOPLIMIT
    s.setsockopt(41, 66, 1)  # IPV6_RECVTCLASS
s.bind((sys.argv[2], 0))
print(s.getsockname()[1], flush=True)
while True:
    data, messages, flags, source = s.recvmsg(100, 200)
    ttl = tos = "-"
    for level, kind, value in messages:
        if (level, kind) in ((0, 2), (41, 52)): ttl = int.from_bytes(value[:4], sys.byteorder)
        if (level, kind) in ((0, 1), (41, 67)): tos = value[0]
    print(data.decode(), source[0], ttl, tos, flush=True)
]]

-- Starts it; returns its port and a function that returns its next line.
local function watch(kind, address)
  local python = need(pending, can.program "python3")
  local process = child.start(python, { "-c", watcher, kind, address })
  local at = 1
  local function line()
    local from = at
    loop.wait(function() return process.out:find("\n", from, true) or process.open == 0 end, 20)
    local text, stop = process.out:match("^(.-)\n()", from)
    at = stop or error("the watcher ended: " .. process.err)
    return text
  end
  return tonumber(line()), line, process
end

describe("the local address of a datagram", function()
  loop.guard()

  for _, connected in ipairs { false, true } do
    it("is what its receiver sees" .. (connected and ", from a connected socket" or ""), function()
      need_options()
      local receiver, port, got = sockets.collector "udp4"
      local socket = new "udp4"
      if connected then socket:connectSync(port, "127.0.0.1") end
      local wanted = {}
      local function send(n, method, msg, ...)
        wanted[#wanted + 1] = "127.0.0." .. n
        local list = { ... }
        for i = #list, 1, -1 do
          if connected and (list[i] == port or list[i] == "127.0.0.1") then table.remove(list, i) end
        end
        list[#list + 1] = { localAddress = "127.0.0." .. n }
        local count = method == "send" and 3 or 1
        list[#list + 1] = expect(function(err, told) assert.same({ nil, count }, { err, told }) end)
        assert.is_true(socket[method](socket, msg, (table.unpack or unpack)(list)))
      end
      send(2, "send", "two", port, "127.0.0.1")
      send(3, "send", "three", 0, 3, port, "127.0.0.1")
      send(4, "send", { "f", "ou" }, port, "127.0.0.1")
      send(5, "send", "fiv", port)
      send(6, "sendMany", { "six" }, port, "127.0.0.1")
      send(7, "sendMany", { "sev" }, port)
      socket:send("own", not connected and port or nil)
      wanted[#wanted + 1] = "127.0.0.1"
      loop.wait(function() return #got == #wanted end)
      local seen = {}
      for i, each in ipairs(got) do seen[i] = each.rinfo.address end
      assert.same(wanted, seen)
      assert.same({ "two", "thr", "fou", "fiv", "six", "sev", "own" }, sockets.messages(got))
      close(socket, receiver)
    end)
  end

  it("may stand behind an address that is nil, and be nil before a callback", function()
    need_options()
    local receiver, port, got = sockets.collector "udp4"
    local socket = new "udp4"
    socket:send("a", port, nil, { localAddress = "127.0.0.2" })
    socket:send("b", port, nil, { localAddress = "127.0.0.3" }, expect())
    socket:send("c", port, "127.0.0.1", nil, expect())
    socket:send("d", port, "127.0.0.1", {}, expect())
    socket:send("e", port, "127.0.0.1", { localAddress = "0.0.0.0" }, expect()) -- any: the kernel's choice
    loop.wait(function() return #got == 5 end)
    local seen = {}
    for i, each in ipairs(got) do seen[i] = each.rinfo.address end
    assert.same({ "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.1", "127.0.0.1" }, seen)
    close(socket, receiver)
  end)

  it("is that of an IPv4 datagram of a dual-stack socket, too", function()
    need(pending, can.ipv6())
    need_options()
    local receiver, port, got = sockets.collector "udp4"
    local socket = new "udp6"
    socket:send("mapped", port, "127.0.0.1", { localAddress = "127.0.0.9" }, expect())
    loop.wait(function() return #got == 1 end)
    assert.equal("127.0.0.9", got[1].rinfo.address)
    close(socket, receiver)
  end)

  it("may be that of any interface, IPv6", function()
    need(pending, can.ipv6())
    need_options()
    local receiver, port, got = sockets.collector "udp6"
    local socket = new "udp6"
    socket:send("six", port, "::1", { localAddress = "::1", interface = "lo" }, expect())
    loop.wait(function() return #got == 1 end)
    assert.equal("::1", got[1].rinfo.address)
    close(socket, receiver)
  end)

  it("goes along with a name", function()
    need_options()
    local name = need(pending, can.resolve_localhost "inet")
    local receiver, port, got = sockets.collector "udp4"
    local socket = new "udp4"
    local options = { localAddress = "127.0.0.8" }
    socket:send("named", port, name, options, expect(function(err) assert.is_nil(err) end))
    socket:sendMany({ "x", "y" }, port, name, options, expect(function(err, n) assert.same({ nil, 2 }, { err, n }) end))
    options.localAddress = "127.0.0.9" -- too late
    loop.wait(function() return #got == 3 end)
    for _, each in ipairs(got) do assert.equal("127.0.0.8", each.rinfo.address) end
    close(socket, receiver)
  end)

  for _, kind in ipairs { "udp4", "udp6" } do
    it("that is not ours is the datagram's error only, " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      need_options()
      local receiver, port, got = sockets.collector(kind)
      local socket, failed = new(kind), nil
      local to = loopback[kind]
      socket:send("before", port, to, expect(function(err) assert.is_nil(err) end))
      socket:send("lost", port, to, { localAddress = foreign[kind] }, expect(function(err, bytes)
        failed = err
        assert.equal(4, bytes)
      end))
      socket:send("after", port, to, expect(function(err) assert.is_nil(err) end))
      loop.wait(function() return #got == 2 and failed end)
      assert.same({ "before", "after" }, sockets.messages(got))
      assert.is_truthy(("EINVAL ENETUNREACH EADDRNOTAVAIL"):find(failed.code, 1, true))
      faults.system(failed, { code = failed.code, syscall = "send", address = to, port = port })
      assert.is_truthy(failed.message:find("no interface of this machine has its localAddress", 1, true))
      assert.equal(1, socket:stats().sendErrors)

      local events = {}
      socket:on("error", function(err) events[#events + 1] = err.code end)
      socket:send("lost", port, to, { localAddress = foreign[kind] })
      loop.wait(function() return #events == 1 end)
      close(socket, receiver)
    end)

    it("of the other family is the datagram's error, " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local socket = new(kind)
      local other = kind == "udp4" and "::1" or "127.0.0.1"
      local function check(err)
        faults.system(err, { code = "EINVAL", syscall = "send", port = 9 })
      end
      socket:send("no", 9, loopback[kind], { localAddress = other }, expect(check))
      socket:sendMany({ "no", "no" }, 9, loopback[kind], { localAddress = other }, expect(check))
      socket:send("no", 9, { localAddress = other }, expect(check))
      if kind == "udp6" then
        socket:send("no", 9, "127.0.0.1", { localAddress = "::1" }, expect(check))
      end
      socket:connectSync(9, loopback[kind])
      socket:send("no", { localAddress = other }, expect(check))
      loop.turn()
      close(socket)
    end)
  end

  it("of another family than what a name turns out to be is the datagram's error", function()
    need(pending, can.ipv6())
    local socket = new { type = "udp6", lookup = function(_, _, answer) answer(nil, "::1", 6) end }
    local options = { localAddress = "127.0.0.1" }
    socket:send("no", 9, "name.invalid", options, expect(function(err, bytes)
      faults.system(err, { code = "EINVAL", syscall = "send", address = "::1", port = 9 })
      assert.equal(2, bytes)
    end))
    socket:sendMany({ "no", "no" }, 9, "name.invalid", options, expect(function(err, count)
      assert.same({ "EINVAL", 0 }, { err.code, count })
    end))
    loop.turn()
    assert.equal(3, socket:stats().sendErrors)
    close(socket)
  end)
end)

describe("a train with options", function()
  loop.guard()

  -- Waits for the callback of a list; returns its error, its count, and the system calls and datagrams it took.
  local function send_list(socket, list, port, options)
    local done, failed, count
    local before = socket:stats()
    socket:sendMany(list, port, "127.0.0.1", options, function(err, n) done, failed, count = true, err, n end)
    loop.wait(function() return done end)
    return failed, count, socket:stats().sendCalls - before.sendCalls
  end

  local function fill(n)
    local list = {}
    for i = 1, n do list[i] = ("%03d"):format(i):rep(20) end
    return list
  end

  it("is one system call", function()
    need_options()
    local receiver, port, got = sockets.collector { type = "udp4", recvBufferSize = 1000000 }
    local socket, list = new "udp4", fill(64)
    if not socket:stats().gso then pending "no segmentation offload" end
    local failed, count, calls = send_list(socket, list, port, { localAddress = "127.0.0.2", tos = 8 })
    assert.same({ nil, 64, 1 }, { failed, count, calls })
    loop.wait(function() return #got == 64 end)
    assert.same(list, sockets.messages(got))
    for _, each in ipairs(got) do assert.equal("127.0.0.2", each.rinfo.address) end

    local called = socket:stats().sendCalls
    for i = 1, 64 do socket:send(list[i], port, "127.0.0.1", { localAddress = "127.0.0.3" }) end
    loop.wait(function() return #got == 128 end)
    assert.is_true(socket:stats().sendCalls - called <= 2) -- the first one goes at once
    close(socket, receiver)
  end)

  it("ends where the options change, and keeps the order", function()
    need_options()
    local receiver, port, got = sockets.collector { type = "udp4", recvBufferSize = 1000000 }
    local socket, wanted = new "udp4", {}
    for i = 1, 120 do
      local n = 1 + math.floor(i / 7) % 3
      wanted[i] = ("%d from %d"):format(i, n)
      if n == 1 then
        socket:send(tostring(i), port, "127.0.0.1")
      else
        socket:send(tostring(i), port, "127.0.0.1", { localAddress = "127.0.0." .. n })
      end
    end
    loop.wait(function() return #got == 120 end)
    for i, each in ipairs(got) do
      assert.equal(wanted[i], ("%s from %s"):format(each.msg, each.rinfo.address:match "%d+$"))
    end
    close(socket, receiver)
  end)

  it("from an address that is not ours fails datagram by datagram, and costs the socket nothing", function()
    need_options()
    local receiver, port, got = sockets.collector { type = "udp4", recvBufferSize = 1000000 }
    local socket, list = new "udp4", fill(128)
    local _, _, calls = send_list(socket, list, port)
    loop.wait(function() return #got == 128 end)
    local failed, count = send_list(socket, list, port, { localAddress = foreign.udp4 })
    assert.is_truthy(failed)
    assert.equal(0, count)
    assert.equal(128, socket:stats().sendErrors)
    assert.same({ nil, 128, calls }, { send_list(socket, list, port) })
    loop.wait(function() return #got == 256 end)
    close(socket, receiver)
  end)
end)

describe("the traffic class and the hop limit of a datagram", function()
  loop.guard()

  for _, case in ipairs {
    { "udp4", "udp4", "127.0.0.1", "IPv4" },
    { "udp6", "udp6", "::1", "IPv6" },
    { "udp6", "udp4", "127.0.0.1", "IPv4 from a dual-stack socket" },
  } do
    for _, connected in ipairs { false, true } do
      it(("are its own, %s%s"):format(case[4], connected and ", connected" or ""), function()
        if case[1] == "udp6" then need(pending, can.ipv6()) end
        need_options()
        local port, line, process = watch(case[2], case[3])
        local socket = new(case[1])
        if connected then socket:connectSync(port, case[3]) end
        local function send(msg, options)
          if connected then socket:send(msg, options) else socket:send(msg, port, case[3], options) end
          return line()
        end
        socket:setTTL(77)
        socket:setTypeOfService(8)
        assert.equal(("own %s 77 8"):format(case[3]), send("own"))
        assert.equal(("both %s 3 185"):format(case[3]), send("both", { ttl = 3, tos = 185 }))
        assert.equal(("tos %s 77 0"):format(case[3]), send("tos", { tos = 0 }))
        assert.equal(("ttl %s 255 8"):format(case[3]), send("ttl", { ttl = 255 }))
        assert.equal(("all %s 1 255"):format(case[3]),
          send("all", { ttl = 1, tos = 255, localAddress = case[3], interface = "lo" }))
        assert.equal(("own %s 77 8"):format(case[3]), send("own"))
        process:stop()
        close(socket)
      end)
    end
  end
end)

describe("the interface of a datagram", function()
  loop.guard()

  it("takes nothing from the address that the socket is bound to", function()
    need_options()
    local receiver, port, got = sockets.collector "udp4"
    for _, kind in ipairs { "udp4", "udp6" } do
      if kind == "udp4" or can.ipv6() then
        local socket = new(kind)
        socket:bind(0, kind == "udp4" and "127.0.0.2" or "::ffff:127.0.0.2")
        socket:send("on lo", port, "127.0.0.1", { interface = "lo" }, expect(function(err) assert.is_nil(err) end))
        loop.wait(function() return #got == 1 end)
        assert.equal("127.0.0.2", table.remove(got).rinfo.address)
        socket:close()
      end
    end
    close(receiver)
  end)

  it("that is gone is the datagram's error", function()
    local socket = new "udp4"
    local function check(err)
      faults.system(err, { code = "ENODEV", syscall = "send", address = "127.0.0.1", port = 9 })
    end
    socket:send("no", 9, "127.0.0.1", { interface = "nosuch0" }, expect(check))
    socket:send("no", 9, { interface = "nosuch0" }, expect(check))
    loop.turn()
    close(socket)
  end)

  it("decides where a datagram leaves", function()
    need_options()
    need(pending, namespace.possible())
    local space = namespace.new()
    for i = 1, 2 do
      space:ip(("link add a%d type veth peer name b%d"):format(i, i))
      for _, name in ipairs { "a", "b" } do space:ip(("link set %s%d up"):format(name, i)) end
      space:ip(("addr add 10.78.%d.1/24 dev a%d"):format(i, i))
    end
    local inside = space:program()
    inside:call [[ s = new "udp4"; s:bind(0); s:setMulticastTTL(1); s:setMulticastLoopback(true); errors = {};
      for i = 1, 2 do s:addMembership("239.255.78.1", "10.78." .. i .. ".1") end
      for i = 1, 2 do s:send("to a" .. i, s:address().port, "239.255.78.1", { interface = "a" .. i }) end ]]
    inside:wait "return #got == 2"
    assert.same({ "to a1", "10.78.1.1", "to a2", "10.78.2.1" }, { inside:call [[
      return got[1].msg, got[1].rinfo.address, got[2].msg, got[2].rinfo.address ]] })
    inside:call [[ s:send("x", 9, "10.78.1.2", { interface = "#99" }, function(err) code = err.code end) ]]
    inside:wait "return code"
    assert.equal("ENODEV", (inside:call "return code"))
    inside:call "s:close()"
    inside:stop()
  end)
end)

describe("a system without options for single datagrams", function()
  loop.guard()

  it("says so, datagram by datagram", function()
    if not missing() then pending "this system has them" end
    local receiver, port, got = sockets.collector "udp4"
    local socket = new "udp4"
    local function check(err) faults.system(err, { code = "ENOTSUP", syscall = "send" }) end
    socket:send("no", port, "127.0.0.1", { ttl = 3 }, expect(check))
    socket:sendMany({ "no", "no" }, port, "127.0.0.1", { localAddress = "127.0.0.2" }, expect(check))
    socket:send("plain", port, "127.0.0.1", {}, expect(function(err) assert.is_nil(err) end))
    loop.wait(function() return #got == 1 end)
    close(socket, receiver)
  end)
end)

describe("wrong options of a datagram", function()
  loop.guard()

  local cases = {
    { faults.bad_type, "localAddress", { 1, true, {}, print } },
    { faults.bad_value, "localAddress", { "", "127.0.0.1\0" } },
    { { name = "TypeError", code = "ERR_INVALID_IP_ADDRESS" }, "localAddress", { "x", "localhost", "1.2.3" } },
    { faults.bad_type, "interface", { 1, true, {}, print } },
    { faults.bad_value, "interface", { "", "lo\0" } },
    { faults.bad_type, "tos", { "1", true, {}, print } },
    { faults.out_of_range, "tos", { -1, 256, 1.5, 0 / 0, 1 / 0, -1 / 0 } },
    { faults.bad_type, "ttl", { "1", true, {}, print } },
    { faults.out_of_range, "ttl", { -1, 0, 256, 1.5, 0 / 0, 1 / 0 } },
    { faults.bad_value, "TTL", { 1 } },
    { faults.bad_type, 1, { "x" } },
    { faults.bad_type, true, { 1 } },
  }

  it("raise where a name goes on behind a NUL", function()
    local socket = new "udp4"
    faults.raised(faults.bad_value, socket.send, socket, "x", 9, "127.0.0.1", { ["ttl\0"] = 1 })
    close(socket)
  end)

  for _, case in ipairs(cases) do
    it(("raise, and nothing is sent: %s, %s"):format(tostring(case[2]), case[1].code), function()
      local socket = new "udp4"
      socket:on("error", never())
      for _, value in ipairs(case[3]) do
        local options = { [case[2]] = value }
        local err = faults.raised(case[1], socket.send, socket, "x", 9, "127.0.0.1", options, never())
        assert.is_truthy(err.message:find(tostring(case[2]), 1, true), err.message)
        faults.raised(case[1], socket.send, socket, "x", 9, options)
        faults.raised(case[1], socket.send, socket, "x", 9, "no.such.name.invalid", options, never())
        faults.raised(case[1], socket.sendMany, socket, { "x" }, 9, "127.0.0.1", options, never())
      end
      assert.equal(0, socket:stats().messagesSent)
      assert.is_false(socket:state().bound)
      close(socket)
    end)
  end

  it("raise where no table may stand", function()
    local socket = new "udp4"
    faults.raised(faults.bad_type, socket.send, socket, "x", 9, "127.0.0.1", {}, {})
    faults.raised(faults.bad_value, socket.send, socket, "x", 9, "127.0.0.1", {}, print, {})
    faults.raised(faults.bad_type, socket.sendto, socket, "x", 0, 1, 9, "127.0.0.1", {})
    close(socket)
  end)

  it("are all options of a unix_dgram socket", function()
    local socket, peer = new "unix_dgram", new "unix_dgram"
    local path = unix.path()
    peer:bind(path)
    for _, options in ipairs { {}, { tos = 1 } } do
      faults.raised(faults.bad_value, socket.send, socket, "x", path, options)
      faults.raised(faults.bad_value, socket.sendMany, socket, { "x" }, path, options, never())
    end
    socket:connectSync(path)
    faults.raised(faults.bad_value, socket.send, socket, "x", { tos = 1 })
    close(socket, peer)
  end)
end)

describe("reply", function()
  loop.guard()

  -- Sends an answer by a rinfo with these fields; returns where it came from, or the error's code.
  local function answer(fields, kind)
    kind = kind or "udp4"
    local client, port, got = sockets.collector(kind)
    local server, code = new(kind), nil
    server:bind(0, kind == "udp4" and "0.0.0.0" or "::")
    local rinfo = { address = loopback[kind], port = port }
    for name, value in pairs(fields) do rinfo[name] = value end
    server:reply("answer", rinfo, function(err) code = err and err.code end)
    loop.wait(function() return code or #got == 1 end)
    close(server, client)
    return code or got[1].rinfo.address
  end

  it("comes from the address that was asked", function()
    need_options()
    assert.equal("127.0.0.2", answer { localAddress = "127.0.0.2", interface = "lo" })
    assert.equal("127.0.0.3", answer { localAddress = "127.0.0.3" })
    assert.equal("127.0.0.1", answer {})
    assert.equal("127.0.0.4", answer { localAddress = "127.0.0.4", interface = "nosuch0" }) -- needs none
    if can.ipv6() then assert.equal("::1", answer({ localAddress = "::1", interface = "lo" }, "udp6")) end
  end)

  it("comes from where the kernel chooses, if a group or everybody was asked", function()
    for _, group in ipairs { "239.1.2.3", "255.255.255.255", "0.0.0.0" } do
      assert.equal("127.0.0.1", answer { localAddress = group, interface = "lo" })
    end
    if can.ipv6() then assert.equal("::1", answer({ localAddress = "ff02::fb", interface = "lo" }, "udp6")) end
  end)

  it("raises for nothing that a rinfo has", function()
    for _, junk in ipairs { 1, true, {}, print } do
      assert.equal("127.0.0.1", answer { localAddress = junk, interface = junk })
    end
    assert.equal("EINVAL", answer { localAddress = "" })
    assert.equal("EINVAL", answer { localAddress = "x" })
    assert.equal("EINVAL", answer { localAddress = "127.0.0.1\0" })
    assert.equal("EINVAL", answer { localAddress = "::1" })
    need_options()
    assert.is_truthy(("EINVAL ENETUNREACH EADDRNOTAVAIL"):find(answer { localAddress = foreign.udp4 }, 1, true))
    assert.equal("ENODEV", answer { address = "169.254.1.1", localAddress = "169.254.1.2", interface = "nosuch0" })
  end)

  it("is a plain send on a socket that is connected to the sender", function()
    local client, port, got = sockets.collector "udp4"
    local server = sockets.bound "udp4"
    server:connectSync(port, "127.0.0.1")
    server:reply("plain", { address = "127.0.0.1", port = port, localAddress = foreign.udp4 }, expect())
    loop.wait(function() return #got == 1 end)
    close(server, client)
  end)

  it("goes through the interface of a link-local question", function()
    need_options()
    need(pending, namespace.possible())
    local a, b = namespace.pair()
    b:ip "addr add fe80::77:99/64 dev dgb nodad"
    local client, server = a:program(), b:program()
    local port = client:call [[ s = new "udp6"; s:bind(0); return s:address().port ]]
    server:call([[ s = new "udp6"; s:bind(0)
      s:reply("zone", { address = "%s%%dgb", port = %d, localAddress = "fe80::77:99", interface = "dgb" })
      s:reply("name", { address = "%s", port = %d, localAddress = "fe80::77:99%%dgb", interface = "dgb" }) ]],
      a.ip6, port, a.ip6, port)
    client:wait "return #got == 2"
    local seen = { client:call "return got[1].rinfo.address, got[2].rinfo.address" }
    assert.same({ "fe80::77:99%dga", "fe80::77:99%dga" }, seen)
    for _, each in ipairs { client, server } do
      each:call "s:close()"
      each:stop()
    end
  end)
end)

describe("a server with pktInfo on several addresses", function()
  loop.guard()

  local function new_server(kind, listener)
    local done, server = pcall(new, { type = kind, pktInfo = true }, listener)
    if not done and server.code == "ENOTSUP" then pending(tostring(server)) end
    assert.is_true(done, tostring(server))
    return server
  end

  for _, case in ipairs {
    { "udp4", "0.0.0.0", "udp4", "127.0.0.1", "127.0.0.2", "127.1.2.3" },
    { "udp6", "::", "udp4", "127.0.0.1", "127.0.0.2", "127.1.2.3" },
    { "udp6", "::", "udp6", "::1" },
  } do
    it(("answers from the one that was asked: %s by %s"):format(case[1], case[3]), function()
      if case[1] == "udp6" then need(pending, can.ipv6()) end
      local server
      server = new_server(case[1], function(msg, rinfo) server:reply(msg, rinfo) end)
      server:bind(0, case[2])
      local got = {}
      local client = new(case[3], function(msg, rinfo) got[#got + 1] = msg .. " " .. rinfo.address end)
      local wanted = {}
      for i = 4, #case do
        client:send("asked", server:address().port, case[i])
        wanted[#wanted + 1] = "asked " .. case[i]
      end
      loop.wait(function() return #got == #wanted end)
      assert.same(wanted, got)
      close(server, client)
    end)
  end

  it("is what dig accepts, which looks at the source", function()
    local dig = need(pending, can.program "dig")
    local asked, plain = {}, false
    local server
    server = new_server("udp4", function(query, rinfo)
      asked[#asked + 1] = rinfo.localAddress
      local question = query:sub(13, query:find("\0", 13, true) + 4)
      local header = query:sub(1, 2) .. "\129\128\0\1\0\1\0\0\0\0" -- a response without additional records
      local answer = "\192\12\0\1\0\1\0\0\0\60\0\4\192\0\2\77"
      if plain then rinfo.localAddress = nil end
      server:reply(header .. question .. answer, rinfo)
    end)
    server:bind(0, "0.0.0.0")
    local function query()
      return child.start(dig, { "@127.0.0.2", "-p", tostring(server:address().port), "+short", "+tries=1", "+time=2",
        "+nocookie", "name.test", "A" }):wait()
    end
    local process = query()
    assert.same({ "192.0.2.77\n", 0 }, { process.out, process.status })
    assert.same({ "127.0.0.2" }, asked)
    plain = true -- then the answer comes from 127.0.0.1, and dig passes it over
    assert.is_nil(query().out:find("192.0.2.77", 1, true))
    close(server)
  end)

  it("answers over a link from any of its addresses, link-local ones and after a question to a group", function()
    need_options()
    need(pending, namespace.possible())
    local a, b = namespace.pair()
    for _, address in ipairs { "10.77.0.22/24", "fd77::2/64 nodad", "fd77::22/64 nodad", "fe80::77:22/64 nodad" } do
      b:ip(("addr add %s dev dgb"):format(address))
    end
    a:ip "addr add fd77::1/64 dev dga nodad"
    local client, server = a:program(), b:program()
    local port = server:call [[ s = dgram.createSocket { type = "udp6", pktInfo = true };
      s:on("message", function(msg, rinfo) s:reply(msg, rinfo) end)
      s:bind(0); s:addMembership("ff02::77:1", "dgb")
      return s:address().port ]]
    client:call [[ s = new "udp6"; s:bind(0); s:setMulticastInterface("::%dga") ]]
    local function ask(address)
      client:call([[ got = {}; s:send("asked", %d, %q) ]], port, address)
      client:wait "return #got == 1"
      return (client:call "return got[1].rinfo.address")
    end
    for _, address in ipairs { "10.77.0.2", "10.77.0.22" } do
      assert.equal("::ffff:" .. address, ask(address))
    end
    for _, address in ipairs { "fd77::2", "fd77::22", "fe80::77:2%dga", "fe80::77:22%dga" } do
      assert.equal(address, ask(address))
    end
    assert.is_truthy(ask("ff02::77:1"):find "^fe80::77:2")
    for _, each in ipairs { client, server } do
      each:call "s:close()"
      each:stop()
    end
  end)
end)
