-- SPDX-License-Identifier: MIT
-- The event `batch`: two lists for each receive, before the `message` events of the same datagrams, with the same promises.
local can = require "spec.support.can"
local child = require "spec.support.child"
local finalized = require "spec.support.finalized"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local trains = require "spec.support.trains"
local unix = require "spec.support.unix"
local dgram, uv = require "dgram", require "luv"

local new, bound = sockets.new, sockets.bound
local unpack = table.unpack or unpack

-- Notes each event in one list: {"batch", n}, {"message", msg}; and all datagrams of `batch`.
local function record(socket)
  local seen = { events = {}, messages = {}, rinfos = {}, batches = 0 }
  seen.on_batch = function(messages, rinfos)
    seen.batches = seen.batches + 1
    seen.events[#seen.events + 1] = "batch " .. table.concat(messages, " ")
    assert(#messages == #rinfos and #messages > 0)
    for i = 1, #messages do
      seen.messages[#seen.messages + 1] = messages[i]
      seen.rinfos[#seen.rinfos + 1] = rinfos[i]
    end
    if seen.after then seen.after(messages, rinfos) end
  end
  seen.on_message = function(msg, rinfo)
    assert(rinfo.size == #msg)
    seen.events[#seen.events + 1] = msg
  end
  socket:on("batch", seen.on_batch)
  return seen
end

--- @return a bound socket, its port, what `record` notes of it, and a peer to send from
local function recorded()
  local socket, port = bound "udp4"
  return socket, port, record(socket), peers.new()
end

local function send(peer, port, ...)
  for i = 1, select("#", ...) do peer:send((select(i, ...)), port) end
end

local function finish(...)
  sockets.close_all(...)
  loop.run()
end

describe("batch", function()
  loop.guard()

  it("is emitted on a socket that has no other listener, with all that one receive brought", function()
    local socket, port, seen, peer = recorded()
    send(peer, port, "one", "", "three")
    loop.wait(function() return #seen.messages == 3 end)
    assert.same({ "batch one  three" }, seen.events)
    assert.same({ address = "127.0.0.1", family = "IPv4", port = peer.port, size = 3 }, seen.rinfos[1])
    local stats = socket:stats()
    assert.same({ 3, 8 }, { stats.messagesReceived, stats.bytesReceived })
    finish(peer, socket)
  end)

  it("has one rinfo for datagrams of one sender that follow each other", function()
    local socket, port = bound "udp4"
    local seen, a, b, c = record(socket), peers.new(), peers.new(), peers.new "127.0.0.2"
    for _, from in ipairs { a, a, b, b, a, c } do from:send("x", port, "127.0.0.1") end
    loop.wait(function() return #seen.messages >= 4 end)
    local r = seen.rinfos
    loop.wait(function() return #r == 6 end)
    assert.is_true(rawequal(r[1], r[2]) and rawequal(r[3], r[4]))
    for i, from in ipairs { a, a, b, b, a, c } do
      assert.same({ from.port, from.address }, { r[i].port, r[i].address })
    end
    finish(a, b, c, socket)
  end)

  it("has what came with the datagrams, and another rinfo where that differs", function()
    local asked, socket, port = pcall(bound, { type = "udp4", recvTOS = true, recvTTL = true })
    can.need(pending, asked, "this system does not tell it")
    local seen, sender = record(socket), bound "udp4"
    for _, tos in ipairs { 0, 8, 8, 0 } do
      sender:setTypeOfService(tos)
      sender:send("x", port, "127.0.0.1")
    end
    sender:flush()
    loop.wait(function() return #seen.messages == 4 end)
    local r, told = seen.rinfos, {}
    for i = 1, 4 do told[i] = r[i].tos end
    assert.same({ 0, 8, 8, 0 }, told)
    assert.is_true(r[1].ttl > 0)
    assert.same({ false, seen.batches == 1, false },
      { rawequal(r[1], r[2]), seen.batches == 1 and rawequal(r[2], r[3]), rawequal(r[3], r[4]) })
    finish(socket, sender)
  end)

  for _, kind in ipairs { "udp4", "udp6" } do
    it("has each train whole, with the sizes of shorter ends: " .. kind, function()
      if kind == "udp6" then can.need(pending, can.ipv6()) end
      local socket, port = bound { type = kind, gro = true, recvBufferSize = 1000000 }
      local sender = bound(kind)
      local seen = record(socket)
      local size = function(i, n) return i == n and 7 or 100 end
      for _, n in ipairs { 1, 2, 63, 64, 65, 129, 300 } do
        local list, before = trains.run(n, size), #seen.messages
        sender:sendMany(list, port, sockets.loopback[kind])
        loop.wait(function() return #seen.messages == before + n end)
        for i = 1, n do assert.equal(list[i], seen.messages[before + i]) end
        assert.same({ sockets.loopback[kind], sender:address().port },
          { seen.rinfos[#seen.rinfos].address, seen.rinfos[#seen.rinfos].port })
      end
      if socket:stats().gro and sender:stats().gso then assert.is_true(seen.batches < 100) end
      assert.equal(#seen.messages, socket:stats().messagesReceived)
      finish(socket, sender)
    end)
  end

  it("is for Unix sockets, too: a named sender, and one without a name", function()
    local path, own = unix.path(), unix.path()
    local socket = new "unix_dgram"
    socket:bind(path)
    local seen, named, nameless = record(socket), new "unix_dgram", new "unix_dgram"
    named:bind(own)
    named:send("named", path)
    loop.wait(function() return #seen.messages == 1 end)
    nameless:send(("x"):rep(100000), path)
    loop.wait(function() return #seen.messages == 2 end)
    assert.same({ address = own, family = "unix", size = 5 }, seen.rinfos[1])
    assert.equal(100000, #seen.messages[2])
    finish(socket, named, nameless)
  end)

  it("comes before the message events of its datagrams; both see every datagram", function()
    local socket, port, seen, peer = recorded()
    socket:on("message", seen.on_message)
    send(peer, port, "1", "2", "3")
    loop.wait(function() return #seen.events == 4 end)
    assert.same({ "batch 1 2 3", "1", "2", "3" }, seen.events)
    assert.equal(3, socket:stats().messagesReceived)
    finish(peer, socket)
  end)

  it("has lists and rinfos of its own: a listener may change them", function()
    local socket, port, seen, peer = recorded()
    socket:on("message", seen.on_message)
    seen.after = function(messages, rinfos)
      rinfos[1].size, rinfos[1].port = -1, nil
      for i = 1, #messages do messages[i], rinfos[i] = nil, nil end
    end
    send(peer, port, "1", "2")
    loop.wait(function() return #seen.events == 3 end)
    assert.same({ "batch 1 2", "1", "2" }, seen.events)
    finish(peer, socket)
  end)

  it("stops the messages of its datagrams by close", function()
    local socket, port, seen, peer = recorded()
    socket:on("message", seen.on_message)
    seen.after = function() socket:close() end
    send(peer, port, "1", "2")
    loop.wait(function() return #seen.events > 0 end)
    peer:close()
    loop.run()
    assert.same({ "batch 1 2" }, seen.events)
  end)

  it("holds them back by pause until resume, and is not emitted for them again", function()
    local socket, port, seen, peer = recorded()
    socket:on("message", seen.on_message)
    seen.after = function() socket:pause() end
    send(peer, port, "1", "2")
    loop.wait(function() return #seen.events > 0 end)
    send(peer, port, "3")
    loop.turn(5)
    assert.same({ "batch 1 2" }, seen.events)
    seen.after = nil
    socket:resume()
    loop.wait(function() return #seen.events == 5 end)
    assert.same({ "batch 1 2", "1", "2", "batch 3", "3" }, seen.events)
    finish(peer, socket)
  end)

  it("alone stops by pause, too, and goes on", function()
    local socket, port, seen, peer = recorded()
    seen.after = function() socket:pause() end
    send(peer, port, "1", "2")
    loop.wait(function() return #seen.events > 0 end)
    send(peer, port, "3", "4")
    loop.turn(5)
    assert.same({ "batch 1 2" }, seen.events)
    socket:resume()
    loop.wait(function() return #seen.messages == 4 end)
    assert.equal("1 2 3 4", table.concat(seen.messages, " "))
    finish(peer, socket)
  end)

  it("whose listener goes: nothing is emitted twice, nothing lost", function()
    local socket, port, seen, peer = recorded()
    socket:on("message", seen.on_message)
    seen.after = function() socket:off("message", seen.on_message) end -- those that batch had are done with
    send(peer, port, "1", "2")
    loop.wait(function() return #seen.events == 1 end)
    seen.after = function() socket:on("message", seen.on_message) end -- hears the next ones
    send(peer, port, "3")
    loop.wait(function() return #seen.events == 2 end)
    seen.after = function() socket:removeAllListeners() end
    send(peer, port, "4")
    loop.wait(function() return #seen.events == 3 end)
    loop.turn(3)
    local late = {}
    socket:on("message", function(msg) late[#late + 1] = msg end)
    send(peer, port, "5")
    loop.wait(function() return late[#late] == "5" end)
    assert.same({ "batch 1 2", "batch 3", "batch 4" }, seen.events)
    assert.is_true(late[1] == "4" or late[1] == "5") -- nobody had been there to hear 4 as a message
    assert.equal(5, socket:stats().messagesReceived)
    finish(peer, socket)
  end)

  it("is left to wait in the kernel while nobody listens", function()
    local socket, port, seen, peer = recorded()
    socket:off("batch", seen.on_batch)
    send(peer, port, "1", "2")
    loop.turn(5)
    assert.same({}, seen.events)
    assert.equal(0, socket:stats().messagesReceived)
    socket:once("batch", seen.on_batch)
    loop.wait(function() return #seen.events == 1 end)
    send(peer, port, "3")
    loop.turn(5)
    assert.same({ "batch 1 2" }, seen.events)
    assert.equal(0, socket:listenerCount "batch")
    finish(peer, socket)
  end)

  it("goes to all listeners in order, of which one may be for once", function()
    local socket, port = bound "udp4"
    local order, peer = {}, peers.new()
    for _, name in ipairs { "a", "b" } do
      socket:on("batch", function(messages) order[#order + 1] = name .. #messages end)
    end
    socket:prependOnceListener("batch", function(messages) order[#order + 1] = "once" .. #messages end)
    send(peer, port, "1", "2")
    loop.wait(function() return #order >= 3 end)
    send(peer, port, "3")
    loop.wait(function() return #order >= 5 end)
    assert.equal("once2 a2 b2 a1 b1", table.concat(order, " "))
    finish(peer, socket)
  end)

  it("whose listener raises loses no message and no later batch", function()
    local raised = 0
    dgram.setUncaughtHandler(function(err)
      assert(tostring(err):find("on purpose", 1, true), err)
      raised = raised + 1
    end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    local socket, port, seen, peer = recorded()
    socket:on("message", function(msg)
      seen.on_message(msg, { size = #msg })
      error("on purpose", 0)
    end)
    seen.after = function() error("on purpose", 0) end
    send(peer, port, "1", "2", "3")
    loop.wait(function() return #seen.events == 4 end)
    send(peer, port, "4")
    loop.wait(function() return #seen.events == 6 end)
    assert.same({ "batch 1 2 3", "1", "2", "3", "batch 4", "4" }, seen.events)
    assert.equal(6, raised)
    finish(peer, socket)
  end)

  it("without blocked senders, which are counted", function()
    local list = dgram.BlockList()
    list:addAddress "127.0.0.2"
    list:addAddress "127.0.0.4"
    local socket, port = bound { type = "udp4", receiveBlockList = list, gro = false }
    local seen, from = record(socket), {}
    for i = 1, 4 do from[i] = peers.new("127.0.0." .. i) end
    for _, i in ipairs { 2, 1, 2, 4, 3, 1, 2 } do from[i]:send("of " .. i, port, "127.0.0.1") end
    loop.wait(function() return #seen.messages == 3 and socket:stats().blocked == 4 end)
    assert.same({ "of 1", "of 3", "of 1" }, seen.messages)
    for i, rinfo in ipairs(seen.rinfos) do assert.equal(seen.messages[i]:gsub("of ", "127.0.0."), rinfo.address) end
    for _, i in ipairs { 2, 4 } do from[i]:send("of " .. i, port, "127.0.0.1") end
    loop.wait(function() return socket:stats().blocked == 6 end)
    assert.equal(3, #seen.messages)
    finish(socket, unpack(from))
  end)

  it("without strangers after connect, which are counted", function()
    local socket, port = bound { type = "udp4", gro = false }
    local peer, stranger = peers.new(), peers.new()
    for i = 1, 3 do
      stranger:send("stranger " .. i, port)
      peer:send("peer " .. i, port)
    end
    socket:connectSync(peer.port, "127.0.0.1")
    local seen = record(socket)
    loop.wait(function() return #seen.messages == 3 end)
    loop.turn(3)
    assert.same({ "peer 1", "peer 2", "peer 3" }, seen.messages)
    assert.equal(3, socket:stats().strangers)
    finish(peer, stranger, socket)
  end)

  it("keeps to the turn: 2,048 datagrams of a socket, and a slow listener's time", function()
    local socket, port = bound { type = "udp4", recvBufferSize = 8000000, gro = true }
    local sender, got, in_turn, most = new "udp4", 0, 0, 0
    local list = {}
    for i = 1, 6000 do list[i] = tostring(i) end
    sender:sendMany(list, port, "127.0.0.1")
    sender:flush()
    local dropped = socket:stats().dropped or 0
    local check = uv.new_check()
    check:start(function() most, in_turn = math.max(most, in_turn), 0 end)
    local last
    socket:on("batch", function(messages)
      got, in_turn = got + #messages, in_turn + #messages
      for _, msg in ipairs(messages) do
        assert(not last or tonumber(msg) > last)
        last = tonumber(msg)
      end
    end)
    loop.wait(function() return got + dropped >= 6000 or last == 6000 end)
    loop.turn()
    check:close()
    assert.is_true(math.max(most, in_turn) <= 2048, most)
    local calls = 0
    socket:removeAllListeners "batch"
    socket:on("batch", function(messages)
      got, calls = got + #messages, calls + 1
      local till = uv.hrtime() + 6e6
      while uv.hrtime() < till do end
    end)
    local before, count = got, loop.count_turns()
    for _ = 1, 5 do
      sender:sendMany({ ("a"):rep(9), ("b"):rep(8), ("c"):rep(7) }, port, "127.0.0.1")
      sender:flush()
    end
    loop.wait(function() return got == before + 15 end)
    local turns = count()
    assert.is_true(calls <= turns, ("%d calls in %d turns"):format(calls, turns))
    finish(socket, sender)
  end)

  it("is moderated like messages, and kept by a socket that the program has forgotten", function()
    local peer, seen = peers.new(), {}
    local function make()
      local socket, port = bound { type = "udp4", moderation = 1000 }
      socket:on("batch", function(messages)
        for _, msg in ipairs(messages) do
          seen[#seen + 1] = msg
          if msg == "end" then socket:close() end
        end
      end)
      return port
    end
    local port = make()
    collectgarbage()
    for i = 1, 200 do
      peer:send(tostring(i), port)
      loop.wait(function() return #seen == i end)
    end
    collectgarbage()
    peer:send("end", port)
    peer:close()
    loop.run()
    for i = 1, 200 do assert.equal(tostring(i), seen[i]) end
  end)

  it("answers leave when the listener has returned", function()
    local socket, port = bound "udp4"
    local peer = peers.new():listen()
    socket:on("batch", function(messages, rinfos)
      for i, msg in ipairs(messages) do socket:reply(msg .. "!", rinfos[i]) end
    end)
    send(peer, port, "1", "2", "3")
    peer:wait(3)
    finish(peer, socket)
  end)

  it("may be emitted by the program, and on bare emitters", function()
    local socket, got = new "udp4", {}
    socket:on("batch", function(...) got[#got + 1] = select("#", ...) end)
    assert.is_true(socket:emit("batch", {}, {}))
    local bare = dgram.EventEmitter():on("batch", function() got[#got + 1] = "bare" end)
    bare:emit "batch"
    assert.same({ 2, "bare" }, got)
    assert.same({ "batch" }, socket:eventNames())
    finish(socket)
  end)

  it("needs a loop on a bound socket, and says so", function()
    child.lua_ok [[
      package.preload.luv = function() error "none" end
      package.preload.uv = package.preload.luv
      local dgram = require "dgram"
      local a = dgram.createSocket "udp4"
      a:bindSync { address = "127.0.0.1" }
      local ok, err = pcall(a.on, a, "batch", function() end)
      assert(not ok and err.code == "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", tostring(err))
      assert(a:listenerCount "batch" == 0)
      a:send("x", a:address().port, "127.0.0.1")
      assert(a:receive(0) == "x")
      a:close()
    ]]
  end)
end)

describe("batch beside calls of receive", function()
  loop.guard()

  local function spawn(fn)
    local co = coroutine.create(fn)
    assert(coroutine.resume(co))
    return co
  end

  it("hears of what a call waits for, and the call returns the first", function()
    local socket, port, seen, peer = recorded()
    local got = {}
    spawn(function()
      for i = 1, 2 do got[i] = socket:receive() end
    end)
    send(peer, port, "1", "2", "3")
    loop.wait(function() return #got == 2 end)
    send(peer, port, "4")
    loop.wait(function() return #seen.messages == 4 end)
    assert.same({ "1", "2" }, got)
    assert.same({ "batch 1 2 3", "batch 4" }, seen.events)
    finish(peer, socket)
  end)

  it("hears on the next turn of what receive(0) and receiveMany() take, once", function()
    local socket, port, seen, peer = recorded()
    socket:on("message", seen.on_message)
    send(peer, port, "1", "2", "3")
    local first = socket:receive(0)
    local messages, rinfos = socket:receiveMany()
    assert.same({ "1", "2", "3" }, { first, messages[1], messages[2] })
    assert.same({}, seen.events)
    messages[1], rinfos[1].size = "changed", 99
    loop.turn()
    assert.same({ "batch 1", "1", "batch 2 3", "2", "3" }, seen.events)
    assert.equal(1, seen.rinfos[2].size)
    finish(peer, socket)
  end)

  it("does not hear again of what its listener, or a message listener, takes by calls", function()
    local socket, port, seen, peer = recorded()
    local taken, got = {}, {}
    socket:on("message", function(msg) got[#got + 1] = msg end)
    seen.after = function()
      seen.after = nil
      taken[1] = socket:receive(0)
      local list = socket:receiveMany()
      for i = 1, #list do taken[#taken + 1] = list[i] end
    end
    send(peer, port, "1", "2", "3")
    loop.wait(function() return #got == 3 end)
    loop.turn()
    assert.same({ "batch 1 2 3" }, seen.events)
    assert.same({ "1", "2", "3" }, taken)
    table.sort(got)
    assert.same({ "1", "2", "3" }, got)
    finish(peer, socket)
  end)

  it("of receive with a time-out in the main program runs the loop, and batch is emitted in it", function()
    local socket, port, seen, peer = recorded()
    send(peer, port, "1", "2")
    assert.equal("1", (socket:receive(1000)))
    assert.same({ "batch 1 2" }, seen.events)
    assert.same({ nil, "timeout" }, { socket:receive(1) })
    finish(peer, socket)
  end)

  it("gets what was kept for whoever comes next", function()
    local socket, port = bound "udp4"
    local peer, second = peers.new(), nil
    spawn(function()
      socket:receive()
      second = spawn(function() socket:receive() end)
      second = spawn(function() socket:receive() end)
    end)
    send(peer, port, "1", "2", "3", "4")
    loop.turn(3)
    local seen = record(socket)
    loop.wait(function() return #seen.messages == 1 end)
    assert.same({ "4" }, seen.messages)
    assert.is_truthy(second)
    finish(peer, socket)
  end)

  it("goes on when the calls have ended: a pause, a time-out, a close", function()
    local socket, port, seen, peer = recorded()
    local why = {}
    spawn(function() why[1] = select(2, socket:receive(1)) end)
    loop.wait(function() return why[1] ~= nil end)
    send(peer, port, "1")
    loop.wait(function() return #seen.messages == 1 end)
    socket:pause()
    spawn(function() why[2] = select(2, socket:receive()) end)
    send(peer, port, "2")
    loop.turn(5)
    assert.equal(1, #seen.messages)
    socket:close()
    peer:close()
    loop.run()
    assert.same({ "timeout", "closed" }, why)
  end)
end)

describe("batch and finalizers", function()
  loop.guard()

  -- What finalizers do while the lists are made, which is when garbage is collected.
  local deeds = {
    ["run the loop"] = function() dgram.run "nowait" end,
    ["pause and resume"] = function(socket)
      socket:pause()
      socket:resume()
    end,
    ["add a message listener and remove it"] = function(socket)
      local function listener() end
      socket:on("message", listener)
      socket:off("message", listener)
    end,
    ["take a datagram"] = function(socket, taken)
      local msg = socket:receive(0)
      if msg then taken[#taken + 1] = msg end
    end,
    ["connect and disconnect"] = function(socket, _, port)
      socket:connectSync(port, "127.0.0.1")
      socket:disconnect()
    end,
  }

  for name, deed in pairs(deeds) do
    it("that " .. name .. ": each datagram is in one batch, in order", function()
      if rawget(_G, "jit") then
        rawget(_G, "jit").off() -- what it compiles may spin where finalizers run
        finally(function() rawget(_G, "jit").on() end)
      end
      local socket, port = bound { type = "udp4", recvBufferSize = 1000000 }
      local sender, taken, done = bound "udp4", {}, 0
      local seen, total, over = record(socket), 0, false
      local at = sender:address().port
      for round = 1, 40 do
        local list = {}
        for i = 1, 30 do list[i] = ("%05d"):format(total + i) end
        total = total + 30
        sender:sendMany(list, port, "127.0.0.1")
        sender:flush()
        for _ = 1, 2 do
          finalized(function()
            if done < 60 and not over then -- what is collected later finds the socket closed
              done = done + 1
              deed(socket, taken, at)
            end
          end)
        end
        if round % 2 == 0 then collectgarbage "step" end
        loop.wait(function() return #seen.messages >= total end)
      end
      over = true
      local before = ""
      for _, msg in ipairs(seen.messages) do
        if name ~= "take a datagram" then assert.is_true(msg > before, msg .. " after " .. before) end
        before = msg
      end
      assert.equal(total, #seen.messages)
      finish(socket, sender)
    end)
  end
end)

describe("batch without memory", function()
  loop.guard()

  it("loses nothing", function()
    can.need(pending, not os.getenv "LD_PRELOAD", "a sanitizer takes more room than this leaves")
    can.need(pending, _VERSION ~= "Lua 5.1" or rawget(_G, "jit"), "this Lua takes minutes to fill the memory")
    local process = child.lua_short_of_memory [[
      local dgram, uv = require "dgram", require "luv"
      local got, short, hoard, unit = {}, 0, nil, ("x"):rep(1024)
      dgram.setUncaughtHandler(function(err)
        if not tostring(err):find("memory", 1, true) then return end
        short, hoard = short + 1, nil
      end)
      local socket = dgram.createSocket { type = "udp4", recvBufferSize = 1000000 }
      socket:on("batch", function(messages)
        for i = 1, #messages do got[#got + 1] = #messages[i] end
        if not hoard and short == 0 then
          hoard = {}
          local size = 2 ^ 24
          while size >= 2 ^ 10 do
            local ok, text = pcall(string.rep, unit, size / #unit)
            if ok then hoard[#hoard + 1] = text else size = size / 2 end
          end
          error("hoarded", 0)
        end
      end)
      socket:bind(0, "127.0.0.1")
      local peer = uv.new_udp()
      for i = 1, 20 do assert(peer:try_send(("x"):rep(2000 * i), "127.0.0.1", socket:address().port)) end
      for _ = 1, 30 do dgram.run "nowait" end
      peer:close()
      socket:close()
      dgram.run()
      for i = 1, 20 do assert(got[i] == 2000 * i, i) end
      print(#got, short > 0)
    ]]
    assert.equal("20\ttrue\n", process.out, process.err)
  end)
end)
