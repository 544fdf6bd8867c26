-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- Who is bound to any address hears each group that anybody on the machine has joined: so each process has its own.
local pid = math.floor(uv.os_getpid())
local high, low = math.floor(pid / 250) % 250, pid % 250

-- What each family needs for a group that does not leave this machine.
local families = {
  udp4 = {
    any = "0.0.0.0", group = ("239.255.%d.%d"):format(high, low), other = ("239.254.%d.%d"):format(high, low),
    source_group = ("232.77.%d.%d"):format(high, low),
    where = can.multicast4,
    interface = function(where) return where end,
  },
  udp6 = {
    any = "::", group = ("ff02::77:%x:7"):format(pid % 65521 + 1), other = ("ff02::77:%x:8"):format(pid % 65521 + 1),
    source_group = ("ff32::77:%x:7"):format(pid % 65521 + 1),
    where = can.multicast6,
    interface = function(where) return "::%" .. where end,
  },
}

-- A receiver on a free port of any address, and a sender whose multicasts stay on the machine and go where they should.
local function pair(kind, outside)
  local family = families[kind]
  local where = need(pending, family.where(outside))
  local interface = family.interface(where)
  local got = {}
  local receiver = new(kind, function(msg) got[#got + 1] = msg end)
  receiver:bind(0, family.any)
  local sender = new(kind)
  sender:setMulticastInterface(interface)
  sender:setMulticastLoopback(true)
  sender:setMulticastTTL(0)
  return { receiver = receiver, port = receiver:address().port, sender = sender, got = got, interface = interface,
    group = family.group, other = family.other, kind = kind, where = where }
end

-- Sends a text to each of the groups, then a mark to the receiver itself: when the mark is there, so is all before it.
local function heard(p, groups)
  local first = #p.got
  for _, group in ipairs(groups) do
    local sent
    p.sender:send(group, p.port, group, function(err) sent = err or true end)
    loop.wait(function() return sent end)
    assert.is_true(sent, tostring(sent))
  end
  p.sender:send("mark", p.port, sockets.loopback[p.kind])
  loop.wait(function() return p.got[#p.got] == "mark" and #p.got > first end)
  local list = {}
  for i = first + 1, #p.got - 1 do list[#list + 1] = p.got[i] end
  return list
end

local function done(p)
  sockets.close_all(p.receiver, p.sender)
  loop.run()
end

for kind, family in pairs(families) do
  describe("membership of " .. kind, function()
    loop.guard()

    it("joins, receives, leaves", function()
      local p = pair(kind)
      assert.same({}, heard(p, { p.group }))
      p.receiver:addMembership(p.group, p.interface)
      assert.same({ p.group }, heard(p, { p.group }))
      p.receiver:dropMembership(p.group, p.interface)
      assert.same({}, heard(p, { p.group }))
      p.receiver:addMembership(p.group, p.interface)
      assert.same({ p.group, p.group }, heard(p, { p.group, p.group }))
      done(p)
    end)

    it("hears what it joined and nothing else", function()
      local p = pair(kind)
      p.receiver:addMembership(p.group, p.interface)
      assert.same({ p.group }, heard(p, { p.other, p.group, p.other }))
      p.receiver:addMembership(p.other, p.interface)
      assert.same({ p.group, p.other }, heard(p, { p.group, p.other }))
      p.receiver:dropMembership(p.group, p.interface)
      assert.same({ p.other }, heard(p, { p.group, p.other }))
      done(p)
    end)

    it("takes the interface's name", function()
      local p = pair(kind)
      local name = p.where
      if kind == "udp4" then
        for candidate, addresses in pairs(uv.interface_addresses()) do
          for _, address in ipairs(addresses) do
            if address.ip == p.where then name = candidate end
          end
        end
      end
      p.receiver:addMembership(p.group, name)
      assert.same({ p.group }, heard(p, { p.group }))
      p.receiver:dropMembership(p.group, name)
      assert.same({}, heard(p, { p.group }))
      done(p)
    end)

    it("a second join and a leave of a stranger raise", function()
      local p = pair(kind)
      p.receiver:addMembership(p.group, p.interface)
      faults.raised({ code = "EADDRINUSE", syscall = "addMembership" },
        p.receiver.addMembership, p.receiver, p.group, p.interface)
      faults.raised({ code = "EADDRNOTAVAIL", syscall = "dropMembership" },
        p.receiver.dropMembership, p.receiver, p.other, p.interface)
      p.receiver:dropMembership(p.group, p.interface)
      faults.raised({ code = "EADDRNOTAVAIL", syscall = "dropMembership" },
        p.receiver.dropMembership, p.receiver, p.group, p.interface)
      done(p)
    end)

    it("no loopback, no message of one's own machine", function()
      local p = pair(kind, true) -- a loopback interface loops whatever the option says
      p.receiver:addMembership(p.group, p.interface)
      -- which side the option acts on differs between systems
      p.sender:setMulticastLoopback(false)
      p.receiver:setMulticastLoopback(false)
      assert.same({}, heard(p, { p.group }))
      p.sender:setMulticastLoopback(true)
      p.receiver:setMulticastLoopback(true)
      assert.same({ p.group }, heard(p, { p.group }))
      done(p)
    end)

    it("of an unbound socket joins at once and binds it by the next tick", function()
      local p = pair(kind)
      local socket = new(kind)
      socket:addMembership(p.group, p.interface)
      faults.raised({ code = "EADDRINUSE" }, socket.addMembership, socket, p.group, p.interface)
      faults.raised({ code = "EBADF" }, socket.address, socket)
      local listening = 0
      socket:on("listening", function() listening = listening + 1 end)
      loop.wait(function() return listening == 1 end)
      assert.is_true(socket:address().port > 0)
      local got
      socket:on("message", function(msg) got = msg end)
      p.sender:send("to the group", socket:address().port, p.group)
      loop.wait(function() return got end)
      assert.equal("to the group", got)
      socket:close()
      done(p)
      assert.equal(1, listening)
    end)

    it("of an unbound socket leaves room for bind", function()
      local p = pair(kind)
      p.receiver:close()
      loop.turn()
      local got = {}
      p.receiver = new(kind, function(msg) got[#got + 1] = msg end)
      p.receiver:addMembership(p.group, p.interface)
      p.receiver:on("error", never())
      p.receiver:bind(p.port, family.any, expect())
      assert.equal(p.port, p.receiver:address().port)
      p.got = got
      assert.same({ p.group }, heard(p, { p.group }))
      done(p)
    end)

    it("for one source hears that source only", function()
      local p = pair(kind)
      local group = family.source_group
      local source = sockets.loopback[kind]
      if kind == "udp6" then
        -- the address that multicasts on that interface come from
        p.receiver:addMembership(p.group, p.interface)
        p.receiver:once("message", expect(function(_, rinfo) source = rinfo.address end))
        assert.same({ p.group }, heard(p, { p.group }))
        p.receiver:dropMembership(p.group, p.interface)
      end
      local ok, err = pcall(p.receiver.addSourceSpecificMembership, p.receiver, source, group, p.interface)
      if not ok and (err.code == "ENOPROTOOPT" or err.code == "ENOSYS" or err.code == "EOPNOTSUPP") then
        done(p)
        pending "no source-specific multicast here"
      end
      assert.is_true(ok, tostring(err))
      assert.same({ group }, heard(p, { group }))
      p.receiver:dropSourceSpecificMembership(source, group, p.interface)
      local nobody = kind == "udp4" and "127.0.0.99" or "fd00:77::99"
      p.receiver:addSourceSpecificMembership(nobody, group, p.interface)
      assert.same({}, heard(p, { group }))
      faults.raised({ code = "EADDRNOTAVAIL", syscall = "dropSourceSpecificMembership" },
        p.receiver.dropSourceSpecificMembership, p.receiver, source, group, p.interface)
      p.receiver:dropSourceSpecificMembership(nobody, group, p.interface)
      done(p)
    end)

    it("refuses what is no group", function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local socket = sockets.bound(kind)
      local missing = { code = "ERR_MISSING_ARGS", name = "TypeError" }
      for _, method in ipairs { "addMembership", "dropMembership" } do
        faults.raised(missing, socket[method], socket)
        faults.raised(missing, socket[method], socket, "")
        for _, value in ipairs { 1, true, {}, print, io.stdout } do
          faults.raised(faults.bad_type, socket[method], socket, value)
        end
        for _, text in ipairs { "not a group", "256.0.0.1", sockets.loopback[kind] } do
          faults.raised({ code = "EINVAL", syscall = method }, socket[method], socket, text)
        end
        faults.raised(faults.bad_value, socket[method], socket, family.group .. "\0")
      end
      socket:close()
      loop.run()
    end)
  end)
end

describe("every interface", function()
  loop.guard()

  for kind, family in pairs(families) do
    it("is joined and left with *: " .. kind, function()
      local outside = false
      for _, addresses in pairs(uv.interface_addresses()) do
        for _, address in ipairs(addresses) do
          if not address.internal and address.family == (kind == "udp4" and "inet" or "inet6") then outside = true end
        end
      end
      if not outside then pending "no interface beside the loopback one" end
      local socket = sockets.bound(kind)
      socket:addMembership(family.group, "*")
      faults.raised({ code = "EADDRINUSE", syscall = "addMembership" },
        socket.addMembership, socket, family.group, "*")
      socket:dropMembership(family.group, "*")
      faults.raised({ code = "EADDRNOTAVAIL", syscall = "dropMembership" },
        socket.dropMembership, socket, family.group, "*")
      socket:close()
      loop.run()
    end)
  end
end)
