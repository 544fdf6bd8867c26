-- SPDX-License-Identifier: MIT
-- Link-local addresses with their zones, and IPv4 literals of dual-stack sockets.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local namespaces = require "spec.support.namespace"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

local need, expect, new = can.need, loop.expect, sockets.new

describe("a link-local address", function()
  loop.guard()

  -- A program in a namespace of its own, whose loopback interface has the address fe80::1.
  local function inside()
    need(pending, namespaces.possible())
    local space = namespaces.new()
    space:ip "addr add fe80::1/64 dev lo nodad"
    return space:program()
  end

  local function finish(program)
    program:stop()
    loop.run()
  end

  it("with its zone works in bind, send, and rinfo", function()
    local p = inside()
    local address, family, text = p:call [[
      s = new "udp6"
      s:bind(0, "fe80::1%lo")
      local a = s:address()
      port = a.port
      return a.address, a.family, tostring(s)
    ]]
    assert.same({ "fe80::1%lo", "IPv6" }, { address, family })
    assert.is_truthy(text:find("fe80::1%lo", 1, true), text)
    p:call [[s:send("hello", port, "fe80::1%lo", function(err) sent = err or true end)]]
    p:wait "return sent and got[1]"
    assert.same({ true, "hello", "fe80::1%lo", "IPv6" },
      { p:call "return sent, got[1].msg, got[1].rinfo.address, got[1].rinfo.family" })
    p:call [[s:send("back", got[1].rinfo.port, got[1].rinfo.address)]]
    p:wait "return #got == 2"
    finish(p)
  end)

  it("with its zone works in connect, connectSync and bindSync", function()
    local p = inside()
    local bound = p:call [[
      s = new "udp6"
      return s:bindSync({ address = "fe80::1%lo" }).address
    ]]
    assert.equal("fe80::1%lo", bound)
    for _, method in ipairs { "connect", "connectSync" } do
      local peer, own = p:call([[
        c = new "udp6"
        c:%s(s:address().port, "fe80::1%%lo")
        c:send "hello"
        return c:remoteAddress().address, c:address().address
      ]], method)
      assert.same({ "fe80::1%lo", "fe80::1%lo" }, { peer, own })
      p:wait "return #got == 1"
      assert.equal("fe80::1%lo", p:call "local r = got[1].rinfo got = {} c:close() return r.address")
    end
    finish(p)
  end)

  for name, port in pairs { ["a free port"] = 0, ["a port of the program's"] = 4100 } do
    it("keeps its zone and its port through connect and disconnect: " .. name, function()
      local p = inside()
      local before, after = p:call([[
        s = new "udp6"
        s:bind(%d, "fe80::1%%lo")
        port = s:address().port
        s:connect(9, "fe80::1%%lo")
        s:disconnect()
        return port, s:address().port
      ]], port)
      assert.equal(before, after)
      assert.equal("fe80::1%lo", p:call "return s:address().address")
      for _ = 1, 2 do
        p:call [[c = new "udp6" c:send("hello", port, "fe80::1%lo") c:close()]]
        p:wait "return #got == 1"
        p:call [[got = {} s:connect(9, "fe80::1%lo") s:disconnect()]]
      end
      finish(p)
    end)
  end

  it("of a peer binds the socket to its interface no longer than it is the peer", function()
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    a:ip "addr add fe80::1/64 dev lo nodad"
    local p = a:program()
    assert.equal("::", p:call([[
      s = new "udp6"
      s:bind(0)
      r = new "udp6"
      r:bind(0)
      s:connect(9, %q)
      s:disconnect()
      s:send("through another one", r:address().port, "fe80::1%%lo", function(err) sent = err or "fine" end)
      return s:address().address
    ]], b.ip6 .. "%" .. a.interface))
    p:wait "return sent"
    assert.equal("fine", p:call "return tostring(sent)")
    p:wait "return #got == 1"
    finish(p)
  end)

  -- What becomes of a send, a bind and a connect of the name "device.test", which is that address without a zone.
  local by_name = [[
    options = { type = "udp6", lookup = function(_, _, cb) cb(nil, %q, 6) end }
    told = {}
    local function tell(key) return function(err) told[key] = err or "fine" end end
    r = new "udp6"
    r:bind(4100)
    s = new(options)
    s:send("by name", 4100, "device.test", tell "send")
    b = new(options)
    b:on("error", tell "bind")
    b:bind(0, "device.test", tell "bind")
    c = new(options)
    c:connect(4100, "device.test", tell "connect")
  ]]

  it("that a name stands for gets the zone of the only interface that has such addresses", function()
    local p = inside()
    p:call(by_name, "fe80::1")
    p:wait "return told.send and told.bind and told.connect and #got == 1"
    assert.same({ "fine", "fine", "fine", "by name", "fe80::1%lo", "fe80::1%lo" }, { p:call [[
      return told.send, told.bind, told.connect, got[1].msg, b:address().address, c:remoteAddress().address
    ]] })
    finish(p)
  end)

  it("that a name stands for is an error where several interfaces have such addresses", function()
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    a:ip "addr add fe80::1/64 dev lo nodad"
    local p = a:program()
    p:call(by_name, b.ip6)
    p:wait "return told.send and told.bind and told.connect"
    local text = ("getaddrinfo EINVAL device.test: %s is a link-local address, and its interface is not known; " ..
      "use it with its zone, as in %s%%eth0"):format(b.ip6, b.ip6)
    for _, call in ipairs { "send", "bind", "connect" } do
      local message, code, hostname, address = p:call(
        "local err = told.%s return err.message, err.code, err.hostname, err.address", call)
      assert.same({ text, "EINVAL", "device.test", b.ip6 }, { message, code, hostname, address })
    end
    -- who is bound to an interface needs no zone, and a zone that the look-up tells is taken
    local port = p:call [[h = new "udp6" h:bind(0, "fe80::1%lo") return h:address().port]]
    p:call([[
      told = {}
      f = new { type = "udp6", lookup = function(_, _, cb) cb(nil, "fe80::1", 6) end }
      f:bind(0, "fe80::1%%lo")
      f:send("bound", %d, "device.test", function(err) told.bound = err or "fine" end)
      z = new { type = "udp6", lookup = function(_, _, cb) cb(nil, "fe80::1%%lo", 6) end }
      z:send("with a zone", %d, "device.test", function(err) told.zone = err or "fine" end)
    ]], port, port)
    p:wait "return told.bound and told.zone and #got == 2"
    assert.same({ "fine", "fine" }, { p:call "return told.bound, told.zone" })
    finish(p)
  end)

  it("that the system's look-up tells gets its zone as well", function()
    need(pending, namespaces.possible())
    local folder = "/etc/netns"
    local space = namespaces.new()
    local path = folder .. "/" .. space.name
    local made = os.execute(("mkdir -p %s 2>/dev/null && echo 'fe80::1 device.test' > %s/hosts"):format(path, path))
    need(pending, made == true or made == 0, "no file can be made in " .. folder)
    finally(function() os.execute(("rm -r %s; rmdir %s 2>/dev/null"):format(path, folder)) end)
    space:ip "addr add fe80::1/64 dev lo nodad"
    local p = space:program()
    p:call [[
      r = new "udp6"
      r:bind(0)
      s = new "udp6"
      s:send("by name", r:address().port, "device.test", function(err) told = err and err.message or "fine" end)
    ]]
    p:wait "return told"
    assert.equal("fine", p:call "return told")
    p:wait "return #got == 1"
    assert.equal("fe80::1%lo", p:call "return got[1].rinfo.address")
    finish(p)
  end)

  it("may name its zone by number, and is told by name", function()
    local p = inside()
    assert.equal("fe80::1%lo", p:call [[
      s = new "udp6"
      s:bind(0, "fe80::1%1")
      return s:address().address
    ]])
    p:call [[s:send("hello", s:address().port, "fe80::1%1")]]
    p:wait "return #got == 1"
    assert.equal("fe80::1%lo", p:call "return got[1].rinfo.address")
    finish(p)
  end)

  it("without a zone, or with one that there is not, is an error", function()
    local p = inside()
    for _, address in ipairs { "fe80::1", "fe80::1%nosuch0", "fe80::1%99", "fe80::1%" } do
      p:call([[
        told = {}
        s = new "udp6"
        s:on("error", function(err) told[#told + 1] = err.code end)
        s:bind(0, %q)
      ]], address)
      p:wait "return #told == 1"
      assert.is_false((p:try "return s:address()"), address)
      p:call([[s:send("hello", 9, %q, function(err) told[#told + 1] = err and err.code or "sent" end)]], address)
      p:wait "return #told == 2"
      p:call([[s:connect(9, %q, function(err) told[#told + 1] = err and err.code or "connected" end)]], address)
      p:wait "return #told == 3"
      local codes = p:call "s:close() return table.concat(told, ' ')"
      -- a send without any zone goes where the routes say
      local wanted = address:find "%%" and "^E%u+ E%u+ E%u+$" or "^E%u+ %S+ E%u+$"
      assert.is_truthy(codes:find(wanted), address .. ": " .. codes)
    end
    finish(p)
  end)

  it("tells which of two interfaces a datagram came through", function()
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    -- the address of the other side is on this side's loopback interface as well
    a:ip(("addr add %s/128 dev lo nodad"):format(b.ip6))
    local receiver, sender = a:program(), b:program()
    local port = receiver:call "s = new 'udp6' s:bind(0) return s:address().port"
    sender:call("s = new 'udp6' s:send('from afar', %d, %q)", port, a.ip6 .. "%" .. b.interface)
    receiver:wait "return #got == 1"
    receiver:call("c = new 'udp6' c:bind(0, %q) c:send('from here', %d, %q)", b.ip6 .. "%lo", port, b.ip6 .. "%lo")
    receiver:wait "return #got == 2"
    assert.same({ b.ip6 .. "%" .. a.interface, b.ip6 .. "%lo" },
      { receiver:call "return got[1].rinfo.address, got[2].rinfo.address" })
    receiver:stop()
    sender:stop()
    loop.run()
  end)

  it("is matched by block lists whatever its zone", function()
    local p = inside()
    local codes = p:call [[
      list = dgram.BlockList()
      list:addSubnet("fe80::", 10, "ipv6")
      r = new { type = "udp6", receiveBlockList = list }
      r:bind(0)
      b = new { type = "udp6", sendBlockList = list }
      b:send("x", 9, "fe80::1%lo", function(err) told = err.code end)
      s = new "udp6"
      s:send("blocked", r:address().port, "fe80::1%lo")
      s:send("good", r:address().port, "::1")
      return 1
    ]]
    assert.equal(1, codes)
    p:wait "return #got > 0 and told"
    assert.same({ "good", 1, "ERR_IP_BLOCKED" }, { p:call "return got[1].msg, #got, told" })
    finish(p)
  end)

  it("of a global kind is told without a zone", function()
    need(pending, can.ipv6())
    local socket, port, got = sockets.collector "udp6"
    socket:send("hello", port, "::1")
    loop.wait(function() return #got == 1 end)
    assert.equal("::1", got[1].rinfo.address)
    socket:close()
    loop.run()
  end)
end)

describe("a dual-stack socket", function()
  loop.guard()

  it("sends to IPv4 literals, among others, in order, and hears the answers", function()
    need(pending, can.ipv6())
    local four, six = peers.new():listen(), peers.new("::1"):listen()
    local got = {}
    local socket = new("udp6", function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
    socket:on("error", function(err) error(err, 0) end)
    for i = 1, 30 do
      socket:send("four " .. i, four.port, "127.0.0.1", expect(function(err, bytes)
        assert.same({ nil, #("four " .. i) }, { err, bytes })
      end))
      socket:send("six " .. i, six.port, "::1")
      socket:sendto("mapped", 0, 6, four.port, "::ffff:127.0.0.1")
    end
    four:wait(60)
    six:wait(30)
    for i = 1, 30 do
      assert.equal("four " .. i, four.got[2 * i - 1].msg)
      assert.equal("six " .. i, six.got[i].msg)
    end
    local from = four.got[1].from
    assert.same({ "127.0.0.1", socket:address().port }, { from.ip, from.port })
    four:send("answer", from.port)
    loop.wait(function() return #got == 1 end)
    assert.same({ address = "::ffff:127.0.0.1", family = "IPv6", port = four.port, size = 6 }, got[1].rinfo)
    socket:send("back", got[1].rinfo.port, got[1].rinfo.address)
    four:wait(61)
    four:close()
    six:close()
    socket:close()
    loop.run()
  end)

  it("has the limits of IPv4 there", function()
    need(pending, can.ipv6())
    local socket = new "udp6"
    socket:send(("x"):rep(65508), 9, "127.0.0.1", expect(function(err)
      faults.system(err, { code = "EMSGSIZE", syscall = "send", port = 9 })
      assert.is_truthy(err.address:find("127.0.0.1", 1, true), err.address)
    end))
    socket:close()
    loop.run()
  end)

  it("that is ipv6Only does not, and tells it", function()
    need(pending, can.ipv6())
    local peer = peers.new():listen()
    local six = peers.new("::1"):listen()
    local socket = new { type = "udp6", ipv6Only = true }
    local errors = {}
    socket:on("error", function(err) errors[#errors + 1] = err end)
    socket:send("x", peer.port, "127.0.0.1", expect(function(err)
      faults.system(err, { code = err and err.code or "an error", syscall = "send" })
    end))
    socket:send("x", peer.port, "127.0.0.1")
    socket:send("six", six.port, "::1")
    six:wait(1)
    loop.wait(function() return #errors == 1 end)
    assert.equal("send", errors[1].syscall)
    assert.equal(0, #peer.got)
    peer:close()
    six:close()
    socket:close()
    loop.run()
  end)
end)
