-- SPDX-License-Identifier: MIT
-- The options interface and multicastAll: what the kernel gives a socket at all.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local namespaces = require "spec.support.namespace"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"
local uv = require "luv"

local need, new = can.need, sockets.new
local kinds = { "udp4", "udp6" }
local options = { interface = "lo", multicastAll = false }

-- Whether this system has the option, as it says itself: a socket with it can be made.
local function has(name)
  local ok, socket = pcall(dgram.createSocket, { type = "udp4", [name] = options[name] })
  if ok then
    socket:close()
    loop.turn()
    return true
  end
  faults.system(socket, { syscall = "setsockopt", code = socket.code == "EPERM" and "EPERM" or "ENOTSUP" })
  return nil, tostring(socket)
end

local function device(socket)
  return (socket:getOption("SOL_SOCKET", "SO_BINDTODEVICE"):gsub("%z", ""))
end

describe("the options interface and multicastAll", function()
  loop.guard()

  it("are refused for unix_dgram, and with values of a wrong type", function()
    local before = loop.descriptors()
    for name, value in pairs(options) do
      faults.raised(faults.bad_value, dgram.createSocket, { type = "unix_dgram", [name] = value })
      for _, wrong in ipairs { 1, {}, print, io.stdout, name == "interface" or "true" } do
        faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", [name] = wrong })
      end
    end
    faults.raised(faults.bad_value, dgram.createSocket, { type = "unix_dgram", multicastAll = true })
    for _, text in ipairs { "", "\0", "lo\0", "\0lo" } do
      faults.raised(faults.bad_value, dgram.createSocket, { type = "udp4", interface = text })
    end
    assert.equal(before, loop.descriptors())
  end)

  it("raise ENODEV for an interface that is none, and leave nothing open", function()
    need(pending, has "interface")
    local before = loop.descriptors()
    for _, kind in ipairs(kinds) do
      if kind == "udp4" or can.ipv6() then
        for _, name in ipairs { "dgnone0", ("x"):rep(16), ("lo"):rep(40), "127.0.0.1", "lo " } do
          local err = faults.raised({ code = "ENODEV", syscall = "setsockopt", interface = name }, dgram.createSocket,
            { type = kind, interface = name })
          assert.is_truthy(err.message:find("no such interface", 1, true), err.message)
        end
      end
    end
    collectgarbage()
    assert.equal(before, loop.descriptors())
  end)

  for _, kind in ipairs(kinds) do
    it("stay through connect and disconnect: " .. kind, function()
      need(pending, has "interface")
      if kind == "udp6" then need(pending, can.ipv6()) end
      local peer, port, got = sockets.collector(kind)
      local socket = new { type = kind, interface = "lo", multicastAll = false }
      local function check() assert.equal("lo", device(socket)) end
      check()
      for _ = 1, 2 do
        socket:connectSync(port, sockets.loopback[kind])
        check()
        socket:disconnect()
        check()
      end
      assert.equal(0, socket:getOption("IPPROTO_IP", "IP_MULTICAST_ALL"))
      if kind == "udp6" then assert.equal(0, socket:getOption("IPPROTO_IPV6", 29)) end
      socket:send("by lo", port, sockets.loopback[kind])
      loop.wait(function() return #got == 1 end)
      sockets.close_all(peer, socket)
      loop.run()
    end)
  end

  it("are the kernel's own choice where they are not given, or true", function()
    need(pending, has "multicastAll")
    for value, given in pairs { [1] = { type = "udp4" }, [2] = { type = "udp4", multicastAll = true } } do
      local socket = new(given)
      assert.equal(1, socket:getOption("IPPROTO_IP", "IP_MULTICAST_ALL"), value)
      assert.equal("", device(socket))
      socket:close()
    end
    loop.run()
  end)

  it("are refused for a Unix descriptor that is to be adopted", function()
    need(pending, has "interface")
    if not uv.socketpair then pending "this luv makes no pairs of sockets" end
    local fds = assert(uv.socketpair "dgram")
    for _, given in ipairs { { type = "udp4", interface = "lo" }, { type = "udp4", multicastAll = false } } do
      local heir = new(given)
      faults.raised({ code = "ENOTSUP", syscall = "setsockopt" }, heir.bind, heir, { fd = fds[1] })
      assert.same({ "udp4", false }, { heir:state().type, heir:state().bound })
      heir:close()
    end
    for _, fd in ipairs(fds) do uv.fs_close(fd) end
    loop.run()
  end)

  it("are set on a descriptor of UDP that is adopted", function()
    need(pending, has "interface")
    local donor, port = sockets.bound "udp4"
    local code = [[
      local dgram = require "dgram"
      local s = dgram.createSocket { type = "udp4", interface = "lo", multicastAll = false }
      print(s:bindSync { fd = 0 }.port)
      print((s:getOption("SOL_SOCKET", "SO_BINDTODEVICE"):gsub("%z", "")))
      print(s:getOption("IPPROTO_IP", "IP_MULTICAST_ALL"))
      s:close()
      dgram.run()
    ]]
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local process = child.start(child.interpreter(), { "-e", paths, "-e", code },
      { own = true, stdin = donor:fileno() }):wait()
    assert.same({ 0, ("%d\nlo\n0\n"):format(port) }, { process.status, process.out }, process.err)
    donor:close()
    loop.run()
  end)
end)

describe("across two interfaces", function()
  loop.guard()

  local families = {
    udp4 = { any = "0.0.0.0", loopback = "127.0.0.1", group = "239.78.0.1",
      own = function(space) return space.ip4 end },
    udp6 = { any = "::", loopback = "::1", group = "ff12::78:1",
      own = function(space, other) return space.ip6 .. "%" .. other.interface end },
  }

  for kind, family in pairs(families) do
    it("a socket that is bound to one hears nothing of the other: " .. kind, function()
      need(pending, namespaces.possible())
      local a, b = namespaces.pair()
      local receiver, sender = a:program(), b:program()
      local port = receiver:call([[
        s = new { type = %q, interface = %q }
        s:bind(0, %q)
        own = new %q
        own:bind(0, %q)
        return s:address().port
      ]], kind, a.interface, family.any, kind, family.loopback)
      -- the loopback interface's datagram is there before the other one is sent
      receiver:call([[own:send("by lo", %d, %q, function() told = true end)]], port, family.loopback)
      receiver:wait "return told"
      sender:call([[
        s = new %q
        s:send("by the pair", %d, %q)
      ]], kind, port, family.own(a, b))
      receiver:wait "return got[1]"
      assert.same({ 1, "by the pair" }, { receiver:call "return #got, got[1].msg" })
      -- and what it sends leaves by no other
      receiver:call([[
        told = nil
        s:send("not by lo", own:address().port, %q, function()
          own:send("by lo", own:address().port, %q, function() told = true end)
        end)
      ]], family.loopback, family.loopback)
      receiver:wait "return told and got[2]"
      assert.same({ 2, "by lo" }, { receiver:call "return #got, got[2].msg" })
      receiver:stop()
      sender:stop()
      loop.run()
    end)

    it("with multicastAll = false a group that another socket has joined is not heard: " .. kind, function()
      need(pending, namespaces.possible())
      local a, b = namespaces.pair()
      local receiver, sender = a:program(), b:program()
      local own = kind == "udp4" and a.ip4 or "::%" .. a.interface
      local port = receiver:call([[
        heard = { all = 0, none = 0, member = 0 }
        function open(name, port, all)
          local s = dgram.createSocket({ type = %q, reuseAddr = true, multicastAll = all },
            function(msg) if msg == "to the group" then heard[name] = heard[name] + 1 end end)
          s:bind(port, %q)
          return s, s:address().port
        end
        member, port = open("member", 0, false)
        member:addMembership(%q, %q)
        all = open("all", port)
        none = open("none", port, false)
        none:on("message", function(msg) last = msg end)
        return port
      ]], kind, family.any, family.group, own)
      sender:call([[
        s = new %q
        s:setMulticastInterface(%q)
        s:send("to the group", %d, %q)
      ]], kind, kind == "udp4" and b.ip4 or "::%" .. b.interface, port, family.group)
      receiver:wait "return heard.all == 1 and heard.member == 1"
      -- the last one that was bound gets what is sent to the address: it was there after the group's
      sender:call([[s:send("to the address", %d, %q)]], port, family.own(a, b))
      receiver:wait "return last"
      assert.same({ "to the address", 1, 0, 1 }, { receiver:call "return last, heard.all, heard.none, heard.member" })
      receiver:stop()
      sender:stop()
      loop.run()
    end)
  end

  it("with multicastAll = false a dual-stack socket does not hear IPv4 groups of others either", function()
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    local receiver, sender = a:program(), b:program()
    local port = receiver:call([[
      heard = { all = 0, none = 0 }
      function open(kind, name, port, all)
        local s = dgram.createSocket({ type = kind, reuseAddr = true, multicastAll = all },
          function(msg) heard[name] = heard[name] + 1 end)
        s:bind(port)
        return s, s:address().port
      end
      member, port = open("udp4", "all", 0)
      member:addMembership("239.78.0.2", %q)
      none = open("udp6", "none", port, false)
      return port
    ]], a.ip4)
    sender:call([[
      s = new "udp4"
      s:setMulticastInterface(%q)
      s:send("to the group", %d, "239.78.0.2")
    ]], b.ip4, port)
    receiver:wait "return heard.all == 1"
    assert.equal(0, receiver:call "return heard.none")
    receiver:stop()
    sender:stop()
    loop.run()
  end)
end)
