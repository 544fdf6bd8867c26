-- SPDX-License-Identifier: MIT
-- BlockList, and the options receiveBlockList and sendBlockList.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local finalized = require "spec.support.finalized"
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

  it("tells its rules as Node does: addresses, subnets, ranges, each with the newest first", function()
    local list = made({ "addAddress", "1.2.3.4" }, { "addRange", "10.0.0.1", "10.0.0.9" },
      { "addSubnet", "10.1.2.3", 8 }, { "addSubnet", "8592:757c:efae:4e45::", 64, "ipv6" },
      { "addAddress", "::1", "ipv6" }, { "addRange", "fe80::1", "fe80::0:9", "ipv6" },
      { "addAddress", "0:0::FFFF:1.2.3.5", "ipv6" }, { "addCIDR", "10.1.2.3/31" })
    local rules = {
      "Address: IPv6 ::ffff:1.2.3.5", "Address: IPv6 ::1", "Address: IPv4 1.2.3.4",
      "Subnet: IPv4 10.1.2.3/31", "Subnet: IPv6 8592:757c:efae:4e45::/64", "Subnet: IPv4 10.1.2.3/8",
      "Range: IPv6 fe80::1-fe80::9", "Range: IPv4 10.0.0.1-10.0.0.9",
    }
    assert.same(rules, list.rules)
    assert.same(rules, list:toJSON())
    local mine = list.rules
    mine[1] = "changed"
    mine[#mine + 1] = "added"
    assert.same(rules, list.rules)
    list:addAddress "9.9.9.9"
    assert.equal(9, #list.rules)
    assert.equal(9, list.size)
    assert.equal("Address: IPv4 9.9.9.9", list.rules[1])
  end)

  it("has one rule for one address, and ranges and subnets as often as they were added", function()
    local list = made({ "addAddress", "1.1.1.1" }, { "addAddress", "1.1.1.2" }, { "addAddress", "1.1.1.1" },
      { "addRange", "1.1.1.1", "1.1.1.5" }, { "addRange", "1.1.1.1", "1.1.1.5" }, { "addSubnet", "10.1.2.3", 8 },
      { "addSubnet", "10.1.2.3", 8 }, { "addSubnet", "10.0.0.0", 8 })
    assert.same({ "Address: IPv4 1.1.1.2", "Address: IPv4 1.1.1.1", "Subnet: IPv4 10.0.0.0/8",
      "Subnet: IPv4 10.1.2.3/8", "Subnet: IPv4 10.1.2.3/8", "Range: IPv4 1.1.1.1-1.1.1.5",
      "Range: IPv4 1.1.1.1-1.1.1.5" }, list.rules)
    assert.equal(7, list.size)
    list:addAddress("::ffff:1.1.1.1", "ipv6") -- the same address: it keeps its place
    assert.equal("Address: IPv6 ::ffff:1.1.1.1", list.rules[2])
    assert.equal(7, list.size)
  end)

  it("leaves zones out, as Node does", function()
    local list = made { "addAddress", "fe80::1%nosuch", "ipv6" }
    assert.same({ "Address: IPv6 fe80::1" }, list.rules)
    matches(list, { "fe80::1", "fe80::1%lo", "fe80::1%nosuch" }, { "fe80::2%lo" })
    list:removeAddress("fe80::1%other", "ipv6")
    assert.equal(0, list.size)
  end)

  it("adds many addresses or subnets, or none", function()
    local list = made({ "addAddresses", { "1.1.1.1", "1.1.1.2", "1.1.1.1" } }, { "addAddresses", { "::1" }, "IPv6" },
      { "addAddresses", {} }, { "addCIDRs", { "10.0.0.0/8", "2001:db8::/32", "10.0.0.0/8" } }, { "addCIDRs", {} })
    local rules = { "Address: IPv6 ::1", "Address: IPv4 1.1.1.2", "Address: IPv4 1.1.1.1", "Subnet: IPv4 10.0.0.0/8",
      "Subnet: IPv6 2001:db8::/32", "Subnet: IPv4 10.0.0.0/8" }
    assert.same(rules, list.rules)
    for _, bad in ipairs { "x", "1.1.1.300", "::1", "1.1.1.4/8" } do
      faults.raised({ code = "ERR_INVALID_ADDRESS" }, list.addAddresses, list, { "1.1.1.3", bad, "1.1.1.5" })
    end
    for _, bad in ipairs { "x/8", "1.1.1.300/8", "1.1.1.1/33", "1.1.1.1" } do
      assert.is_false((pcall(list.addCIDRs, list, { "1.1.0.0/16", bad, "2.2.0.0/16" })), bad)
    end
    assert.same(rules, list.rules)
  end)

  it("takes rules away, each by what it was added as", function()
    local list = made({ "addAddress", "10.0.0.1" }, { "addRange", "10.0.0.1", "10.0.0.1" },
      { "addSubnet", "10.0.0.1", 32 }, { "addSubnet", "10.1.2.3", 8 }, { "addRange", "10.0.0.5", "10.0.0.9" })
    local before = list.rules
    for _, call in ipairs {
      { "removeAddress", "10.0.0.2" }, { "removeAddress", "10.0.0.5" }, { "removeAddress", "::1", "ipv6" },
      { "removeRange", "10.0.0.5", "10.0.0.8" }, { "removeRange", "10.0.0.6", "10.0.0.9" },
      { "removeRange", "10.0.0.9", "10.0.0.5" }, { "removeRange", "10.0.0.0", "10.255.255.255" },
      { "removeRange", "::ffff:10.0.0.5", "::ffff:10.0.0.9", "ipv6" },
      { "removeSubnet", "10.0.0.0", 8 }, { "removeSubnet", "10.1.2.3", 9 }, { "removeSubnet", "10.0.0.5", 32 },
      { "removeSubnet", "::ffff:10.1.2.3", 104, "ipv6" }, { "removeCIDR", "10.0.0.0/8" }, { "removeCIDR", "::/0" },
    } do
      assert.equal(0, select("#", list[call[1]](list, unpack(call, 2))))
      assert.same(before, list.rules, call[1])
    end
    list:removeCIDR "10.1.2.3/8"
    matches(list, { "10.0.0.1", "10.0.0.5", "10.0.0.9" }, { "10.0.0.2", "10.1.2.3" })
    list:removeAddress "10.0.0.1"
    list:removeRange("10.0.0.1", "10.0.0.1")
    matches(list, { "10.0.0.1" }, {}) -- the subnet has it
    list:removeSubnet("10.0.0.1", 32)
    matches(list, {}, { "10.0.0.1" })
    list:removeRange("10.0.0.5", "10.0.0.9")
    assert.same({}, list.rules)
    assert.equal(0, list.size)
  end)

  it("takes one of equal rules away, the newest", function()
    local list = made({ "addSubnet", "10.0.0.0", 8 }, { "addSubnet", "11.0.0.0", 8 }, { "addSubnet", "10.0.0.0", 8 },
      { "addSubnet", "12.0.0.0", 8 })
    list:removeSubnet("10.0.0.0", 8)
    assert.same({ "Subnet: IPv4 12.0.0.0/8", "Subnet: IPv4 11.0.0.0/8", "Subnet: IPv4 10.0.0.0/8" }, list.rules)
    matches(list, { "10.1.1.1" }, {})
    list:removeSubnet("10.0.0.0", 8)
    matches(list, { "11.1.1.1", "12.1.1.1" }, { "10.1.1.1" })
    list:addAddress "1.1.1.1"
    list:removeAddress("::ffff:1.1.1.1", "IPV6") -- the same address
    matches(list, {}, { "1.1.1.1" })
  end)

  it("is empty after clear, and may be filled again", function()
    local list = made({ "addAddress", "1.1.1.1" }, { "addSubnet", "10.0.0.0", 8 })
    assert.equal(0, select("#", list:clear()))
    assert.same({}, list.rules)
    matches(list, {}, { "1.1.1.1", "10.0.0.1" })
    list:clear()
    list:addAddress "1.1.1.2"
    matches(list, { "1.1.1.2" }, { "1.1.1.1" })
    assert.equal(1, list.size)
  end)

  it("answers as its rules do one by one, whatever comes and goes", function()
    local seed = 1
    local function random(n) -- the same on every Lua
      seed = seed * 16807 % 2147483647
      return seed % n
    end
    local function rule()
      local first, kind = random(64), random(3)
      if kind == 0 then return { "Address", ("10.0.0.%d"):format(first), from = first, to = first } end
      if kind == 1 then
        local last = math.min(63, first + random(8))
        return { "Range", ("10.0.0.%d"):format(first), ("10.0.0.%d"):format(last), from = first, to = last }
      end
      local bits = 26 + random(7)
      local size = 2 ^ (32 - bits)
      local from = first - first % size
      return { "Subnet", ("10.0.0.%d"):format(first), bits, from = from, to = from + size - 1 }
    end
    local function find(rules, wanted)
      for i = #rules, 1, -1 do
        local one = rules[i]
        if one[1] == wanted[1] and one[2] == wanted[2] and one[3] == wanted[3] then return i end
      end
    end
    local list, rules = dgram.BlockList(), {}
    for step = 1, 3000 do
      local one = rule()
      local at = find(rules, one)
      if random(1000) == 0 then
        list:clear()
        rules = {}
      elseif random(100) < (step % 600 < 300 and 70 or 30) then
        list["add" .. one[1]](list, unpack(one, 2))
        if one[1] ~= "Address" or not at then rules[#rules + 1] = one end
      else
        list["remove" .. one[1]](list, unpack(one, 2))
        if at then table.remove(rules, at) end
      end
      assert.equal(#rules, list.size)
      local address, wanted = random(64), false
      for _, each in ipairs(rules) do wanted = wanted or each.from <= address and address <= each.to end
      assert.equal(wanted, list:check(("10.0.0.%d"):format(address)), step)
    end
  end)

  it("reads what it told, and passes over what is no rule", function()
    local list = made({ "addAddress", "1.1.1.1" }, { "addSubnet", "10.1.2.3", 8 }, { "addRange", "::1", "::2", "ipv6" })
    local copy = made { "addAddress", "7.7.7.7" }
    assert.equal(0, select("#", copy:fromJSON(list:toJSON())))
    assert.same({ "Address: IPv4 1.1.1.1", "Address: IPv4 7.7.7.7", "Subnet: IPv4 10.1.2.3/8", "Range: IPv6 ::1-::2" },
      copy.rules)
    local readings = {
      ["Address: IPv4 1.2.3.4"] = true, [" (Address: IPv4 1.2.3.4.)"] = "Address: IPv4 1.2.3.4",
      ["ADDRESS: IPv6 ::A"] = "Address: IPv6 ::a", ["range: IPv6 ::1-::0:5"] = "Range: IPv6 ::1-::5",
      ["Subnet: IPv4 1.1.1.1/08"] = "Subnet: IPv4 1.1.1.1/8", ["Subnet: IPv6 ::1/064"] = "Subnet: IPv6 ::1/64",
      ["Address: IPv4 2.2.2.2 Subnet: IPv4 1.1.1.1/8"] = "Subnet: IPv4 1.1.1.1/8",
      ["Address: IPv4 x Address: IPv6 ::1"] = "Address: IPv6 ::1",
      ["Address: IPv6 fe80::1%lo"] = "Address: IPv6 fe80::1",
      ["Address: IPv4 x Address: IPv4 1.2.3.4"] = "Address: IPv4 1.2.3.4", ["Range: IPv4 1.1.1.1-1.1.1.1"] = true,
    }
    for text, wanted in pairs(readings) do
      assert.same({ wanted == true and text or wanted }, made({ "fromJSON", { text } }).rules, text)
    end
    for _, text in ipairs { "", "x", "address: IPv4 1.1.1.1", "Address: ipv4 1.1.1.1", "Address: ipv6 ::1",
      "Address: IPv4 1.1.1", "Address:  IPv4 1.1.1.1", "Address: IPv4 ", "Subnet: IPv4 1.1.1.1",
      "Subnet: IPv4 1.1.1.1/-1", "Subnet: IPv4 1.1.1.1/",
      "Range: IPv4 1.1.1.1 - 1.1.1.5", "Range: IPv4 1.1.1.1-1.1.1", "Range: IPv6 ::1-",
      "Address: IPv6 zz", "IPv4 IPv6", "Subnet: IPv6 ::1/", "Address: IPv4 \0" } do
      assert.same({}, made({ "fromJSON", { text } }).rules, text)
    end
    local wrong = {
      ["Address: IPv4 256.1.1.1"] = "ERR_INVALID_ADDRESS", ["Address: IPv4 1.1.1.1000"] = "ERR_INVALID_ADDRESS",
      ["Address: IPv6 a"] = "ERR_INVALID_ADDRESS", ["Subnet: IPv4 300.1.1.1/8"] = "ERR_INVALID_ADDRESS",
      ["Range: IPv4 1.1.1.1-1.1.1.256"] = "ERR_INVALID_ADDRESS", ["Subnet: IPv4 1.1.1.1/33"] = "ERR_OUT_OF_RANGE",
      ["Subnet: IPv4 1.1.1.1/100"] = "ERR_OUT_OF_RANGE", ["Subnet: IPv6 ::1/129"] = "ERR_OUT_OF_RANGE",
      ["Range: IPv4 1.1.1.5-1.1.1.1"] = "ERR_INVALID_ARG_VALUE", ["Range: IPv6 ::5-::1"] = "ERR_INVALID_ARG_VALUE",
      ["Subnet: IPv4 1.1.1.1/99999999999999999999999"] = "ERR_OUT_OF_RANGE",
      ["Address: IPv6 " .. ("0:"):rep(30) .. "1"] = "ERR_INVALID_ADDRESS",
    }
    local rules = copy.rules
    for text, code in pairs(wrong) do
      local err = faults.raised({ code = code, label = text }, copy.fromJSON, copy, { "Address: IPv4 9.9.9.9", text })
      assert.is_truthy(err.message:find("data[2]", 1, true), err.message)
      assert.same(rules, copy.rules, text)
    end
  end)

  it("knows lists, and the ranges of private networks", function()
    local BlockList = dgram.BlockList
    assert.is_true(BlockList.isBlockList(BlockList()))
    for _, value in ipairs { false, 1, "x", {}, io.stdout, BlockList, new "udp4":close() } do
      assert.is_false(BlockList.isBlockList(value))
    end
    assert.is_false(BlockList.isBlockList())
    faults.raised(faults.bad_value, BlockList.isBlockList, 1, 2)
    local ranges = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "169.254.0.0/16",
      "fe80::/10", "fc00::/7" }
    assert.same(ranges, BlockList.PRIVATE_RANGES)
    BlockList.PRIVATE_RANGES[1] = "0.0.0.0/0"
    assert.same(ranges, BlockList.PRIVATE_RANGES)
    matches(made { "addCIDRs", BlockList.PRIVATE_RANGES }, { "10.1.1.1", "172.31.0.1", "::1", "fd00::1", "127.9.9.9" },
      { "172.32.0.1", "192.0.2.1", "::2", "2001:db8::1" })
    assert.is_nil(BlockList.no_such_field)
    loop.run()
  end)

  it("may be changed by finalizers while its rules are told", function()
    local list = made({ "addAddress", "1.1.1.1" }, { "addSubnet", "10.0.0.0", 8 })
    local n, done = 0, false
    local function change()
      if done then return end
      n = n + 1
      if n % 3 == 0 then list:clear() end
      for i = 0, n % 50 do list:addAddress(("1.1.%d.%d"):format(n % 7, i)) end
      if n % 2 == 0 then list:removeAddress "1.1.1.1" end
    end
    local function set(parameter, value)
      if _VERSION == "Lua 5.5" then return collectgarbage("param", parameter, value) end
      return collectgarbage("set" .. parameter, value)
    end
    local pause, speed = set("pause", 1), set("stepmul", 1000)
    -- With this pause some collect all of busted's memory for nearly each object that is made: they have some seconds for it.
    local begun = os.clock()
    for i = 1, 1000 do
      if os.clock() - begun > 3 then break end
      finalized(change)
      if i % 50 == 0 then collectgarbage() end
      for _, rule in ipairs(list.rules) do assert.is_truthy(rule:find "^%u%l+: IPv4 1[%d./]+$", rule) end
      list:toJSON()
      pcall(list.addAddresses, list, { "2.2.2.2", "x" })
      pcall(list.fromJSON, list, { "Address: IPv4 2.2.2.3", 1 })
      assert.is_false(list:check "2.2.2.2")
      assert.is_false(list:check "2.2.2.3")
    end
    set("pause", pause)
    set("stepmul", speed)
    done = true
    collectgarbage()
    assert.is_true(n > 0)
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
    assert.is_true(list:check("1.2.3.4", "IPv4"))
    -- Node takes each other word for "ipv6"
    assert.is_false(list:check("1.2.3.4", "ipv5"))
    assert.is_true(list:check("::ffff:1.2.3.4", "ipv5"))
  end)

  it("refuses wrong arguments and stays as it was", function()
    local list = made { "addAddress", "1.1.1.1" }
    local bad_address = { code = "ERR_INVALID_ADDRESS", name = "Error" }
    local T, V, R = faults.bad_type, faults.bad_value, faults.out_of_range
    local nan, inf = 0 / 0, 1 / 0
    local cases = {}
    local function case(want, ...) cases[#cases + 1] = { want = want, n = select("#", ...), ... } end
    local others = { 1, true, {}, print, io.stdout }
    for _, value in ipairs(others) do
      for _, verb in ipairs { "add", "remove" } do
        case(T, verb .. "Address", value)
        case(T, verb .. "Range", value, "1.2.3.4")
        case(T, verb .. "Range", "1.2.3.4", value)
        case(T, verb .. "Subnet", value, 8)
        case(T, verb .. "CIDR", value)
        case(T, verb .. "Address", "1.2.3.4", value)
        case(T, verb .. "Range", "1.2.3.4", "1.2.3.5", value)
        case(T, verb .. "Subnet", "1.2.3.4", 8, value)
        if value ~= 1 then case(T, verb .. "Subnet", "1.2.3.4", value) end
      end
      case(T, "check", value)
      case(T, "check", "1.2.3.4", value)
      case(T, "addAddresses", { "1.2.3.4", value })
      case(T, "addAddresses", {}, value)
      case(T, "addCIDRs", { "1.2.3.4/8", value })
      case(T, "fromJSON", { "Address: IPv4 1.2.3.4", value })
    end
    for _, method in ipairs { "addAddresses", "addCIDRs", "fromJSON" } do
      for _, value in ipairs { 1, true, "1.2.3.4", "[]", { ["1.2.3.4"] = true }, print, io.stdout } do
        case(T, method, value)
      end
      case(T, method)
    end
    for _, method in ipairs { "addAddress", "addRange", "addSubnet", "addCIDR", "removeAddress", "removeRange",
      "removeSubnet", "removeCIDR", "check" } do
      case(T, method)
    end
    for _, verb in ipairs { "add", "remove" } do
      local address, range, subnet, cidr = verb .. "Address", verb .. "Range", verb .. "Subnet", verb .. "CIDR"
      case(T, range, "1.2.3.4")
      case(T, subnet, "1.2.3.4")
      case(T, subnet, "1.2.3.4", "8")
      for _, text in ipairs { "", "x", "256.0.0.1", "1.2.3", "::1", "1.2.3.4\0", "1.2.3.4/8", "localhost" } do
        case(bad_address, address, text)
        case(bad_address, range, text, "1.2.3.4")
        case(bad_address, range, "0.0.0.1", text)
        case(bad_address, subnet, text, 8)
        if text ~= "::1" then case(bad_address, cidr, text .. "/8") end
      end
      for _, text in ipairs { "", "x", "1.2.3.4", ":::", "1::2::3", "::1\0", "::1/64", "12345::" } do
        case(bad_address, address, text, "ipv6")
        case(bad_address, range, text, "::1", "ipv6")
        case(bad_address, subnet, text, 8, "ipv6")
      end
      for _, prefix in ipairs { -1, 33, 1.5, nan, inf, -inf, 4294967296 } do case(R, subnet, "1.2.3.4", prefix) end
      for _, prefix in ipairs { -1, 129, 1.5 } do case(R, subnet, "::1", prefix, "ipv6") end
      for _, family in ipairs { "", "ipv5", "inet", "udp4" } do
        case(V, address, "1.2.3.4", family)
        case(V, range, "1.2.3.4", "1.2.3.5", family)
        case(V, subnet, "1.2.3.4", 8, family)
      end
      for _, text in ipairs { "", "/", "1.2.3.4", "1.2.3.4/", "1.2.3.4/x", "1.2.3.4/08", "1.2.3.4/ 8", "1.2.3.4/8 ",
        "1.2.3.4/-0", "1.2.3.4/1e1", "1.2.3.4/0x8", "1.2.3.4/8.0", "1.2.3.4/+8", "1.2.3.4/8\0", "1.2.3.4/--8" } do
        case(V, cidr, text)
      end
      for _, text in ipairs { "1.2.3.4/33", "1.2.3.4/-1", "::1/129", "1.2.3.4/99999999999999999999" } do
        case(R, cidr, text)
      end
      case(V, address, "1.2.3.4", "ipv4", 1)
      case(V, range, "1.2.3.4", "1.2.3.5", "ipv4", 1)
      case(V, subnet, "1.2.3.4", 8, "ipv4", 1)
      case(V, cidr, "1.2.3.4/8", 1)
    end
    case(V, "addAddresses", { "1.2.3.4" }, "ipv5")
    case(V, "addAddresses", {}, "ipv4", 1)
    case(V, "addCIDRs", {}, 1)
    case(V, "addCIDRs", { "1.2.3.4/8", "1.2.3.4" })
    case(R, "addCIDRs", { "1.2.3.4/8", "1.2.3.4/33" })
    case(bad_address, "addCIDRs", { "1.2.3.4/8", "x/8" })
    case(V, "fromJSON", {}, 1)
    for _, method in ipairs { "clear", "toJSON" } do case(V, method, 1) end
    case(V, "check", "1.2.3.4", "ipv4", 1)
    case(V, "addRange", "1.2.3.5", "1.2.3.4")
    case(V, "addRange", "::2", "::1", "ipv6")
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
    for _, name in ipairs { "rules", "size", "check" } do
      assert.is_false((pcall(function() list[name] = {} end)))
    end
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

  it("lets what it blocked through again, once the rule is gone", function()
    local list = made({ "addAddress", "127.0.0.2" }, { "addSubnet", "127.0.0.0", 24 })
    local got = {}
    local socket, port
    socket = new({ type = "udp4", receiveBlockList = list }, function(msg)
      got[#got + 1] = msg
      if msg == "clear" then list:clear() end
    end)
    socket:bind(0, "127.0.0.1")
    port = socket:address().port
    local bad, good = peers.new "127.0.0.2", peers.new "127.0.1.1"
    list:removeAddress "127.0.0.2"
    bad:send("still in the subnet", port, "127.0.0.1")
    good:send("clear", port, "127.0.0.1")
    loop.wait(function() return #got == 1 end)
    bad:send("let through", port, "127.0.0.1")
    loop.wait(function() return #got == 2 end)
    assert.same({ "clear", "let through" }, got)
    bad:close()
    good:close()
    socket:close()
    loop.run()
  end)

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
    loop.wait(function() return #errors > 0 end)
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

  it("knows its words to the last byte", function()
    local list = made { "addAddress", "1.2.3.4" }
    faults.raised(faults.bad_value, list.addAddress, list, "1.2.3.5", "ipv4\0")
    assert.is_false(list:check("1.2.3.4", "ipv4\0"))
    assert.is_nil(list["size\0"])
    assert.equal(1, list.size)
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
