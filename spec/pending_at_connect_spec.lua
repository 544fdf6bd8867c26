-- SPDX-License-Identifier: MIT
-- Datagrams that wait in a socket when it is connected: the peer's are delivered, others' are dropped and counted.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local namespace = require "spec.support.namespace"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local need, new = can.need, sockets.new

local ways = {
  connect = function(socket, to) socket:connect(to.port, to.address) end,
  connectSync = function(socket, to) socket:connectSync(to.port, to.address) end,
}

-- The socket, its peer and a stranger; and a function that sends three datagrams of each, by turns.
local function three(kind, options)
  options = options or {}
  options.type, options.gro = kind, options.gro or false
  local socket = new(options)
  socket:bind(0, sockets.loopback[kind])
  local peer, stranger = sockets.bound { type = kind, gso = false }, sockets.bound { type = kind, gso = false }
  local here = socket:address()
  local function both()
    for i = 1, 3 do
      for who, from in pairs { peer = peer, stranger = stranger } do
        from:send(who .. " " .. i, here.port, here.address)
        from:flush()
      end
    end
  end
  return socket, peer, stranger, both
end

local function collect(socket)
  local got = {}
  socket:on("message", function(msg) got[#got + 1] = msg end)
  return got
end

local from_peer = { "peer 1", "peer 2", "peer 3" }

for _, kind in ipairs { "udp4", "udp6" } do
  for name, connect in pairs(ways) do
    describe(("what waits at %s, %s,"):format(name, kind), function()
      loop.guard()

      local function start(options)
        if kind == "udp6" then need(pending, can.ipv6()) end
        return three(kind, options)
      end

      local function finish(...)
        sockets.close_all(...)
        loop.run()
      end

      it("in the kernel's buffer is the peer's only", function()
        local socket, peer, stranger, both = start()
        both()
        connect(socket, peer:address())
        local got = collect(socket)
        loop.wait(function() return #got == 3 and socket:stats().strangers == 3 end)
        assert.same(from_peer, got)
        assert.equal(3, socket:stats().messagesReceived)
        peer:send("later", socket:address().port, socket:address().address)
        loop.wait(function() return got[4] == "later" end)
        finish(socket, peer, stranger)
        assert.equal(3, socket:stats().strangers)
      end)

      it("in a batch at hand, whose listener connects, is the peer's only", function()
        local socket, peer, stranger, both = start()
        local got = {}
        both()
        socket:on("message", function(msg)
          got[#got + 1] = msg
          if #got == 1 then connect(socket, peer:address()) end
        end)
        loop.wait(function() return got[#got] == "peer 3" end)
        loop.turn()
        local first = table.remove(got, 1)
        if first == "peer 1" then table.insert(got, 1, first) end
        assert.same(from_peer, got)
        assert.equal(first == "peer 1" and 3 or 2, socket:stats().strangers)
        finish(socket, peer, stranger)
      end)

      it("of a stranger's train, whose listener connects, is dropped to its last datagram", function()
        local socket, peer, stranger = start { gro = true }
        local got, list = {}, {}
        for i = 1, 20 do list[i] = "stranger" end
        local other = sockets.bound { type = kind }
        other:sendMany(list, socket:address().port, socket:address().address)
        other:flush()
        socket:on("message", function(msg)
          got[#got + 1] = msg
          if #got == 1 then connect(socket, peer:address()) end
        end)
        loop.wait(function() return socket:stats().strangers == 19 end)
        peer:send("peer", socket:address().port, socket:address().address)
        loop.wait(function() return got[2] == "peer" end)
        assert.equal(2, #got)
        finish(socket, peer, stranger, other)
      end)

      it("in a paused socket is the peer's only when it goes on", function()
        local socket, peer, stranger, both = start()
        local got = collect(socket)
        socket:pause()
        both()
        loop.turn()
        connect(socket, peer:address())
        loop.turn()
        assert.same({ {}, 0 }, { got, socket:stats().strangers })
        socket:resume()
        loop.wait(function() return #got == 3 and socket:stats().strangers == 3 end)
        assert.same(from_peer, got)
        finish(socket, peer, stranger)
      end)

      it("is a stranger's before it is the block list's", function()
        local list = dgram.BlockList()
        list:addAddress(sockets.loopback[kind], kind == "udp6" and "ipv6" or "ipv4")
        local socket, peer, stranger, both = start { receiveBlockList = list }
        both()
        connect(socket, peer:address())
        local got = collect(socket)
        loop.wait(function() return socket:stats().blocked == 3 and socket:stats().strangers == 3 end)
        assert.same({}, got)
        finish(socket, peer, stranger)
      end)

      it("is everybody's again after disconnect", function()
        local socket, peer, stranger, both = start()
        both()
        connect(socket, peer:address())
        socket:disconnect()
        local got = collect(socket)
        loop.wait(function() return #got == 6 end)
        assert.equal(0, socket:stats().strangers)
        finish(socket, peer, stranger)
      end)
    end)
  end
end

describe("what waits at connect", function()
  loop.guard()

  it("of a dual-stack socket from an IPv4 peer is told from strangers'", function()
    need(pending, can.ipv6())
    local socket = new { type = "udp6", gro = false }
    socket:bind(0, "::")
    local peer, stranger = sockets.bound "udp4", sockets.bound "udp4"
    local six = sockets.bound "udp6"
    for _, from in ipairs { peer, stranger } do
      from:send(from == peer and "peer" or "stranger", socket:address().port, "127.0.0.1")
      from:flush()
    end
    six:send("stranger", socket:address().port, "::1")
    six:flush()
    socket:connect(peer:address().port, "127.0.0.1")
    local got = collect(socket)
    loop.wait(function() return #got == 1 and socket:stats().strangers == 2 end)
    assert.same({ "peer" }, got)
    sockets.close_all(socket, peer, stranger, six)
    loop.run()
  end)

  it("of link-local senders is told by their zones, too", function()
    need(pending, namespace.possible())
    local space = namespace.new()
    space:ip "link add dga type veth peer name dgb"
    for i, interface in ipairs { "dga", "dgb" } do
      space:ip(("link set %s addrgenmode none"):format(interface))
      space:ip(("link set %s up"):format(interface))
      space:ip(("addr add fe80::77:%d/64 dev %s nodad"):format(i, interface))
    end
    local program = space:program()
    program:call [[
      peer, stranger, s = new "udp6", new "udp6", new { type = "udp6", gro = false }
      s:bindSync { address = "fe80::77:1%dga" } peer:bindSync { address = "fe80::77:1%dga" }
      stranger:bindSync { address = "fe80::77:1%dga" }
      local here = s:address()
      for i = 1, 3 do
        for who, from in pairs { peer = peer, stranger = stranger } do
          from:send(who, here.port, "fe80::77:1%dga") from:flush()
        end
      end
      s:connectSync(peer:address().port, "fe80::77:1%dga")
      heard = {}
      s:on("message", function(msg) heard[#heard + 1] = msg end)
    ]]
    program:wait "return #heard == 3 and s:stats().strangers == 3"
    assert.equal("peerpeerpeer", program:call "return table.concat(heard)")
    program:call "for _, each in ipairs { peer, stranger, s } do each:close() end"
    program:stop()
  end)

  it("of a Unix socket is the peer's only", function()
    local socket, path = unix.bound()
    local peer, there = unix.bound()
    local stranger = unix.bound()
    for i = 1, 2 do
      peer:send("peer " .. i, path)
      peer:flush()
      stranger:send("stranger " .. i, path)
      stranger:flush()
    end
    socket:connect(there)
    local got = collect(socket)
    loop.wait(function() return #got == 2 and socket:stats().strangers == 2 end)
    assert.same({ "peer 1", "peer 2" }, got)
    sockets.close_all(socket, peer, stranger)
    loop.run()
  end)
end)
