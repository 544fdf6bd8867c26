-- SPDX-License-Identifier: MIT
-- Multicast and broadcast across real interfaces: two namespaces, a pair of interfaces between them, programs inside.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local namespaces = require "spec.support.namespace"

local need = can.need

local families = {
  udp4 = {
    any = "0.0.0.0", group = "239.77.0.1", other = "239.77.0.2", source_group = "232.77.0.1", nobody = "10.77.0.99",
    own = function(space) return space.ip4 end,
    interface = function(space) return space.ip4 end,
  },
  udp6 = {
    any = "::", group = "ff12::77:1", other = "ff12::77:2", source_group = "ff32::77:1", nobody = "fe80::77:99",
    own = function(space) return space.ip6 end,
    interface = function(space) return "::%" .. space.interface end,
  },
}

-- A receiver in one namespace, a sender in the other: programs, with a socket `s` each.
local function start(kind, options)
  need(pending, namespaces.possible())
  local family = families[kind]
  local a, b = namespaces.pair()
  local t = { a = a, b = b, family = family, receiver = a:program(), sender = b:program(), kind = kind }
  t.port = t.receiver:call([[
    s = new { type = %q, %s }
    s:bind(0, %q)
    return s:address().port
  ]], kind, options or "", family.any)
  t.receiver_address = family.own(a) .. (kind == "udp6" and "%" .. b.interface or "")
  t.sender:call([[
    s = new { type = %q }
    s:setMulticastInterface(%q)
    s:bind(0)
  ]], kind, family.interface(b))
  return t
end

local function finish(t)
  t.receiver:stop()
  t.sender:stop()
  loop.run()
end

local marks = 0

