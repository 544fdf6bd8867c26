-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new
local unpack = table.unpack or unpack

-- A list made by calls: {"addAddress", ...}, ...
local function made(...)
  local list = dgram.BlockList()
  for _, call in ipairs { ... } do list[call[1]](list, unpack(call, 2)) end
  return list
end

-- Checks addresses against a list: what must match, and what must not.
local function matches(list, yes, no)
  for wanted, addresses in pairs { [true] = yes, [false] = no } do
    for _, address in ipairs(addresses) do
      local family = address:find(":", 1, true) and "ipv6" or nil
      assert.equal(wanted, list:check(address, family), address)
    end
  end
end

describe("a block list", function()
  loop.guard()

  it("matches nothing while it is empty", function()
    matches(made(), {}, { "0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:127.0.0.1" })
    assert.same({}, made().rules)
  end)

  it("matches addresses", function()
    local list = made({ "addAddress", "123.123.123.123" }, { "addAddress", "8592:757c::1", "ipv6" },
      { "addAddress", "0.0.0.0", "ipv4" }, { "addAddress", "::", "ipv6" })
    matches(list, { "123.123.123.123", "8592:757c::1", "8592:757c:0:0::0001", "0.0.0.0", "::" },
      { "123.123.123.122", "123.123.123.124", "8592:757c::", "8592:757c::2", "0.0.0.1", "::1", "255.255.255.255" })
  end)

  it("matches ranges, both ends included", function()
    local list = made({ "addRange", "10.0.0.254", "10.0.2.1" }, { "addRange", "::ffff", "::1:1", "ipv6" },
      { "addRange", "1.1.1.1", "1.1.1.1" }, { "addRange", "255.255.255.250", "255.255.255.255" })
    matches(list, { "10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.128", "10.0.2.0", "10.0.2.1", "1.1.1.1", "::ffff",
      "::1:0", "::1:1", "255.255.255.255" },
      { "10.0.0.253", "10.0.2.2", "10.0.3.0", "9.255.255.255", "1.1.1.0", "1.1.1.2", "::fffe", "::1:2",
        "255.255.255.249" })
  end)

  it("matches subnets of every size", function()
    for prefix = 0, 32 do
      local list = made { "addSubnet", "170.85.170.85", prefix }
      matches(list, { "170.85.170.85" }, {})
      if prefix > 0 then
        -- the last bit of the prefix, turned over
        local bytes = { 170, 85, 170, 85 }
        local byte, bit = math.floor((prefix - 1) / 8) + 1, 7 - (prefix - 1) % 8
        local set = math.floor(bytes[byte] / 2 ^ bit) % 2 == 1
        bytes[byte] = bytes[byte] + (set and -1 or 1) * 2 ^ bit
        matches(list, {}, { ("%d.%d.%d.%d"):format(unpack(bytes)) })
      end
    end
    local groups = {}
    for prefix = 1, 128 do
      for i = 1, 8 do groups[i] = "0" end
      local group, bit = math.floor((prefix - 1) / 16) + 1, 15 - (prefix - 1) % 16
      groups[group] = ("%x"):format(2 ^ bit)
      local list = made { "addSubnet", "0:0:0:0:0:0:0:0", prefix, "ipv6" }
      matches(list, { "::" }, { table.concat(groups, ":") })
      matches(made { "addSubnet", "::", prefix - 1, "ipv6" }, { "::", table.concat(groups, ":") }, {})
    end
  end)

  it("takes a subnet by any address in it", function()
    matches(made({ "addSubnet", "10.1.2.3", 8 }, { "addSubnet", "8592:757c:efae:4e45::99", 64, "ipv6" }),
      { "10.0.0.0", "10.255.255.255", "8592:757c:efae:4e45::", "8592:757c:efae:4e45:ffff:ffff:ffff:ffff" },
      { "9.255.255.255", "11.0.0.0", "8592:757c:efae:4e44::", "8592:757c:efae:4e46::" })
  end)

  it("knows IPv4 addresses that are written as IPv6", function()
    local four = made({ "addAddress", "1.2.3.4" }, { "addRange", "10.0.0.1", "10.0.0.9" },
      { "addSubnet", "192.168.0.0", 16 })
    matches(four, { "::ffff:1.2.3.4", "::ffff:102:304", "::FFFF:10.0.0.5", "::ffff:192.168.77.1" },
      { "::ffff:1.2.3.5", "::1.2.3.4", "::102:304", "::fffe:1.2.3.4", "::ffff:10.0.0.10", "::ffff:192.169.0.0" })
    local six = made({ "addAddress", "::ffff:1.2.3.4", "ipv6" },
      { "addRange", "::ffff:10.0.0.1", "::ffff:10.0.0.9", "ipv6" }, { "addSubnet", "::ffff:192.168.0.0", 112, "ipv6" })
    matches(six, { "1.2.3.4", "10.0.0.5", "192.168.77.1", "::ffff:1.2.3.4" },
      { "1.2.3.5", "10.0.0.10", "192.169.0.0" })
    matches(made { "addSubnet", "0.0.0.0", 0 }, { "9.9.9.9", "::ffff:9.9.9.9" }, { "::9", "ffff::" })
  end)

  it("tells its rules as Node does, the newest first", function()
    local list = made({ "addAddress", "1.2.3.4" }, { "addRange", "10.0.0.1", "10.0.0.9" },
      { "addSubnet", "10.1.2.3", 8 }, { "addSubnet", "8592:757c:efae:4e45::", 64, "ipv6" },
      { "addAddress", "::1", "ipv6" }, { "addRange", "fe80::1", "fe80::0:9", "ipv6" },
      { "addAddress", "0:0::FFFF:1.2.3.5", "ipv6" })
    local rules = {
      "Address: IPv6 ::ffff:1.2.3.5", "Range: IPv6 fe80::1-fe80::9", "Address: IPv6 ::1",
      "Subnet: IPv6 8592:757c:efae:4e45::/64", "Subnet: IPv4 10.1.2.3/8", "Range: IPv4 10.0.0.1-10.0.0.9",
      "Address: IPv4 1.2.3.4",
    }
    assert.same(rules, list.rules)
    local mine = list.rules
    mine[1] = "changed"
    mine[#mine + 1] = "added"
    assert.same(rules, list.rules)
    list:addAddress "9.9.9.9"
    assert.equal(8, #list.rules)
    assert.equal("Address: IPv4 9.9.9.9", list.rules[1])
  end)

  it("keeps rules apart from those of other lists, also when collected", function()
    local list = made { "addAddress", "2.2.2.2" }
    matches(made { "addAddress", "1.1.1.1" }, { "1.1.1.1" }, { "2.2.2.2" })
    collectgarbage()
    collectgarbage()
    matches(list, { "2.2.2.2" }, { "1.1.1.1" })
  end)

  it("holds ten thousand rules", function()
    local list = dgram.BlockList()
    for i = 0, 9999 do
      local a, b = math.floor(i / 250), i % 250
      local kind = i % 4
      if kind == 0 then list:addAddress(("10.%d.%d.7"):format(a, b))
      elseif kind == 1 then list:addRange(("10.%d.%d.5"):format(a, b), ("10.%d.%d.9"):format(a, b))
      elseif kind == 2 then list:addSubnet(("10.%d.%d.0"):format(a, b), 28)
      else list:addSubnet(("fd00:%x:%x::"):format(a, b), 48, "ipv6") end
    end
    assert.equal(10000, #list.rules)
    for i = 0, 9999, 7 do
      local a, b = math.floor(i / 250), i % 250
      local wanted = i % 4 < 3
      assert.equal(wanted, list:check(("10.%d.%d.7"):format(a, b)), i)
      assert.is_false(list:check(("10.%d.%d.77"):format(a, b)))
      assert.equal(not wanted, list:check(("fd00:%x:%x::7"):format(a, b), "ipv6"), i)
    end
  end)

  it("overlapping rules match as one by one", function()
    local list = made({ "addRange", "10.0.0.0", "10.0.0.255" }, { "addAddress", "10.0.0.7" },
      { "addRange", "10.0.0.100", "10.0.1.100" }, { "addSubnet", "10.0.0.0", 30 }, { "addAddress", "10.0.0.7" },
      { "addRange", "10.0.0.0", "10.0.0.1" })
    matches(list, { "10.0.0.0", "10.0.0.2", "10.0.0.7", "10.0.0.99", "10.0.0.255", "10.0.1.0", "10.0.1.100" },
      { "9.255.255.255", "10.0.1.101" })
  end)

  it("answers nonsense with false", function()
    local list = made { "addSubnet", "0.0.0.0", 0 }
    for _, text in ipairs { "", "x", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4/8", "1.2.3.4\0", "name", ":::" } do
      assert.is_false(list:check(text), text)
      assert.is_false(list:check(text, "ipv6"), text)
    end
    assert.is_false(list:check("::ffff:1.2.3.4")) -- it is IPv4 unless said otherwise
    assert.is_false(list:check("1.2.3.4", "ipv6"))
    assert.is_true(list:check("1.2.3.4", "ipv4"))
  end)

  it("refuses wrong arguments and stays as it was", function()
    local list = made { "addAddress", "1.1.1.1" }
    local bad_address = { code = "ERR_INVALID_ADDRESS", name = "Error" }
    local T, V, R = faults.bad_type, faults.bad_value, faults.out_of_range
    local nan, inf = 0 / 0, 1 / 0
    local cases = {}
    local function case(want, ...) cases[#cases + 1] = { want = want, n = select("#", ...), ... } end
    for _, value in ipairs { 1, true, {}, print, io.stdout } do
      case(T, "addAddress", value)
      case(T, "addRange", value, "1.2.3.4")
      case(T, "addRange", "1.2.3.4", value)
      case(T, "addSubnet", value, 8)
      case(T, "check", value)
      case(T, "addAddress", "1.2.3.4", value)
      case(T, "addRange", "1.2.3.4", "1.2.3.5", value)
      case(T, "addSubnet", "1.2.3.4", 8, value)
      case(T, "check", "1.2.3.4", value)
      if value ~= 1 then case(T, "addSubnet", "1.2.3.4", value) end
    end
    for _, method in ipairs { "addAddress", "addRange", "addSubnet", "check" } do case(T, method) end
    case(T, "addRange", "1.2.3.4")
    case(T, "addSubnet", "1.2.3.4")
    case(T, "addSubnet", "1.2.3.4", "8")
    for _, text in ipairs { "", "x", "256.0.0.1", "1.2.3", "::1", "1.2.3.4\0", "1.2.3.4/8", "localhost" } do
      case(bad_address, "addAddress", text)
      case(bad_address, "addRange", text, "1.2.3.4")
      case(bad_address, "addRange", "0.0.0.1", text)
      case(bad_address, "addSubnet", text, 8)
    end
    for _, text in ipairs { "", "x", "1.2.3.4", ":::", "1::2::3", "::1\0", "::1/64", "12345::" } do
      case(bad_address, "addAddress", text, "ipv6")
      case(bad_address, "addRange", text, "::1", "ipv6")
      case(bad_address, "addSubnet", text, 8, "ipv6")
    end
    for _, prefix in ipairs { -1, 33, 1.5, nan, inf, -inf, 4294967296 } do case(R, "addSubnet", "1.2.3.4", prefix) end
    for _, prefix in ipairs { -1, 129, 1.5 } do case(R, "addSubnet", "::1", prefix, "ipv6") end
    for _, family in ipairs { "", "ipv5", "inet", "udp4" } do
      case(V, "addAddress", "1.2.3.4", family)
      case(V, "addRange", "1.2.3.4", "1.2.3.5", family)
      case(V, "addSubnet", "1.2.3.4", 8, family)
    end
    case(V, "addRange", "1.2.3.5", "1.2.3.4")
    case(V, "addRange", "::2", "::1", "ipv6")
    case(V, "addAddress", "1.2.3.4", "ipv4", 1)
    case(V, "addRange", "1.2.3.4", "1.2.3.5", "ipv4", 1)
    case(V, "addSubnet", "1.2.3.4", 8, "ipv4", 1)
    for i, c in ipairs(cases) do
      local label = ("case %d: %s(%s)"):format(i, c[1], tostring(c[2]))
      faults.raised({ code = c.want.code, name = c.want.name, label = label },
        list[c[1]], list, unpack(c, 2, c.n))
      assert.same({ "Address: IPv4 1.1.1.1" }, list.rules, label)
    end
    for _, value in ipairs { 1, "x", {}, io.stdout, new "udp4":close() } do
      faults.raised(faults.bad_type, list.check, value, "1.2.3.4")
      faults.raised(faults.bad_type, list.addAddress, value, "1.2.3.4")
    end
    faults.raised(faults.bad_value, dgram.BlockList, 1)
    assert.is_nil(list.no_such_field)
    assert.is_false((pcall(function() list.rules = {} end)))
    loop.run()
  end)
end)

describe("receiveBlockList", function()
  loop.guard()

  local families = { udp4 = { "127.0.0.1", "127.0.0.2", "ipv4" }, udp6 = { "::1", "::ffff:127.0.0.2", "ipv6" } }
  for kind, case in pairs(families) do
    it("drops what comes from its addresses, unseen: " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local list = made { "addAddress", case[2], case[3] }
      local got = {}
      local socket = new({ type = kind, receiveBlockList = list }, function(msg) got[#got + 1] = msg end)
      socket:bind(0)
      local port = socket:address().port
      local good, bad = peers.new(case[1]), peers.new "127.0.0.2"
      bad:send("from a blocked one", port, "127.0.0.1")
      good:send("one", port, case[1])
      loop.wait(function() return #got > 0 end)
      list:addAddress(case[1], case[3]) -- rules added later count
      good:send("blocked by now", port, case[1])
      local third = peers.new "127.0.0.3"
      third:send("two", port, "127.0.0.1")
      loop.wait(function() return #got > 1 end)
      assert.same({ "one", "two" }, got)
      good:close()
      bad:close()
      third:close()
      socket:close()
      loop.run()
    end)
  end

  it("is shared by sockets, and outlives what the program forgets", function()
    local list = made { "addAddress", "127.0.0.2" }
    local got = {}
    local ports, all = {}, {}
    for i = 1, 2 do
      all[i] = new({ type = "udp4", receiveBlockList = list }, function(msg) got[#got + 1] = msg end)
      all[i]:bind(0, "127.0.0.1")
      ports[i] = all[i]:address().port
    end
    list = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local good, bad = peers.new(), peers.new "127.0.0.2"
    for i = 1, 2 do
      for _ = 1, 20 do bad:send("blocked", ports[i], "127.0.0.1") end
      good:send("good", ports[i])
    end
    loop.wait(function() return #got == 2 end)
    assert.same({ "good", "good" }, got)
    good:close()
    bad:close()
    sockets.close_all(all[1], all[2])
    loop.run()
  end)

  it("may change inside a listener", function()
    local list = dgram.BlockList()
    local got = {}
    local socket, port
    socket = new({ type = "udp4", receiveBlockList = list }, function(msg)
      got[#got + 1] = msg
      if msg == "block me" then list:addAddress "127.0.0.2" end
    end)
    socket:bind(0, "127.0.0.1")
    port = socket:address().port
    local bad, good = peers.new "127.0.0.2", peers.new()
    bad:send("block me", port, "127.0.0.1")
    loop.wait(function() return #got == 1 end)
    bad:send("no more", port, "127.0.0.1")
    good:send("last", port)
    loop.wait(function() return #got == 2 end)
    assert.same({ "block me", "last" }, got)
    bad:close()
    good:close()
    socket:close()
    loop.run()
  end)
end)

describe("sendBlockList", function()
  loop.guard()

  local function blocked(err, address)
    faults.check(err, { code = "ERR_IP_BLOCKED", name = "Error", address = address })
    assert.is_truthy(err.message:find(address, 1, true), err.message)
  end

  it("fails what is sent to its addresses, and that alone", function()
    local peer = peers.new():listen()
    local list = made { "addAddress", "127.0.0.2" }
    local socket = new { type = "udp4", sendBlockList = list, lookup = function(_, _, cb) cb(nil, "127.0.0.2") end }
    local errors = {}
    socket:on("error", function(err) errors[#errors + 1] = err end)
    local returned = false
    local function told(err, bytes)
      assert.is_true(returned)
      blocked(err, "127.0.0.2")
      assert.equal(5, bytes)
    end
    socket:send("one", peer.port)
    socket:send("hello", 9, "127.0.0.2", expect(told))
    socket:send("hello", 9, "some.name", expect(told))
    socket:sendto("hello", 0, 5, 9, "127.0.0.2", expect(told))
    socket:send("hello", 9, "127.0.0.2")
    socket:send("two", peer.port)
    returned = true
    peer:wait(2)
    loop.turn()
    assert.equal(1, #errors)
    blocked(errors[1], "127.0.0.2")
    assert.equal(0, socket:getSendQueueCount())
    list:addAddress "127.0.0.1"
    socket:send("three", peer.port, "127.0.0.1", expect(function(err) blocked(err, "127.0.0.1") end))
    loop.turn()
    peer:close()
    socket:close()
    loop.run()
    assert.equal(2, #peer.got)
  end)

  it("fails connect too", function()
    local socket = new { type = "udp4", sendBlockList = made { "addSubnet", "127.0.0.0", 8 },
      lookup = function(_, _, cb) cb(nil, "127.0.0.2") end }
    local errors = {}
    socket:on("connect", never())
    socket:connect(9, "127.0.0.2", expect(function(err) blocked(err, "127.0.0.2") end))
    loop.turn()
    socket:connect(9, "some.name", expect(function(err) blocked(err, "127.0.0.2") end))
    loop.turn()
    socket:connect(9, expect(function(err) blocked(err, "127.0.0.1") end))
    loop.turn()
    socket:on("error", function(err) errors[#errors + 1] = err end)
    socket:connect(9, "127.0.0.9")
    loop.turn()
    assert.equal(1, #errors)
    blocked(errors[1], "127.0.0.9")
    faults.raised({ code = "ERR_IP_BLOCKED", address = "127.0.0.9" }, socket.connectSync, socket, 9, "127.0.0.9")
    faults.raised({ code = "ERR_SOCKET_DGRAM_NOT_CONNECTED" }, socket.remoteAddress, socket)
    socket:close()
    loop.run()
  end)

  it("does not keep answers from coming in", function()
    local got = {}
    local socket = new({ type = "udp4", sendBlockList = made { "addAddress", "127.0.0.1" } },
      function(msg) got[#got + 1] = msg end)
    socket:bind(0, "127.0.0.1")
    local peer = peers.new()
    peer:send("hello", socket:address().port)
    loop.wait(function() return #got == 1 end)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("must be a list, like receiveBlockList", function()
    local before = loop.descriptors()
    for _, name in ipairs { "sendBlockList", "receiveBlockList" } do
      for _, value in ipairs { 1, "x", true, {}, print, io.stdout } do
        local err = faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", [name] = value })
        assert.is_truthy(err.message:find(name, 1, true), err.message)
      end
    end
    assert.equal(before, loop.descriptors())
  end)
end)
