-- SPDX-License-Identifier: MIT
-- ICMP errors: a connected socket whose peer is not there has the error late, as one `error` event; with the option recvErrors
-- any socket hears of all that concerns its datagrams.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local namespaces = require "spec.support.namespace"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local need, never = can.need, loop.never

local families = { udp4 = "127.0.0.1", udp6 = "::1" }

-- A socket connected to a port where nobody is, that port, and the list of its errors.
local function refused(kind, listener)
  if kind == "udp6" then need(pending, can.ipv6()) end
  local gone = peers.new(families[kind])
  gone:close()
  loop.turn()
  local socket = sockets.bound(kind, listener)
  local errors = {}
  socket:on("error", function(err) errors[#errors + 1] = err end)
  socket:connect(gone.port, families[kind])
  return socket, gone.port, errors
end

for kind, address in pairs(families) do
  for how, listener in pairs { ["with a listener"] = never, ["without one"] = function() end } do
    describe(("a refusal, %s, %s"):format(kind, how), function()
      loop.guard()

      local function start()
        return refused(kind, listener())
      end

      it("is one error event, and no failure of the send", function()
        local socket, port, errors = start()
        local sent = 0
        socket:send("refused", function(err, bytes)
          assert.same({ nil, 7 }, { err, bytes })
          sent = sent + 1
        end)
        loop.wait(function() return #errors > 0 and sent > 0 end)
        faults.system(errors[1], { code = "ECONNREFUSED", syscall = "recvmsg", address = address, port = port })
        loop.pass(20)
        assert.same({ 1, 1 }, { #errors, sent })
        socket:close()
        loop.run()
      end)

      it("leaves the socket in order: the next datagram goes out, and answers come", function()
        local socket, port, errors = start()
        socket:send "refused"
        loop.wait(function() return #errors > 0 end)
        local heir = uv.new_udp()
        assert(heir:bind(address, port))
        local heard
        heir:recv_start(function(_, data) heard = heard or data end)
        socket:removeAllListeners "message"
        local got
        socket:on("message", function(msg) got = msg end)
        socket:send "heard"
        loop.wait(function() return heard end)
        assert.equal("heard", heard)
        assert(heir:try_send("answer", address, socket:address().port))
        loop.wait(function() return got end)
        assert.equal("answer", got)
        assert.equal(1, #errors)
        heir:close()
        socket:close()
        loop.run()
      end)

      it("costs no datagram that trips over it", function()
        local socket, port, errors = start()
        socket:send "refused"
        loop.wait(function() return #errors > 0 end)
        -- more than one batch: the system knows of refusals before the later ones are handed to it
        local sent = 0
        for i = 1, 200 do
          socket:send("number " .. i, function(err)
            assert.is_nil(err)
            sent = sent + 1
          end)
        end
        loop.wait(function() return sent == 200 end)
        loop.pass(20)
        assert.equal(200, sent)
        assert.is_true(#errors > 1 and #errors <= 201, #errors .. " errors")
        for _, err in ipairs(errors) do
          assert.same({ "ECONNREFUSED", address, port }, { err.code, err.address, err.port })
        end
        socket:close()
        loop.run()
      end)
    end)
  end
end

describe("a refusal", function()
  loop.guard()

  it("without a listener for errors is raised, once", function()
    local socket, port = refused("udp4", never())
    socket:removeAllListeners "error"
    socket:send "refused"
    faults.raised({ code = "ECONNREFUSED", syscall = "recvmsg", port = port }, loop.wait, function() return false end)
    loop.turn(5)
    socket:close()
    loop.run()
  end)

  it("is told to the socket that it concerns", function()
    local socket, _, errors = refused("udp4", never())
    local other, _, none = refused("udp4", never())
    local third = sockets.bound("udp4", never())
    third:on("error", never())
    socket:send "refused"
    loop.wait(function() return #errors > 0 end)
    loop.pass(10)
    assert.same({ 1, 0 }, { #errors, #none })
    sockets.close_all(socket, other, third)
    loop.run()
  end)

  it("of what was sent before disconnect spoils nothing after it", function()
    local socket, _, errors = refused "udp4"
    local peer = peers.new():listen()
    socket:send "refused"
    socket:disconnect()
    local sent = 0
    for i = 1, 3 do
      socket:send("number " .. i, peer.port, "127.0.0.1", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    peer:wait(3)
    loop.wait(function() return sent == 3 end)
    assert.is_true(#errors <= 1)
    peer:close()
    socket:close()
    loop.run()
  end)

  for way in pairs { connect = true, connectSync = true } do
    it(("that was pending at disconnect and %s names the old peer"):format(way), function()
      local socket, port, errors = refused "udp4"
      local living, there = sockets.bound "udp4"
      socket:send "refused"
      socket:disconnect()
      socket[way](socket, there, "127.0.0.1")
      local sent
      socket:send("to the living", function(err) sent = err or true end)
      loop.wait(function() return #errors == 1 and sent end)
      loop.pass(10)
      assert.is_true(sent)
      assert.equal(1, #errors)
      faults.system(errors[1], { code = "ECONNREFUSED", syscall = "recvmsg", address = "127.0.0.1", port = port })
      sockets.close_all(socket, living)
      loop.run()
    end)
  end

  it("is told before what comes of the new peer, which nobody had before", function()
    local socket, port, errors = refused "udp4"
    for _ = 1, 3 do
      local ghost = peers.new()
      ghost:close()
      loop.turn()
      socket:send "refused"
      socket:flush()
      socket:disconnect()
      socket:connect(ghost.port, "127.0.0.1")
      loop.turn()
      assert.equal(port, errors[#errors].port)
      port = ghost.port
    end
    assert.equal(3, #errors)
    socket:close()
    loop.run()
  end)

  it("while the socket closes hurts nobody", function()
    local socket = refused("udp4", never())
    local sent = 0
    for _ = 1, 100 do
      socket:send("x", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    socket:close(loop.expect())
    loop.run()
    assert.equal(100, sent)
  end)

  for what, listener in pairs { ["a listener"] = never, ["no listener"] = function() end } do
    it("costs nothing once it was told, with " .. what, function()
      local socket, _, errors = refused("udp4", listener())
      for _ = 1, 3 do socket:send "refused" end
      loop.wait(function() return #errors > 0 end)
      loop.turn(5)
      local turns = 0
      local counter = uv.new_prepare()
      counter:start(function() turns = turns + 1 end)
      local before = os.clock()
      loop.pass(200)
      local used = os.clock() - before
      counter:close()
      socket:close()
      loop.run()
      assert.is_true(turns < 30, turns .. " turns of the loop")
      assert.is_true(used < 0.1, used .. " s of CPU")
    end)
  end
end)

-- A socket that hears of ICMP errors, and the list of these.
local function hearing(kind, listener)
  local done, socket = pcall(sockets.new, { type = kind, recvErrors = true }, listener)
  if not done and socket.code == "ENOTSUP" then pending(tostring(socket)) end
  assert.is_true(done, tostring(socket))
  local errors = {}
  socket:on("error", function(err) errors[#errors + 1] = err end)
  return socket, errors
end

-- Ports on the address where nobody is.
local function dead_ports(n, address)
  local ghosts, ports = {}, {}
  for i = 1, n do ghosts[i] = peers.new(address) end
  for i, ghost in ipairs(ghosts) do
    ports[i] = ghost.port
    ghost:close()
  end
  loop.turn()
  return ports
end

describe("recvErrors", function()
  loop.guard()

  for _, case in ipairs {
    { "udp4", "127.0.0.1", "127.0.0.1", 3, 3 },
    { "udp6", "::1", "::1", 1, 4 },
    { "udp6", "127.0.0.1", "::ffff:127.0.0.1", 3, 3 },
  } do
    local kind, address, told, icmp_type, icmp_code = case[1], case[2], case[3], case[4], case[5]

    for how, listener in pairs { ["a listener"] = function() end, ["no listener"] = false } do
      it(("tells whom it concerns, once, %s to %s, with %s"):format(kind, address, how), function()
        if kind == "udp6" then need(pending, can.ipv6()) end
        local socket, errors = hearing(kind, listener or nil)
        local ports, sent = dead_ports(3, address), 0
        for _, port in ipairs(ports) do
          socket:send("refused", port, address, function(err, bytes)
            assert.same({ nil, 7 }, { err, bytes })
            sent = sent + 1
          end)
        end
        loop.wait(function() return #errors == 3 and sent == 3 end)
        for i, err in ipairs(errors) do
          faults.system(err, { code = "ECONNREFUSED", syscall = "recvmsg", address = told, port = ports[i],
            icmpType = icmp_type, icmpCode = icmp_code, offender = told })
          assert.is_nil(err.mtu)
        end
        local count = loop.count_turns()
        loop.pass(100)
        assert.is_true(count() < 30)
        assert.equal(3, #errors)
        socket:close()
        loop.run()
      end)
    end
  end

  it("tells it of connected sockets, too, once", function()
    local socket, errors = hearing("udp4", never())
    local port = dead_ports(1)[1]
    socket:connectSync(port, "127.0.0.1")
    local sent = 0
    for _ = 1, 50 do
      socket:send("refused", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
      socket:flush() -- of a train there is one error
    end
    loop.wait(function() return sent == 50 and #errors == 50 end)
    loop.pass(20)
    assert.equal(50, #errors)
    for _, err in ipairs(errors) do
      assert.same({ "ECONNREFUSED", 3, port }, { err.code, err.icmpCode, err.port })
    end
    socket:close()
    loop.run()
  end)

  it("names the old peer of what was pending at disconnect", function()
    local socket, errors = hearing("udp4", never())
    local ports = dead_ports(2)
    socket:connectSync(ports[1], "127.0.0.1")
    socket:send "refused"
    socket:disconnect()
    socket:connectSync(ports[2], "127.0.0.1")
    loop.wait(function() return #errors == 1 end)
    socket:send "refused"
    loop.wait(function() return #errors == 2 end)
    assert.same(ports, { errors[1].port, errors[2].port })
    socket:close()
    loop.run()
  end)

  it("is nothing that others hear of", function()
    local socket, errors = hearing "udp4"
    local other = sockets.new "udp4"
    other:on("error", never())
    local port = dead_ports(1)[1]
    other:send("x", port, "127.0.0.1", loop.expect(function(err) assert.is_nil(err) end))
    socket:send("x", port, "127.0.0.1")
    loop.wait(function() return #errors == 1 end)
    loop.pass(20)
    local asked = sockets.new { type = "udp4", recvErrors = false }
    asked:on("error", never())
    asked:send("x", port, "127.0.0.1")
    loop.pass(20)
    sockets.close_all(socket, other, asked)
    loop.run()
  end)

  it("without a listener for errors is raised, once", function()
    local socket = hearing "udp4"
    socket:removeAllListeners "error"
    local port = dead_ports(1)[1]
    socket:send("x", port, "127.0.0.1")
    faults.raised({ code = "ECONNREFUSED", syscall = "recvmsg", port = port, icmpType = 3 }, loop.wait,
      function() return false end)
    loop.turn(5)
    socket:close()
    loop.run()
  end)

  it("ends a call of receive that no error listener answers for", function()
    local socket = hearing "udp4"
    socket:removeAllListeners "error"
    local port = dead_ports(1)[1]
    socket:send("x", port, "127.0.0.1")
    local none, err = socket:receive(1000)
    assert.is_nil(none)
    faults.system(err, { code = "ECONNREFUSED", port = port, icmpType = 3, offender = "127.0.0.1" })

    socket:send("x", port, "127.0.0.1")
    socket:flush()
    none, err = socket:receive(0)
    assert.is_nil(none)
    faults.system(err, { code = "ECONNREFUSED", port = port, icmpType = 3, offender = "127.0.0.1" })
    assert.same({ nil, "timeout" }, { socket:receive(0) })
    loop.turn(5)
    socket:close()
    loop.run()
  end)

  it("loses no datagram that comes between errors", function()
    local got = 0
    local socket, errors = hearing("udp4", function() got = got + 1 end)
    socket:bind(0, "127.0.0.1")
    local other, port = sockets.new "udp4", dead_ports(1)[1]
    for i = 1, 50 do
      other:send(tostring(i), socket:address().port, "127.0.0.1")
      other:flush()
      socket:send("x", port, "127.0.0.1")
      socket:flush()
    end
    loop.wait(function() return got == 50 and #errors == 50 end)
    sockets.close_all(socket, other)
    loop.run()
  end)

  it("is bounded under a storm, and then at rest", function()
    local socket, errors = hearing("udp4", never())
    local port = dead_ports(1)[1]
    local most, before = 0, 0
    local check = uv.new_check()
    check:start(function()
      most = math.max(most, #errors - before)
      before = #errors
    end)
    for i = 1, 300 do
      socket:send(tostring(i), port, "127.0.0.1", function(err) assert.is_nil(err) end)
      socket:flush()
    end
    loop.wait(function() return #errors >= 100 end) -- how many more the kernel keeps is its affair
    loop.pass(50)
    assert.is_true(#errors <= 300)
    assert.is_true(most <= 200, most .. " in a turn")
    before = #errors
    local count = loop.count_turns()
    loop.pass(100)
    assert.is_true(count() < 30)
    assert.equal(before, #errors)
    check:close()
    socket:close()
    loop.run()
  end)

  it("costs nothing while the socket is paused, or closes", function()
    local socket, errors = hearing("udp4", never())
    local port = dead_ports(1)[1]
    socket:bind(0)
    socket:pause()
    for _ = 1, 5 do
      socket:send("x", port, "127.0.0.1")
      socket:flush()
    end
    local count = loop.count_turns()
    loop.pass(100)
    assert.is_true(count() < 30)
    assert.equal(5, #errors)
    for _ = 1, 100 do socket:send("x", port, "127.0.0.1") end
    socket:close(loop.expect())
    loop.run()
  end)

  it("may be closed by its own error", function()
    local socket, errors = hearing("udp4", never())
    socket:on("error", function() if #errors == 1 then socket:close() end end)
    for _, port in ipairs(dead_ports(3)) do socket:send("x", port, "127.0.0.1") end
    loop.run()
    assert.is_true(#errors >= 1)
  end)

  it("holds for an adopted descriptor", function()
    sockets.close_all((hearing "udp4")) -- whether the system has it
    local first, port = sockets.bound "udp4", dead_ports(1)[1]
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local process = child.start(child.interpreter(), { "-e", paths, "-e", ([[
      local dgram = require "dgram"
      local socket = dgram.createSocket { type = "udp4", recvErrors = true }
      socket:on("error", function(err)
        print(err.code, err.port, err.icmpType)
        socket:close()
      end)
      socket:bind { fd = 0 }
      socket:send("x", %d, "127.0.0.1")
      dgram.run()]]):format(port) }, { own = true, stdin = first:fileno() })
    first:close() -- who shares the descriptor would hear of the refusal, too
    process:wait()
    assert.same({ ("ECONNREFUSED\t%d\t3\n"):format(port), "" }, { process.out, process.err })
    loop.run()
  end)

  it("is a boolean, and not for unix_dgram", function()
    for _, value in ipairs { 1, "true", {} } do
      faults.raised(faults.bad_type, sockets.new, { type = "udp4", recvErrors = value })
    end
    faults.raised(faults.bad_value, sockets.new, { type = "unix_dgram", recvErrors = true })
    if not pcall(function() sockets.new({ type = "udp4", recvErrors = true }):close() end) then
      faults.raised({ code = "ENOTSUP", syscall = "setsockopt" }, sockets.new, { type = "udp4", recvErrors = true })
    end
    loop.run()
  end)
end)

describe("recvErrors across a router", function()
  loop.guard()

  for _, way in ipairs {
    { "udp4", "10.78.2.1", "10.78.1.2", 3, 4, 11 },
    { "udp6", "fd78:2::1", "fd78:1::2", 2, 0, 3 },
    { "udp6", "10.78.2.1", "::ffff:10.78.1.2", 3, 4, 11 },
  } do
    local kind, address, router, too_big, code, exceeded = way[1], way[2], way[3], way[4], way[5], way[6]

    it(("tells the MTU, and who has let a datagram die: %s to %s"):format(kind, address), function()
      sockets.close_all((hearing "udp4")) -- whether the system has it
      need(pending, namespaces.possible())
      local a, b = namespaces.routed()
      need(pending, a, b)
      local sender = a:program()
      sender:call([[
        s = dgram.createSocket { type = %q, recvErrors = true }
        errors = {}
        s:on("error", function(err) errors[#errors + 1] = err end)
        s:setDontFragment(true)
        function try(length, options)
          told = nil
          s:send(("x"):rep(length), 9, %q, options, function(err) told = err and err.code or "sent" end)
        end
        function last()
          local e = errors[#errors]
          return e.code, e.port, e.icmpType, e.icmpCode, e.offender, e.mtu
        end ]], kind, address)
      sender:call "try(1330)"
      sender:wait "return #errors == 1"
      assert.same({ "EMSGSIZE", 9, too_big, code, router, 1300 }, { sender:call "return last()" })
      assert.equal("sent", sender:call "return told")
      sender:call "try(10, { ttl = 1 })"
      sender:wait "return #errors == 2"
      assert.same({ "EHOSTUNREACH", 9, exceeded, 0, router }, { sender:call "return last()" })
      sender:call "try(10)"
      sender:wait "return #errors == 3"
      assert.equal("ECONNREFUSED", (sender:call "return last()"))
      sender:call "try(2000)" -- the interface does not take it: that is the send's own error, and no event
      sender:wait "return told"
      assert.same({ "EMSGSIZE", 3 }, { sender:call "return told, #errors" })
      sender:call "s:close()"
      sender:stop()
      loop.run()
    end)
  end
end)
