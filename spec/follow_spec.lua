-- SPDX-License-Identifier: MIT
-- Sockets of one program that answer each other take turns without the loop in between, up to a limit. How often the loop
-- turned shows it; all else is as with those that wait for it.
local dgram = require "dgram"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local expect, new = loop.expect, sockets.new

-- Sockets in a ring: each sends what it hears, a number, to the next one, one higher, as `send` does it, until that is `last`.
-- ring.heard counts each number; ring.on(number, fn) calls fn(socket's place) when that one is heard, and sends no more if it
-- returns true.
local function ring_of(count, last, type)
  local ring = { heard = {}, port = {}, actions = {}, count = 0 }
  for i = 1, count do
    local s, port = sockets.bound(type or "udp4")
    ring[i], ring.port[i] = s, port
  end
  function ring.send(i, msg)
    local next = i % count + 1
    ring[i]:send(msg, ring.port[next], ring[i]:address().address)
  end
  function ring.on(number, fn) ring.actions[number] = fn end
  for i = 1, count do
    ring[i]:on("message", function(msg)
      local number = tonumber(msg)
      ring.heard[number] = (ring.heard[number] or 0) + 1
      ring.count = ring.count + 1
      local done = ring.actions[number] and ring.actions[number](i)
      if number < last and not done then ring.send(i, tostring(number + 1)) end
    end)
  end
  function ring.go() ring.send(1, "1") end
  function ring.wait(n) loop.wait(function() return ring.count >= (n or last) end) end
  function ring.close()
    for i = 1, count do pcall(ring[i].close, ring[i]) end
    loop.run()
  end
  function ring.check(first, to)
    for number = first or 1, to or last do assert.equal(1, ring.heard[number], number) end
  end
  return ring
end

describe("sockets that answer each other", function()
  loop.guard()

  for _, case in ipairs { { 2, "udp4" }, { 2, "udp6" }, { 3, "udp4" }, { 1, "udp4" } } do
    local count, type = case[1], case[2]
    it(("need the loop for few of their datagrams: %d of %s"):format(count, type), function()
      local ring = ring_of(count, 600, type)
      ring.go()
      ring.wait(100)
      local turns = loop.count_turns()
      ring.wait()
      local turned = turns()
      assert.is_true(turned < 250)      -- but for what a busy machine delivers late
      assert.is_true(turned > 500 / 18) -- 17 dispatches at most for each
      ring.check()
      ring.close()
    end)
  end

  it("may be more than those that are found at once", function()
    local ring = ring_of(20, 3000)
    ring.go()
    ring.wait(400)
    local turns = loop.count_turns()
    ring.wait()
    assert.is_true(turns() < 1300)
    ring.check()
    ring.close()
  end)

  it("may be Unix sockets", function()
    local path = os.tmpname()
    os.remove(path)
    local heard, a, b = 0, new "unix_dgram", new "unix_dgram"
    a:bind(path .. "a")
    b:bind(path .. "b")
    local function answer(from, to)
      from:on("message", function(msg)
        heard = heard + 1
        assert.equal(tostring(heard), msg)
        if heard < 300 then from:send(tostring(heard + 1), to) end
      end)
    end
    answer(a, path .. "b")
    answer(b, path .. "a")
    a:send("1", path .. "b")
    loop.wait(function() return heard == 300 end)
    a:close()
    b:close()
    loop.run()
  end)

  it("may have more than one datagram for each other", function()
    local a, a_port = sockets.bound "udp4"
    local b, b_port = sockets.bound "udp4"
    local heard = 0
    local function answer(from, to)
      from:on("message", function(msg)
        heard = heard + 1
        if msg == "last" and heard < 3000 then
          for _ = 1, heard % 7 do from:send("more", to, "127.0.0.1") end
          from:send("last", to, "127.0.0.1")
        end
      end)
    end
    answer(a, b_port)
    answer(b, a_port)
    a:send("last", b_port, "127.0.0.1")
    loop.wait(function() return heard >= 3000 end)
    a:close()
    b:close()
    loop.run()
  end)

  it("leave the loop its turn", function()
    local ring = ring_of(2, math.huge)
    local fired, timer = 0, uv.new_timer()
    timer:start(1, 1, function() fired = fired + 1 end)
    ring.go()
    loop.wait(function() return fired >= 5 and ring.count > 500 end)
    timer:close()
    ring.close()
  end)

  it("leave other sockets their turn", function()
    local ring = ring_of(2, math.huge)
    local other, port = sockets.bound "udp4"
    local peer, heard = peers.new(), 0
    other:on("message", function()
      heard = heard + 1
      peer:send("more", port)
    end)
    ring.go()
    ring.wait(200)
    peer:send("first", port)
    loop.wait(function() return heard >= 100 end)
    peer:close()
    other:close()
    ring.close()
  end)

  it("may raise, and go on", function()
    local caught = 0
    dgram.setUncaughtHandler(function() caught = caught + 1 end)
    local ring = ring_of(2, 500)
    for number = 100, 200 do
      ring.on(number, function(i)
        ring.send(i, tostring(number + 1))
        error "on purpose"
      end)
    end
    ring.go()
    ring.wait()
    assert.equal(101, caught)
    ring.check()
    ring.close()
    dgram.setUncaughtHandler(nil)
  end)

  it("may raise through dgram.run, which stops there", function()
    local ring = ring_of(2, 200)
    ring.on(150, function() error "on purpose" end)
    ring.go()
    assert.has_error(function() loop.wait(function() return false end) end)
    assert.equal(150, ring.count)
    ring.close()
  end)

  it("may close themselves", function()
    local ring = ring_of(2, 200)
    ring.on(150, function(i)
      ring.send(i, "151")
      ring[i]:close(expect())
      return true
    end)
    ring.go()
    ring.wait(151) -- the answer to that one finds nobody
    loop.turn()
    ring.check(1, 151)
    assert.equal(151, ring.count)
    ring.close()
  end)

  it("may close each other", function()
    local ring = ring_of(2, 200)
    ring.on(150, function(i) ring[i % 2 + 1]:close(expect()) end)
    ring.go()
    ring.wait(150)
    loop.turn()
    assert.equal(150, ring.count)
    ring.close()
  end)

  it("may pause, and resume", function()
    local ring = ring_of(2, 400)
    ring.on(150, function(i) ring[i % 2 + 1]:pause() end)
    ring.go()
    ring.wait(150)
    loop.turn()
    assert.equal(150, ring.count)
    for i = 1, 2 do ring[i]:resume() end
    ring.wait()
    ring.check()
    ring.close()
  end)

  it("may run the loop", function()
    local ring = ring_of(2, 300)
    for number = 100, 110 do
      ring.on(number, function() pcall(uv.run, "nowait") end)
    end
    ring.go()
    ring.wait()
    ring.check()
    ring.close()
  end)

  it("may be forgotten: another one follows", function()
    local a, port = sockets.bound "udp4"
    local b, heard = nil, 0
    local function partner()
      local s = new "udp4"
      s:bind(0, "127.0.0.1")
      s:on("message", function(msg, rinfo) s:send(msg, rinfo.port, rinfo.address) end)
      return s
    end
    a:on("message", function(msg, rinfo)
      heard = heard + 1
      if heard % 100 == 0 then
        if heard % 200 == 0 then b:close() else b:removeAllListeners() end -- without a listener it is garbage
        b = partner()
        collectgarbage()
        collectgarbage()
        a:send(msg, b:address().port, "127.0.0.1")
      else
        a:send(msg, rinfo.port, rinfo.address)
      end
    end)
    b = partner()
    a:send("x", b:address().port, "127.0.0.1")
    loop.wait(function() return heard >= 1000 end)
    assert.is_number(port)
    a:close()
    b:close()
    if rawget(_G, "jit") then require "jit".flush() end -- what was compiled keeps the functions that it was for
    collectgarbage()
    collectgarbage()
    loop.run()
  end)

  it("are not looked at in vain for long, where the answer comes from elsewhere", function()
    local server, port = sockets.bound "udp4"
    local heard, peer = 0, peers.new()
    server:on("message", function(msg, rinfo)
      heard = heard + 1
      server:send(msg, rinfo.port, rinfo.address)
    end)
    peer:listen(function(msg) peer:send(msg, port) end)
    peer:send("x", port)
    loop.wait(function() return heard >= 5000 end)
    local stats = server:stats()
    assert.is_true(stats.receiveCalls < 1.05 * stats.messagesReceived)
    peer:close()
    server:close()
    loop.run()
  end)

  it("and those that have something at each turn, but from elsewhere, too", function()
    -- Two servers with a client each: both have a datagram at each turn of the loop, so that each seems to follow the other.
    local servers, clients, heard = {}, {}, { 0, 0 }
    for i = 1, 2 do
      local server, port = sockets.bound "udp4"
      local client = peers.new()
      server:on("message", function(msg, rinfo)
        heard[i] = heard[i] + 1
        server:send(msg, rinfo.port, rinfo.address)
      end)
      client:listen(function(msg) client:send(msg, port) end)
      client:send("x", port)
      servers[i], clients[i] = server, client
    end
    loop.wait(function() return heard[1] >= 5000 and heard[2] >= 5000 end)
    for i = 1, 2 do
      local stats = servers[i]:stats()
      assert.is_true(stats.receiveCalls < 1.05 * stats.messagesReceived)
      clients[i]:close()
      servers[i]:close()
    end
    loop.run()
  end)

  it("and those of which the loop was about to tell", function()
    -- At each turn of the loop a server is asked, and another socket, which only listens, gets something, too.
    local server, port = sockets.bound "udp4"
    local listener, other_port = sockets.bound "udp4"
    local peer, heard = peers.new(), 0
    server:on("message", function(msg, rinfo) server:send(msg, rinfo.port, rinfo.address) end)
    listener:on("message", function() heard = heard + 1 end)
    local prepare = uv.new_prepare()
    prepare:start(function()
      peer:send("x", port)
      peer:send("x", other_port)
    end)
    loop.wait(function() return heard >= 3000 end)
    prepare:close()
    local stats = listener:stats()
    assert.is_true(stats.receiveCalls < 1.05 * stats.messagesReceived)
    peer:close()
    listener:close()
    server:close()
    loop.run()
  end)
end)
