-- SPDX-License-Identifier: MIT
-- What listeners send goes to the kernel when their dispatch ends, all of it together. The queue's count and the
-- statistics show it.
local can = require "spec.support.can"
local dgram = require "dgram"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

local expect, need, new = loop.expect, can.need, sockets.new
local unpack = table.unpack or unpack

-- A socket whose listener is set later, a peer that asks it, and ask(): sends it a datagram and waits until it was heard.
local function asked(options)
  local server, port = sockets.bound(options or "udp4")
  local peer = peers.new():listen()
  local a = { server = server, peer = peer, heard = 0 }
  function a.ask(msg)
    local before = a.heard
    peer:send(msg or "?", port)
    loop.wait(function() return a.heard > before end)
  end
  function a.answer(fn)
    server:removeAllListeners "message"
    server:on("message", function(msg, rinfo)
      a.heard = a.heard + 1
      fn(msg, rinfo)
    end)
  end
  function a.settle()
    a.answer(function(_, rinfo) server:send("settled", rinfo.port, rinfo.address) end)
    for _ = 1, 10 do a.ask() end
    peer:wait(10)
    peer.got = {}
  end
  function a.messages()
    local list = {}
    for i, datagram in ipairs(peer.got) do list[i] = datagram.msg end
    return list
  end
  function a.finish()
    peer:close()
    server:close()
    loop.run()
  end
  return a
end