-- Sends to each of the groups and then straight to the receiver: whatever is to come was there before the last one.
-- Returns what came, as one text.
local function heard(t, groups)
  marks = marks + 1
  local mark = "mark" .. marks
  for _, group in ipairs(groups) do
    t.sender:call([[told = nil s:send(%q, %d, %q, function(err) told = err or true end)]], group, t.port, group)
    t.sender:wait "return told"
    assert.equal(true, t.sender:call "return told")
  end
  t.sender:call([[s:send(%q, %d, %q)]], mark, t.port, t.receiver_address)
  t.receiver:wait("for _, one in ipairs(got) do if one.msg == %q then return true end end", mark)
  return t.receiver:call [[
    local list = {}
    for _, one in ipairs(got) do
      if not one.msg:find "^mark" then list[#list + 1] = one.msg end
    end
    got = {}
    return table.concat(list, " ")
  ]]
end

for kind, family in pairs(families) do
  describe("across two namespaces, " .. kind, function()
    loop.guard()

    it("a group is joined and left, by an address of the interface", function()
      local t = start(kind)
      local interface = family.interface(t.a)
      assert.equal("", heard(t, { family.group }))
      t.receiver:call("s:addMembership(%q, %q)", family.group, interface)
      assert.equal(family.group, heard(t, { family.other, family.group }))
      t.receiver:call("s:addMembership(%q, %q)", family.other, interface)
      assert.equal(family.other .. " " .. family.group, heard(t, { family.other, family.group }))
      t.receiver:call("s:dropMembership(%q, %q)", family.group, interface)
      assert.equal(family.other, heard(t, { family.other, family.group }))
      t.receiver:call("s:dropMembership(%q, %q)", family.other, interface)
      assert.equal("", heard(t, { family.other, family.group }))
      finish(t)
    end)

    for what, interface in pairs {
      name = function(space) return space.interface end,
      ["*"] = function() return "*" end,
      ["::%name"] = function(space) return "::%" .. space.interface end,
    } do
      it("a group is joined and left, by " .. what, function()
        local t = start(kind)
        local where = interface(t.a)
        t.receiver:call("s:addMembership(%q, %q)", family.group, where)
        assert.equal(family.group, heard(t, { family.group }))
        local ok, err = t.receiver:try("s:addMembership(%q, %q)", family.group, where)
        assert.is_false(ok)
        assert.is_truthy(err:find "EADDRINUSE", err)
        t.receiver:call("s:dropMembership(%q, %q)", family.group, where)
        assert.equal("", heard(t, { family.group }))
        ok, err = t.receiver:try("s:dropMembership(%q, %q)", family.group, where)
        assert.is_false(ok)
        assert.is_truthy(err:find "EADDRNOTAVAIL", err)
        finish(t)
      end)
    end

    it("a group is heard from one source only", function()
      local t = start(kind)
      local interface = family.interface(t.a)
      local group = family.source_group
      t.receiver:call("s:addSourceSpecificMembership(%q, %q, %q)", family.own(t.b), group, interface)
      assert.equal(group, heard(t, { group }))
      t.receiver:call("s:dropSourceSpecificMembership(%q, %q, %q)", family.own(t.b), group, interface)
      assert.equal("", heard(t, { group }))
      t.receiver:call("s:addSourceSpecificMembership(%q, %q, %q)", family.nobody, group, interface)
      assert.equal("", heard(t, { group }))
      t.receiver:call("s:addSourceSpecificMembership(%q, %q, %q)", family.own(t.b), group, t.a.interface)
      assert.equal(group, heard(t, { group }))
      finish(t)
    end)

    -- A socket `r` beside the sender that is in the group and hears the marks as well; its port.
    local function neighbour(t)
      return t.sender:call([[
        r = new { type = %q }
        r:bind(0, %q)
        r:addMembership(%q, %q)
        return r:address().port
      ]], kind, family.any, family.group, t.b.interface)
    end

    -- How many of what the sender sends its neighbour hears.
    local function near(t, port)
      t.sender:call("got = {} s:send('near', %d, %q)", port, family.group)
      t.sender:call("s:send('mark', %d, %q)", port, kind == "udp4" and "127.0.0.1" or "::1")
      t.sender:wait "return got[#got] and got[#got].msg == 'mark'"
      return t.sender:call "return #got - 1"
    end

    it("the hop limit says how far: 0 stays, 1 crosses", function()
      local t = start(kind)
      t.receiver:call("s:addMembership(%q, %q)", family.group, t.a.interface)
      -- Linux lets datagrams with a hop limit of 0 out where nobody of the own machine is in the group
      local port = neighbour(t)
      t.sender:call "s:setMulticastTTL(0)"
      assert.equal(1, near(t, port))
      assert.equal("", heard(t, { family.group }))
      t.sender:call "s:setMulticastTTL(1)"
      assert.equal(1, near(t, port))
      assert.equal(family.group, heard(t, { family.group }))
      finish(t)
    end)

    it("the loopback flag says whether the own machine hears it too", function()
      local t = start(kind)
      t.receiver:call("s:addMembership(%q, %q)", family.group, t.a.interface)
      local port = neighbour(t)
      t.sender:call "s:setMulticastLoopback(false)"
      assert.equal(0, near(t, port))
      assert.equal(family.group, heard(t, { family.group })) -- the others hear it all the same
      t.sender:call "s:setMulticastLoopback(true)"
      assert.equal(1, near(t, port))
      finish(t)
    end)

    it("the sender is told with its zone, and can be answered", function()
      local t = start(kind)
      t.sender:call([[s:send("hello", %d, %q)]], t.port, t.receiver_address)
      t.receiver:wait "return #got == 1"
      local address, name, size = t.receiver:call "local r = got[1].rinfo return r.address, r.family, r.size"
      local wanted = kind == "udp4" and t.b.ip4 or t.b.ip6 .. "%" .. t.a.interface
      assert.same({ wanted, kind == "udp4" and "IPv4" or "IPv6", 5 }, { address, name, size })
      t.receiver:call [[s:send("answer", got[1].rinfo.port, got[1].rinfo.address)]]
      t.sender:wait "return #got == 1"
      assert.same({ "answer", t.receiver_address }, { t.sender:call "return got[1].msg, got[1].rinfo.address" })
      finish(t)
    end)
  end)
end

describe("across two namespaces", function()
  loop.guard()

  it("a broadcast to the subnet's address needs leave, and arrives", function()
    local t = start "udp4"
    t.sender:call([[s:send("too early", %d, "10.77.0.255", function(err) told = err and err.code end)]], t.port)
    t.sender:wait "return told"
    assert.equal("EACCES", t.sender:call "return told")
    t.sender:call "s:setBroadcast(true)"
    t.sender:call([[s:send("to all", %d, "10.77.0.255")]], t.port)
    t.receiver:wait "return #got > 0"
    assert.same({ "to all", t.b.ip4, 1 }, { t.receiver:call "return got[1].msg, got[1].rinfo.address, #got" })
    t.sender:call "s:setBroadcast(false) told = nil"
    t.sender:call([[s:send("too late", %d, "10.77.0.255", function(err) told = err and err.code end)]], t.port)
    t.sender:wait "return told"
    assert.equal("EACCES", t.sender:call "return told")
    finish(t)
  end)

  -- A sender that is dual-stack, `d`, beside the others; it sends what it is told to the IPv4 address.
  local function from_dual(t, text, address)
    t.sender:call([[told = nil d:send(%q, %d, %q, function(err) told = err and err.code or true end)]],
      text, t.port, address)
    t.sender:wait "return told"
    return t.sender:call "return told"
  end

  it("a dual-stack socket's interface is that of its IPv4 groups, too, however it is named", function()
    local t = start "udp4"
    t.receiver:call("s:addMembership('239.77.0.1', %q)", t.a.interface)
    local names = { t.b.interface, "::%" .. t.b.interface, t.b.ip4, t.b.ip6 .. "%" .. t.b.interface }
    for i, name in ipairs(names) do
      t.sender:call [[d = new "udp6" d:bind(0)]]
      assert.equal("ENETUNREACH", from_dual(t, "too early", "239.77.0.1"))
      t.sender:call("d:setMulticastInterface(%q)", name)
      assert.equal(true, from_dual(t, "to the group " .. i, "239.77.0.1"))
      t.receiver:wait("return #got == %d", i)
      t.sender:call("d:setMulticastInterface(%q)", name == t.b.ip4 and "0.0.0.0" or "::")
      assert.equal("ENETUNREACH", from_dual(t, "too late", "239.77.0.1"))
      t.sender:call "d:close()"
    end
    assert.equal(t.b.ip4, t.receiver:call "return got[1].rinfo.address")
    finish(t)
  end)

  it("a dual-stack socket may have an interface for each family", function()
    local t = start "udp4"
    t.b:ip "link add dgc type veth peer name dgd"
    t.b:ip "link set dgc up"
    t.receiver:call("s:addMembership('239.77.0.1', %q)", t.a.interface)
    t.sender:call([[d = new "udp6" d:bind(0) d:setMulticastInterface "::%%dgc" d:setMulticastInterface(%q)]], t.b.ip4)
    assert.equal(true, from_dual(t, "to the group", "239.77.0.1"))
    t.receiver:wait "return #got == 1"
    finish(t)
  end)

  it("a dual-stack socket needs leave for IPv4 broadcasts, and has it by setBroadcast", function()
    local t = start "udp4"
    t.sender:call [[d = new "udp6" d:bind(0)]]
    assert.equal("EACCES", from_dual(t, "too early", "10.77.0.255"))
    t.sender:call "d:setBroadcast(true)"
    assert.equal(true, from_dual(t, "to all", "10.77.0.255"))
    t.receiver:wait "return #got == 1"
    assert.equal("to all", t.receiver:call "return got[1].msg")
    finish(t)
  end)

  it("a socket of one address hears what comes to that one", function()
    local t = start "udp4"
    t.a:ip("addr add 10.77.0.3/24 dev " .. t.a.interface)
    local port = t.receiver:call "one = new 'udp4' one:bind(0, '10.77.0.3') return one:address().port"
    t.sender:call([[s:send("to another address", %d, %q) s:send("to its own", %d, "10.77.0.3")]],
      port, t.a.ip4, port)
    t.receiver:wait "return #got > 0"
    assert.same({ "to its own", 1 }, { t.receiver:call "return got[1].msg, #got" })
    finish(t)
  end)

  it("an interface that is gone takes its membership along", function()
    local t = start "udp4"
    t.receiver:call("s:addMembership('239.77.0.1', %q)", t.a.interface)
    t.a:ip("link del " .. t.a.interface)
    local ok, err = t.receiver:try("s:addMembership('239.77.0.2', %q)", t.a.interface)
    assert.is_false(ok)
    assert.is_truthy(err:find "ENODEV" or err:find "EINVAL", err)
    assert.equal(true, t.receiver:call "s:close() return true")
    finish(t)
  end)

  it("* without any interface for multicasts says so", function()
    need(pending, namespaces.possible())
    local space = namespaces.new()
    space:ip "link set lo down"
    local program = space:program()
    for kind, group in pairs { udp4 = "239.77.0.1", udp6 = "ff12::77:1" } do
      local ok, err = program:try("s = new %q s:bind(0) s:addMembership(%q, '*')", kind, group)
      assert.is_false(ok)
      assert.is_truthy(err:find "ENODEV", err)
      program:call "s:close()"
    end
    program:stop()
    loop.run()
  end)

  it("a destination without a route is an error of its send", function()
    local t = start "udp4"
    t.sender:call [[s:send("nowhere", 9, "203.0.113.1", function(err) told = err and err.code end)]]
    t.sender:wait "return told"
    assert.equal("ENETUNREACH", t.sender:call "return told")
    t.sender:call [[told = nil c = new "udp4" c:connect(9, "203.0.113.1", function(err) told = err and err.code end)]]
    t.sender:wait "return told"
    assert.equal("ENETUNREACH", t.sender:call "return told")
    finish(t)
  end)
end)
