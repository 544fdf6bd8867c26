-- SPDX-License-Identifier: MIT
-- A method that sets an option flushes first, so that the option holds for later datagrams only.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local need, new = can.need, sockets.new
local unpack = table.unpack or unpack

-- What the methods that set something take, on either family; {} for one whose name only looks like that.
local arguments = {
  setBroadcast = { udp4 = { true }, udp6 = { true } },
  setTTL = { udp4 = { 3 }, udp6 = { 3 } },
  setMulticastTTL = { udp4 = { 3 }, udp6 = { 3 } },
  setMulticastLoopback = { udp4 = { false }, udp6 = { false } },
  setMulticastInterface = { udp4 = { "127.0.0.1" }, udp6 = { "::%lo" } },
  setRecvBufferSize = { udp4 = { 10000 }, udp6 = { 10000 } },
  setSendBufferSize = { udp4 = { 10000 }, udp6 = { 10000 } },
  addMembership = { udp4 = { "239.255.77.2", "127.0.0.1" }, udp6 = { "ff02::77:2", "::%lo" } },
  dropMembership = { udp4 = { "239.255.77.2", "127.0.0.1" }, udp6 = { "ff02::77:2", "::%lo" } },
  addSourceSpecificMembership = { udp4 = { "127.0.0.1", "232.255.77.2", "127.0.0.1" },
    udp6 = { "::1", "ff32::77:2", "::%lo" } },
  dropSourceSpecificMembership = { udp4 = { "127.0.0.1", "232.255.77.2", "127.0.0.1" },
    udp6 = { "::1", "ff32::77:2", "::%lo" } },
  setTypeOfService = { udp4 = { 8 }, udp6 = { 8 } },
  setDontFragment = { udp4 = { true }, udp6 = { true } },
  setOption = { udp4 = { 1, 7, 10000 }, udp6 = { 1, 7, 10000 } },
}

local methods = {}
for name in pairs(dgram.Socket) do
  if name:find "^set%u" or name:find "Membership$" then methods[#methods + 1] = name end
end
table.sort(methods)

it("this spec knows what each setter takes", function()
  assert.is_true(#methods >= 11)
  for _, name in ipairs(methods) do assert.is_truthy(arguments[name], name) end
end)

for _, method in ipairs(methods) do
  describe(method, function()
    loop.guard()

    for _, kind in ipairs { "udp4", "udp6" } do
      local function start(options)
        if kind == "udp6" then need(pending, can.ipv6()) end
        options = options or {}
        options.type = kind
        local receiver, port = sockets.bound(kind, function() end)
        return new(options), receiver, port
      end

      -- The kernel may refuse what is set: a group that was not joined, for one.
      local function set(socket)
        return pcall(socket[method], socket, unpack((arguments[method] or {})[kind] or {}))
      end

      it(("has what was sent before go first, %s"):format(kind), function()
        local socket, receiver, port = start()
        local told = 0
        for _ = 1, 3 do
          socket:send("x", port, sockets.loopback[kind], function(err)
            assert.is_nil(err)
            told = told + 1
          end)
        end
        assert.equal(2, socket:getSendQueueCount())
        set(socket)
        assert.same({ 0, 3, 0 }, { socket:getSendQueueCount(), socket:stats().messagesSent, told })
        loop.turn()
        assert.equal(3, told)
        sockets.close_all(socket, receiver)
        loop.run()
      end)

      it(("has it go in a callback, too, %s"):format(kind), function()
        local socket, receiver, port = start()
        local seen
        socket:send("x", port, sockets.loopback[kind], function()
          socket:send("y", port, sockets.loopback[kind])
          local before = socket:getSendQueueCount()
          set(socket)
          seen = { before, socket:getSendQueueCount() }
        end)
        loop.wait(function() return seen end)
        assert.same({ 1, 0 }, seen)
        sockets.close_all(socket, receiver)
        loop.run()
      end)

      it(("leaves alone what waits for a name, %s"):format(kind), function()
        local answer
        local socket, receiver, port = start { lookup = function(_, _, cb) answer = cb end }
        socket:send("x", port, "name.test")
        set(socket)
        assert.equal(1, socket:getSendQueueCount())
        answer(nil, sockets.loopback[kind])
        loop.turn()
        assert.same({ 0, 1 }, { socket:getSendQueueCount(), socket:stats().messagesSent })
        sockets.close_all(socket, receiver)
        loop.run()
      end)
    end

    it("neither waits nor fails for a Unix peer that does not read", function()
      local reader, path = unix.bound()
      local sender, got = new "unix_dgram", {}
      for i = 1, 60 do sender:send("number " .. i, path) end
      pcall(sender[method], sender, unpack((arguments[method] or {}).udp4 or {}))
      assert.is_true(sender:getSendQueueCount() > 0)
      reader:on("message", function(msg) got[#got + 1] = { msg = msg } end)
      loop.wait(function() return #got == 60 end)
      unix.check_filled(got, 60)
      sockets.close_all(sender, reader)
      loop.run()
    end)
  end)
end

describe("an option", function()
  loop.guard()

  it("does not reach back to what was sent before it: broadcasts, both ways", function()
    local socket, told = new "udp4", {}
    local function report(err) told[#told + 1] = err and err.code or "sent" end
    socket:bindSync()
    socket:setBroadcast(true)
    for _ = 1, 3 do socket:send("x", 9, "127.255.255.255", report) end
    socket:setBroadcast(false)
    for _ = 1, 3 do socket:send("x", 9, "127.255.255.255", report) end
    socket:setBroadcast(true)
    loop.turn()
    assert.same({ "sent", "sent", "sent", "EACCES", "EACCES", "EACCES" }, told)
    socket:close()
    loop.run()
  end)

  it("nor does a wrong value, which sends nothing", function()
    local receiver, port = sockets.bound("udp4", function() end)
    local socket = new "udp4"
    for _ = 1, 3 do socket:send("x", port, "127.0.0.1") end
    for _, method in ipairs(methods) do
      assert.is_false((pcall(socket[method], socket, {}, {}, {}, {}, {})), method)
    end
    assert.equal(2, socket:getSendQueueCount())
    loop.turn()
    sockets.close_all(socket, receiver)
    loop.run()
  end)
end)