describe("answers, one to each datagram,", function()
  loop.guard()

  it("wait for the end of the dispatch, and for nothing else", function()
    local a, waiting = asked(), {}
    a.answer(function(msg, rinfo)
      a.server:send(msg, rinfo.port, rinfo.address)
      waiting[#waiting + 1] = a.server:getSendQueueCount()
    end)
    for i = 1, 10 do a.ask(tostring(i)) end
    a.peer:wait(10)
    for i = 1, 10 do assert.equal(1, waiting[i]) end
    assert.equal(0, a.server:getSendQueueCount())
    assert.same({ "1", "2", "3", "4", "5", "6", "7", "8", "9", "10" }, a.messages())
    local stats = a.server:stats()
    assert.same({ 10, 10 }, { stats.sendCalls, stats.messagesSent })
    a.finish()
  end)

  it("keep their order where there are suddenly several, which go together", function()
    local a, n = asked(), 0
    a.settle()
    local calls = a.server:stats().sendCalls
    a.answer(function(_, rinfo)
      for _ = 1, 20 do
        n = n + 1
        a.server:send(tostring(n), rinfo.port, rinfo.address)
      end
    end)
    for _ = 1, 3 do a.ask() end
    a.peer:wait(60)
    for i, msg in ipairs(a.messages()) do assert.equal(tostring(i), msg) end
    assert.equal(3, a.server:stats().sendCalls - calls)
    a.finish()
  end)

  it("go before those with a callback that come after them", function()
    local a, told = asked(), expect(5)
    a.settle()
    a.answer(function(_, rinfo)
      a.server:send("1", rinfo.port, rinfo.address)
      a.server:send("2", rinfo.port, rinfo.address, told)
      a.server:sendMany({ "3", "4" }, rinfo.port, rinfo.address)
      a.server:send({ "list", " ", "of parts" }, rinfo.port, rinfo.address)
    end)
    for _ = 1, 5 do a.ask() end
    a.peer:wait(25)
    local wanted = {}
    for _ = 1, 5 do
      for _, msg in ipairs { "1", "2", "3", "4", "list of parts" } do wanted[#wanted + 1] = msg end
    end
    assert.same(wanted, a.messages())
    a.finish()
  end)

  -- A full batch, and a setter, hand over the queue in the midst of a listener: then nothing waits at its end.
  for _, count in ipairs { 1, 127, 128, 129, 256 } do
    for _, follow in ipairs { "nothing", "setTTL", "flush", "raises" } do
      it(("have their callbacks: %d, then %s"):format(count, follow), function()
        local told, asker = 0, peers.new()
        local socket, port = sockets.bound "udp4"
        dgram.setUncaughtHandler(function() end)
        socket:once("message", function(_, rinfo)
          for _ = 1, count do socket:send("x", rinfo.port, rinfo.address, function() told = told + 1 end) end
          if follow == "setTTL" then socket:setTTL(9) end
          if follow == "flush" then socket:flush() end
          if follow == "raises" then error "on purpose" end
        end)
        asker:send("question", port)
        loop.wait(function() return told == count end)
        dgram.setUncaughtHandler(nil)
        socket:close()
        asker:close()
        loop.run()
      end)
    end
  end

  for _, count in ipairs { 1, 2, 128 } do
    it(("go while their listener runs the loop: %d"):format(count), function()
      need(pending, can.nest())
      local asker, told, got = peers.new(), 0, nil
      local socket, port = sockets.bound "udp4"
      local other, other_port = sockets.bound "udp4"
      local heard = 0
      other:on("message", function() heard = heard + 1 end)
      socket:once("message", function()
        for _ = 1, count do socket:send("x", other_port, "127.0.0.1", function() told = told + 1 end) end
        loop.wait(function() return heard == count and told == count end)
        got = heard
      end)
      asker:send("question", port)
      loop.wait(function() return got end)
      assert.equal(count, got)
      for _, each in ipairs { socket, other, asker } do each:close() end
      loop.run()
    end)
  end

  it("may each be sent by the callback of the one before", function()
    local told, asker = 0, peers.new()
    local socket, port = sockets.bound "udp4"
    socket:once("message", function(_, rinfo)
      local function again()
        told = told + 1
        if told < 10 then socket:send("x", rinfo.port, rinfo.address, again) end
      end
      socket:send("x", rinfo.port, rinfo.address, again)
    end)
    asker:send("question", port)
    loop.wait(function() return told == 10 end)
    assert.equal(0, socket:getSendQueueCount())
    socket:close()
    asker:close()
    loop.run()
  end)

  it("go though their listener raises, or closes the socket", function()
    local a, errors = asked(), 0
    a.settle()
    dgram.setUncaughtHandler(function() errors = errors + 1 end)
    a.answer(function(_, rinfo)
      a.server:send("raising", rinfo.port, rinfo.address)
      error "after it"
    end)
    a.ask()
    a.answer(function(_, rinfo)
      a.server:send("closing", rinfo.port, rinfo.address)
      a.server:close(expect())
    end)
    a.ask()
    dgram.setUncaughtHandler(nil)
    a.peer:wait(2)
    assert.same({ "raising", "closing" }, a.messages())
    assert.equal(1, errors)
    a.peer:close()
    loop.run()
  end)

  it("are told of their errors as all are", function()
    local a, errors = asked(), {}
    a.settle()
    a.server:on("error", function(err) errors[#errors + 1] = err end)
    a.answer(function(_, rinfo) a.server:send(("x"):rep(65520), rinfo.port, rinfo.address) end)
    a.ask()
    loop.wait(function() return #errors == 1 end)
    faults.system(errors[1], { code = "EMSGSIZE", syscall = "send", address = "127.0.0.1", port = a.peer.port })
    a.answer(function(_, rinfo) a.server:send(("x"):rep(65536), rinfo.port, rinfo.address) end)
    a.ask()
    loop.wait(function() return #errors == 2 end)
    assert.equal("EMSGSIZE", errors[2].code)
    assert.equal(2, a.server:stats().sendErrors)
    a.settle()
    a.finish()
    assert.equal(2, #errors)
  end)

  it("tell that they are too long for half of the queue, and drain", function()
    local a, below = asked { type = "udp4", sendQueueLimit = 400 }, nil
    a.settle()
    a.server:on("drain", expect())
    a.answer(function(_, rinfo) below = a.server:send(("x"):rep(137), rinfo.port, rinfo.address) end)
    a.ask()
    assert.is_false(below)
    a.peer:wait(1)
    a.answer(function(_, rinfo) below = a.server:send(("x"):rep(136), rinfo.port, rinfo.address) end)
    a.ask()
    assert.is_true(below)
    a.peer:wait(2)
    a.finish()
  end)

  it("do not pass a block list", function()
    local list = dgram.BlockList()
    local a, errors = asked { type = "udp4", sendBlockList = list }, {}
    a.settle()
    list:addAddress "127.0.0.1"
    a.server:on("error", function(err) errors[#errors + 1] = err.code end)
    a.answer(function(_, rinfo) a.server:send("blocked", rinfo.port, rinfo.address) end)
    a.ask()
    loop.wait(function() return #errors == 1 end)
    loop.turn(3)
    assert.same({ "ERR_IP_BLOCKED" }, errors)
    assert.equal(0, #a.peer.got)
    a.finish()
  end)

  it("go to the port that is given, and to the address that is given", function()
    local a, other = asked(), peers.new "127.0.0.2":listen()
    a.settle()
    a.answer(function(_, rinfo)
      a.server:send("other port", other.port, "127.0.0.2")
      a.server:send("back", rinfo.port, rinfo.address)
    end)
    a.ask()
    other:wait(1)
    a.peer:wait(1)
    local port = sockets.new "udp4":bind(0, "127.0.0.1")
    port:on("message", expect(function(msg) assert.equal("same address", msg) port:close() end))
    a.answer(function(_, rinfo) a.server:send("same address", port:address().port, rinfo.address) end)
    a.ask()
    assert.same({ "other port" }, { other.got[1].msg, other.got[2] })
    assert.same({ "back" }, a.messages())
    other:close()
    a.finish()
  end)

  it("of sockets that ask others meanwhile go to who asked", function()
    local server, port = sockets.bound "udp4"
    local got, clients = 0, {}
    server:on("message", function(msg, rinfo) server:send(msg, rinfo.port, rinfo.address) end)
    for i = 1, 8 do
      local client, n = new "udp4", 0
      clients[i] = client
      client:bind(0, i % 2 == 0 and "127.0.0.1" or "127.0.0.3")
      client:on("message", function(msg)
        assert.equal(i .. " " .. n, msg)
        got, n = got + 1, n + 1
        if n < 50 then client:send(i .. " " .. n, port, "127.0.0.1") end
      end)
      client:send(i .. " 0", port, "127.0.0.1")
    end
    loop.wait(function() return got == 400 end)
    sockets.close_all(server, unpack(clients))
    loop.run()
  end)

  for what, how in pairs {
    ["udp6"] = { "udp6", "::1", "::1", "::1" },
    ["udp6 to an IPv4 sender"] = { "udp6", "::", "127.0.0.1", "::ffff:127.0.0.1" },
  } do
    it("of " .. what .. " go back, and later ones to whom they are meant for", function()
      need(pending, can.ipv6())
      local server, senders, known = new(how[1]), {}, {}
      server:bind(0, how[2])
      server:on("message", function(msg, rinfo)
        known[msg] = rinfo
        assert.equal(how[4], rinfo.address)
        for _, name in ipairs { "one", "other" } do
          if known[name] then server:send(name, known[name].port, known[name].address) end
        end
      end)
      for _, name in ipairs { "one", "other" } do senders[name] = peers.new(how[3]):listen() end
      for _ = 1, 10 do senders.one:send("one", server:address().port) loop.turn() end
      senders.one:wait(10)
      for _ = 1, 10 do
        for name, peer in pairs(senders) do peer:send(name, server:address().port) end
        loop.turn()
      end
      senders.one:wait(30)
      senders.other:wait(19)
      loop.turn(3)
      for name, peer in pairs(senders) do
        for _, datagram in ipairs(peer.got) do assert.equal(name, datagram.msg) end
        peer:close()
      end
      server:close()
      loop.run()
    end)
  end

  it("of a connected socket go to its peer, and after disconnect where they are sent", function()
    local a = asked()
    local other = peers.new():listen()
    a.server:connectSync(a.peer.port, "127.0.0.1")
    a.answer(function() a.server:send "to the peer" end)
    for _ = 1, 10 do a.ask() end
    a.answer(function()
      a.server:disconnect()
      a.server:send("to another one", other.port, "127.0.0.1")
    end)
    a.ask()
    a.peer:wait(10)
    other:wait(1)
    for i = 1, 10 do assert.equal("to the peer", a.peer.got[i].msg) end
    other:close()
    a.finish()
  end)

  it("of a connected socket whose peer has gone are told once, and late", function()
    local server, port = sockets.bound "udp4"
    local client, errors = new "udp4", 0
    client:connectSync(port, "127.0.0.1")
    client:on("error", function(err)
      assert.equal("ECONNREFUSED", err.code)
      errors = errors + 1
    end)
    local n = 0
    server:on("message", function(msg, rinfo) server:send(msg, rinfo.port, rinfo.address) end)
    client:on("message", function()
      n = n + 1
      if n == 20 then server:close() end
      client:send(tostring(n))
    end)
    client:send "0"
    loop.wait(function() return errors == 1 end)
    client:close()
    loop.run()
    assert.same({ 20, 1 }, { n, errors })
  end)
end)
