-- SPDX-License-Identifier: MIT
-- receive, receiveMany, messages: straight-line receiving.
local child = require "spec.support.child"
local finalized = require "spec.support.finalized"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

local new, bound = sockets.new, sockets.bound
local plain51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

local function spawn(fn, ...)
  local co = coroutine.create(fn)
  local done, err = coroutine.resume(co, ...)
  if not done then error(err, 0) end
  return co
end

local function raises(code, fn, ...)
  local done, err = pcall(fn, ...)
  assert.is_false(done)
  assert.are.equal(code, type(err) == "table" and err.code or err)
end

describe("receive(0)", function()
  loop.guard()

  it("takes what is there, and never waits", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    local nothing, why = socket:receive(0)
    assert.is_nil(nothing)
    assert.are.equal("timeout", why)
    peer:send("one", port)
    peer:send("", port)
    local msg, rinfo = socket:receive(0)
    assert.are.equal("one", msg)
    assert.are.same({ address = "127.0.0.1", family = "IPv4", port = peer.port, size = 3 }, rinfo)
    msg, rinfo = socket:receive(0)
    assert.are.equal("", msg)
    assert.are.equal(0, rinfo.size)
    assert.are.equal("timeout", select(2, socket:receive(0)))
    assert.are.equal(2, socket:stats().messagesReceived)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("leaves the rest of a train to the listeners, who get it without another datagram", function()
    local socket, port = bound { type = "udp4", gro = true }
    local sender, got = bound "udp4", {}
    socket:on("message", function(msg) got[#got + 1] = msg end)
    sender:sendMany({ "1", "2", "3", "4" }, port, "127.0.0.1")
    sender:flush()
    assert.are.equal("1", (socket:receive(0)))
    loop.wait(function() return #got == 4 end)
    table.sort(got)
    assert.are.same({ "1", "2", "3", "4" }, got)
    sender:close()
    socket:close()
    loop.run()
  end)

  it("needs no luv", function()
    child.lua_ok [[
      package.preload.luv = function() error "none" end
      package.preload.uv = package.preload.luv
      local dgram = require "dgram"
      local a, b = dgram.createSocket "udp4", dgram.createSocket "udp4"
      a:bindSync { address = "127.0.0.1" }
      b:bindSync { address = "127.0.0.1" }
      for i = 1, 50 do b:send("m" .. i, a:address().port, "127.0.0.1") end
      b:flush()
      assert(a:receive(0) == "m1")
      local messages, rinfos = a:receiveMany(9)
      assert(#messages == 9 and #rinfos == 9 and messages[9] == "m10")
      assert(#a:receiveMany() == 40)
      assert(select(2, a:receiveMany()) == "timeout")
      local done, err = pcall(a.receive, a, 10)
      assert(not done and err.code == "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM")
      a:close()
      assert(select(2, a:receive(0)) == "closed")
    ]]
  end)

  it("is heard of by listeners on the next turn", function()
    local got = {}
    local socket, port = bound("udp4", function(msg, rinfo) got[#got + 1] = { msg, rinfo } end)
    local peer = peers.new()
    peer:send("one", port)
    local msg, rinfo = socket:receive(0)
    assert.are.equal("one", msg)
    assert.are.equal(0, #got)
    loop.wait(function() return got[1] end)
    assert.are.equal("one", got[1][1])
    assert.are.same(rinfo, got[1][2])
    assert.are_not.equal(rinfo, got[1][2])
    loop.turn(3)
    assert.are.equal(1, #got)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("works inside of a listener, and takes of its batch", function()
    local seen, taken = {}, {}
    local socket, port
    socket, port = bound("udp4", function(msg)
      seen[#seen + 1] = msg
      if msg == "1" then taken[1], taken[2] = socket:receive(0), socket:receive(0) end
    end)
    local peer = peers.new()
    for i = 1, 4 do peer:send(tostring(i), port) end
    loop.wait(function() return #seen == 4 end)
    assert.are.same({ "2", "3" }, taken)
    table.sort(seen)
    assert.are.same({ "1", "2", "3", "4" }, seen)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("takes nothing while the socket is paused", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    for i = 1, 3 do peer:send(tostring(i), port) end
    assert.are.equal("1", (socket:receive(0)))
    socket:pause()
    assert.are.equal("timeout", select(2, socket:receive(0)))
    assert.are.equal("timeout", select(2, socket:receive(20)))
    assert.are.equal("timeout", select(2, socket:receiveMany()))
    socket:resume()
    assert.are.same({ "2", "3" }, (socket:receiveMany()))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("passes over what a block list refuses", function()
    local list = dgram.BlockList()
    list:addAddress "127.0.0.1"
    local socket, port = bound { type = "udp4", receiveBlockList = list }
    local peer = peers.new()
    peer:send("one", port)
    assert.are.equal("timeout", select(2, socket:receive(0)))
    assert.are.equal(1, socket:stats().blocked)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("returns the error of a peer that is gone, unless a listener takes it", function()
    local gone, port = bound "udp4"
    gone:close()
    loop.turn(3)
    local socket = new "udp4"
    socket:connectSync(port, "127.0.0.1")
    socket:send "anybody?"
    socket:flush()
    local msg, err
    repeat msg, err = socket:receive(0) until err ~= "timeout"
    assert.is_nil(msg)
    assert.are.equal("ECONNREFUSED", err.code)
    local heard
    socket:on("error", function(e) heard = e end)
    socket:send "anybody?"
    socket:flush()
    repeat
      assert.are.equal("timeout", select(2, socket:receive(0)))
      loop.turn()
    until heard
    assert.are.equal("ECONNREFUSED", heard.code)
    socket:close()
    loop.run()
  end)
end)

describe("receive outside of a coroutine", function()
  loop.guard()

  it("runs the loop meanwhile", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    local timer, ticks = uv.new_timer(), 0
    timer:start(1, 1, function()
      ticks = ticks + 1
      if ticks == 3 then peer:send("late", port) end
    end)
    assert.are.equal("late", (socket:receive()))
    assert.is_true(ticks >= 3)
    assert.are.equal("timeout", select(2, socket:receive(10)))
    timer:close()
    peer:close()
    socket:close()
    assert.are.equal("closed", select(2, socket:receive()))
    assert.are.equal("closed", select(2, socket:receive(0)))
    assert.are.equal("closed", select(2, socket:receiveMany()))
    for _ in socket:messages() do error "nothing comes" end
    loop.run()
  end)

  it("never ends before its time", function()
    local socket = bound "udp4"
    for _, milliseconds in ipairs { 1, 2.5, 10 } do
      local before = uv.hrtime()
      assert.are.equal("timeout", select(2, socket:receive(milliseconds)))
      assert.is_true((uv.hrtime() - before) / 1e6 >= milliseconds - 0.01)
    end
    socket:close()
    loop.run()
  end)

  it("raises where nothing can come", function()
    local socket = new "udp4"
    raises("ERR_INVALID_STATE", socket.receive, socket)
    assert.are.equal("timeout", select(2, socket:receive(5)))
    socket:close()
    loop.run()
  end)

  it("raises while the loop runs, unless it need not wait", function()
    local socket = bound "udp4"
    local timer = uv.new_timer()
    timer:start(0, 0, dgram.protect(loop.expect(1, function()
      raises("ERR_INVALID_STATE", socket.receive, socket)
      raises("ERR_INVALID_STATE", socket.receive, socket, 5)
      raises("ERR_INVALID_STATE", socket.receiveMany, socket, 1, 5)
      assert.are.equal("timeout", select(2, socket:receive(0)))
      timer:close()
      socket:close()
    end)))
    loop.run()
  end)

  it("lets errors of callbacks through, and loses nothing", function()
    local socket, port = bound "udp4"
    local other, other_port = bound("udp4", function() error "oops" end)
    local peer = peers.new()
    peer:send("one", port)
    peer:send("bad", other_port)
    local msg
    for _ = 1, 2 do
      local done, what = pcall(socket.receive, socket)
      if done then msg = what else assert.matches("oops", tostring(what)) end
      if msg then break end
    end
    assert.are.equal("one", msg)
    assert.are.equal("timeout", select(2, socket:receive(0)))
    pcall(loop.turn, 3)
    peer:close()
    sockets.close_all(socket, other)
    loop.run()
  end)
end)

describe("receive in a coroutine", function()
  loop.guard()

  for name, deed in pairs {
    ["takes what is there"] = function(socket) socket:receive(0) end,
    ["runs the loop"] = function(_, peer, port)
      peer:send("meanwhile", port)
      loop.turn()
    end,
    ["closes the socket"] = function(socket)
      socket:close()
      dgram.run "nowait"
    end,
  } do
    it("is served though a finalizer that " .. name .. " runs before it yields", function()
      local socket, port = bound "udp4"
      local peer, got, timer_start = peers.new(), nil, uv.timer_start
      spawn(function() socket:receive(1) end) -- from here on the call below is what luv's timer is started for
      loop.wait(function() return socket:receive(0) == nil and socket:stats().receiveCalls > 0 end)
      uv.timer_start = function(...)
        uv.timer_start = timer_start
        deed(socket, peer, port)
        return timer_start(...)
      end
      finally(function() uv.timer_start = timer_start end)
      spawn(function() got = { socket:receive(60000) } end)
      assert.are_not.equal(nil, uv.timer_start)
      if name ~= "closes the socket" then peer:send("x", port) end
      loop.wait(function() return got ~= nil end)
      local wanted = { ["takes what is there"] = "x", ["runs the loop"] = "meanwhile" }
      assert.are.equal(wanted[name], got[1])
      if not wanted[name] then assert.are.equal("closed", got[2]) end
      peer:close()
      if name ~= "closes the socket" then socket:close() end
      loop.run()
    end)
  end

  it("ends by its time-out, though the one that ended before it runs the loop", function()
    local socket = bound "udp4"
    local ended = 0
    for _ = 1, 3 do
      spawn(function()
        assert.are.equal("timeout", select(2, socket:receive(1)))
        ended = ended + 1
        for _ = 1, 3 do pcall(dgram.run, "nowait") end -- newer luv refuses
      end)
    end
    loop.wait(function() return ended == 3 end)
    socket:close()
    loop.run()
  end)

  it("serves first who came first, one datagram each", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    local order = {}
    for i = 1, 5 do
      spawn(function()
        local msg = socket:receive()
        order[#order + 1] = i .. msg
      end)
    end
    for _, letter in ipairs { "a", "b", "c", "d", "e", "f" } do peer:send(letter, port) end
    assert.are.equal("timeout", select(2, socket:receive(0)))
    loop.wait(function() return #order == 5 end)
    assert.are.same({ "1a", "2b", "3c", "4d", "5e" }, order)
    assert.are.equal("f", (socket:receive(0)))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("leaves to others what nobody asked for", function()
    local socket, port = bound { type = "udp4", gro = true }
    local sender = bound { type = "udp4" }
    local got = {}
    spawn(function() got[1] = socket:receive() end)
    for i = 1, 100 do sender:send(("%03d"):format(i), port, "127.0.0.1") end
    sender:flush()
    loop.wait(function() return got[1] end)
    loop.turn(5)
    assert.are.same({ "001" }, got)
    local handles = #loop.handles()
    spawn(function()
      for _ = 1, 49 do got[#got + 1] = socket:receive() end
    end)
    loop.wait(function() return #got == 50 end)
    assert.are.equal("051", (socket:receive(0)))
    socket:on("message", function(msg) got[#got + 1] = msg end)
    loop.wait(function() return #got == 99 end)
    assert.are.equal("100", got[99])
    assert.are.equal(handles, #loop.handles())
    sockets.close_all(socket, sender)
    loop.run()
  end)

  it("sees a datagram beside the listeners", function()
    local seen, got = {}, {}
    local socket, port = bound "udp4"
    socket:on("message", function(msg) seen[#seen + 1] = msg end)
    spawn(function()
      for _ = 1, 2 do got[#got + 1] = socket:receive() end
    end)
    socket:on("message", function(msg) seen[#seen + 1] = msg end)
    local peer = peers.new()
    for i = 1, 3 do peer:send(tostring(i), port) end
    loop.wait(function() return #seen == 6 end)
    assert.are.same({ "1", "2" }, got)
    assert.are.same({ "1", "1", "2", "2", "3", "3" }, seen)
    socket:removeAllListeners "message"
    peer:send("4", port)
    loop.turn(3)
    assert.are.equal("4", (socket:receive(0)))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("goes on waiting when somebody else resumes it", function()
    local socket, port = bound "udp4"
    local got = {}
    local co = spawn(function() got[1] = { socket:receive() } end)
    for _ = 1, 3 do assert.is_true(coroutine.resume(co, "not", "a", "datagram")) end
    assert.are.equal("suspended", coroutine.status(co))
    local peer = peers.new()
    peer:send("one", port)
    loop.wait(function() return got[1] end)
    assert.are.equal("one", got[1][1])
    peer:close()
    socket:close()
    loop.run()
  end)

  it("ends when the socket closes, in order, behind the call", function()
    local socket = bound "udp4"
    local ends = {}
    for i = 1, 100 do
      spawn(function()
        local _, why = socket:receive(i % 2 == 0 and 60000 or nil)
        ends[#ends + 1] = i .. why
      end)
    end
    socket:close()
    assert.are.equal(0, #ends)
    loop.run()
    assert.are.equal(100, #ends)
    assert.are.equal("1closed", ends[1])
    assert.are.equal("100closed", ends[100])
  end)

  it("ends when a listener, or another call, closes the socket", function()
    for _, closes in ipairs { "listener", "call" } do
      local socket, port = bound "udp4"
      local ends = {}
      if closes == "listener" then
        socket:on("message", function() socket:close() end)
      else
        spawn(function()
          socket:receive()
          socket:close()
          local _, why = socket:receive()
          ends[#ends + 1] = why
        end)
      end
      spawn(function()
        local _, why = socket:receive()
        ends[#ends + 1] = why
      end)
      local peer = peers.new()
      for _ = 1, 3 do peer:send("x", port) end
      loop.wait(function() return #ends == (closes == "listener" and 1 or 2) end)
      assert.are.equal("closed", ends[1])
      peer:close()
      loop.run()
    end
  end)

  it("ends by time-out: each at its time", function()
    local socket, port = bound "udp4"
    local ends = {}
    for i, milliseconds in ipairs { 40, 10, 20, 30, 1 } do
      spawn(function()
        local before = uv.hrtime()
        local _, why = socket:receive(milliseconds)
        assert(uv.hrtime() - before >= milliseconds * 1e6 - 1e4)
        ends[#ends + 1] = i .. why
      end)
    end
    loop.wait(function() return #ends == 5 end)
    assert.are.same({ "5timeout", "2timeout", "3timeout", "4timeout", "1timeout" }, ends)
    local peer = peers.new()
    peer:send("kept", port)
    loop.turn(3)
    assert.are.equal("kept", (socket:receive(0)))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("ends by time-out again and again", function()
    local socket = bound "udp4"
    local ends = 0
    for i = 1, 2 do
      spawn(function()
        for _ = 1, 10 do
          if select(2, socket:receive(i)) == "timeout" then ends = ends + 1 end
        end
      end)
    end
    loop.wait(function() return ends == 20 end)
    socket:close()
    loop.run()
  end)

  it("loses no datagram to a time-out that comes in the same turn", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    local sent, got, timeouts = 0, 0, 0
    spawn(function()
      while got < 50 do
        if socket:receive(1) then got = got + 1 else timeouts = timeouts + 1 end
      end
      socket:close()
    end)
    local timer = uv.new_timer()
    timer:start(1, 1, function()
      local till = uv.hrtime() + 1e6 -- the time-out is over when the loop goes on
      repeat until uv.hrtime() >= till
      sent = sent + 1
      peer:send("x", port)
      if sent == 50 then timer:close() end
    end)
    loop.run(20)
    assert.are.equal(50, got)
    peer:close()
    loop.run()
  end)

  it("waits before the socket is bound", function()
    local socket = new "udp4"
    local got, why
    spawn(function() why = select(2, socket:receive(5)) end)
    loop.wait(function() return why end)
    assert.are.equal("timeout", why)
    spawn(function() got = socket:receive(10000) end)
    socket:bind(0, "127.0.0.1")
    local peer = peers.new()
    peer:send("one", socket:address().port)
    loop.wait(function() return got end)
    assert.are.equal("one", got)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("is ended by an error that no listener takes, one call by each", function()
    local gone, port = bound "udp4"
    gone:close()
    loop.turn(3)
    local socket = new "udp4"
    socket:connectSync(port, "127.0.0.1")
    local ends = {}
    for i = 1, 2 do
      spawn(function() ends[i] = select(2, socket:receive()) end)
    end
    socket:send "anybody?"
    loop.wait(function() return ends[1] end)
    assert.are.equal("ECONNREFUSED", ends[1].code)
    assert.is_nil(ends[2])
    local heard
    socket:on("error", function(err) heard = err end)
    socket:send "anybody?"
    loop.wait(function() return heard end)
    assert.is_nil(ends[2])
    socket:close()
    loop.run()
    assert.are.equal("closed", ends[2])
  end)

  it("gets its datagram though a listener raises, whose error is told", function()
    local socket, port = bound "udp4"
    local got, errors = {}, {}
    socket:on("message", function() error "oops" end)
    spawn(function()
      for _ = 1, 2 do got[#got + 1] = socket:receive() end
    end)
    dgram.setUncaughtHandler(function(err, traceback) errors[#errors + 1] = { err, traceback } end)
    local peer = peers.new()
    for i = 1, 3 do peer:send(tostring(i), port) end
    loop.wait(function() return #errors == 3 end)
    dgram.setUncaughtHandler(nil)
    assert.are.same({ "1", "2" }, got)
    for i = 1, 3 do
      assert.matches("oops", errors[i][1])
      assert.matches("receive_calls_spec", errors[i][2])
    end
    peer:close()
    socket:close()
    loop.run()
  end)

  it("has its errors told as a listener's are, and the others go on", function()
    local socket, port = bound "udp4"
    local got, errors = {}, {}
    spawn(function()
      socket:receive()
      error "oops"
    end)
    spawn(function()
      for _ = 1, 2 do got[#got + 1] = socket:receive() end
    end)
    dgram.setUncaughtHandler(function(err, traceback) errors[#errors + 1] = { err, traceback } end)
    local peer = peers.new()
    for i = 1, 3 do peer:send(tostring(i), port) end
    loop.wait(function() return #got == 2 end)
    dgram.setUncaughtHandler(nil)
    assert.are.same({ "2", "3" }, got)
    assert.are.equal(1, #errors)
    assert.matches("oops", errors[1][1])
    assert.matches("receive_calls_spec", errors[1][2])
    spawn(function()
      socket:receive()
      error "again"
    end)
    peer:send("4", port)
    local done, err = pcall(loop.wait, function() return false end)
    assert.is_false(done)
    assert.matches("again", tostring(err))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("leaves the queue when its coroutine is closed", function()
    if not coroutine.close then return pending "this Lua has no coroutine.close" end
    local socket, port = bound "udp4"
    local co = spawn(function() socket:receive(60000) end)
    local box = setmetatable({ co }, { __mode = "v" })
    local got
    spawn(function() got = socket:receive() end)
    assert.is_true(coroutine.close(co))
    co = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_nil(box[1])
    local peer = peers.new()
    peer:send("one", port)
    loop.wait(function() return got end)
    assert.are.equal("one", got)
    co = spawn(function() socket:receive() end)
    coroutine.close(co)
    peer:send("two", port)
    loop.turn(3)
    assert.are.equal("two", (socket:receive(0)))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("forgets a coroutine that has ended", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    local box, done = setmetatable({}, { __mode = "v" }), 0
    for i = 1, 2 do
      box[i] = spawn(function()
        for _ = 1, i do socket:receive() end
        done = done + 1
      end)
      for _ = 1, i do peer:send("x", port) end
      loop.wait(function() return done == i end)
    end
    loop.turn(2)
    for _ = 1, 3 do collectgarbage() end
    assert.is_nil(box[1])
    assert.is_nil(box[2])
    peer:close()
    socket:close()
    loop.run()
  end)

  it("waits alone, then in a queue, then alone again: in order, whatever resumes it", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    local order = {}
    local function take(name, count)
      return spawn(function()
        for _ = 1, count do
          local msg = socket:receive()
          order[#order + 1] = name .. msg
        end
      end)
    end
    local first = take("a", 4)
    assert.is_true(coroutine.resume(first, {}, "no", "datagram"))
    peer:send("1", port)
    loop.wait(function() return #order == 1 end)
    local second = take("b", 1)
    assert.is_true(coroutine.resume(first))
    assert.is_true(coroutine.resume(second, 1, 2, 3))
    for i = 2, 5 do peer:send(tostring(i), port) end
    loop.wait(function() return #order == 5 end)
    assert.are.same({ "a1", "a2" }, { order[1], order[2] })
    assert.are.equal("dead", coroutine.status(first))
    assert.are.equal("dead", coroutine.status(second))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("goes past calls whose coroutine could not yield", function()
    local socket, port = bound "udp4"
    local got, failed
    spawn(function()
      failed = not pcall(string.gsub, "x", "x", function() socket:receive() end)
      coroutine.yield()
    end)
    assert.is_true(failed)
    spawn(function() got = socket:receive() end)
    local peer = peers.new()
    peer:send("one", port)
    loop.wait(function() return got end)
    assert.are.equal("one", got)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("lets its socket be collected when nobody waits any more", function()
    local box = setmetatable({}, { __mode = "v" })
    local function use()
      local socket = dgram.createSocket "udp4"
      socket:bind(0, "127.0.0.1")
      local port = socket:address().port
      local peer = peers.new()
      local done
      spawn(function()
        assert(socket:receive(1000) == "one")
        assert(select(2, socket:receive(1)) == "timeout")
        done = true
      end)
      peer:send("one", port)
      loop.wait(function() return done end)
      peer:close()
      box[1] = socket
    end
    use()
    loop.wait(function() -- a stack may hold it for a while
      collectgarbage()
      return box[1] == nil
    end)
    loop.run()
  end)

  it("keeps its socket while it waits", function()
    local got, port
    do
      local socket = new "udp4"
      socket:bind(0, "127.0.0.1")
      port = socket:address().port
      spawn(function()
        got = socket:receive()
        socket:close()
      end)
    end
    collectgarbage()
    collectgarbage()
    local peer = peers.new()
    peer:send("one", port)
    loop.wait(function() return got end)
    peer:close()
    loop.run()
  end)

  it("may wait in nested coroutines, on several sockets", function()
    local a, a_port = bound "udp4"
    local b, b_port = bound "udp4"
    local got = {}
    spawn(function()
      spawn(function()
        got[1] = b:receive()
        got[2] = a:receive()
      end)
      got[3] = a:receive()
    end)
    local peer = peers.new()
    peer:send("for b", b_port)
    loop.wait(function() return got[1] end)
    peer:send("first", a_port)
    peer:send("second", a_port)
    loop.wait(function() return got[2] and got[3] end)
    assert.are.same({ "for b", "second", "first" }, got)
    peer:close()
    sockets.close_all(a, b)
    loop.run()
  end)

  it("survives finalizers that receive, close and run the loop", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    for i = 1, 20 do peer:send(tostring(i), port) end
    local got = {}
    for round = 1, 10 do
      finalized(function()
        got[#got + 1] = socket:receive(0)
        if round == 5 then pcall(uv.run, "nowait") end
      end)
      got[#got + 1] = socket:receive(0)
      collectgarbage()
    end
    while true do
      local msg = socket:receive(0)
      if not msg then break end
      got[#got + 1] = msg
    end
    table.sort(got, function(x, y) return tonumber(x) < tonumber(y) end)
    assert.are.equal(20, #got)
    for i = 1, 20 do assert.are.equal(tostring(i), got[i]) end
    finalized(function() socket:close() end)
    peer:send("late", port)
    collectgarbage()
    collectgarbage()
    assert.are.equal("closed", select(2, socket:receive(0)))
    peer:close()
    loop.run()
  end)

  it("stays fair to timers under a flood", function()
    local socket, port = bound "udp4"
    local sender = bound "udp4"
    local got, ticks, over = 0, 0, false
    spawn(function()
      while not over do
        if socket:receive() then got = got + 1 end
        if not over then sender:send("more", port, "127.0.0.1") end
      end
    end)
    for _ = 1, 20 do sender:send("more", port, "127.0.0.1") end
    local timer = uv.new_timer()
    timer:start(1, 1, function() ticks = ticks + 1 end)
    loop.wait(function() return ticks >= 20 end)
    over = true
    assert.is_true(got > 100)
    timer:close()
    sockets.close_all(socket, sender)
    loop.run()
  end)

  it("waits ten thousand times, in little memory", function()
    local first, port = bound "udp4"
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    local ended, got = 0, 0
    for i = 1, 10000 do
      spawn(function()
        local msg, why = first:receive(i % 2 == 0 and 60000 or nil)
        if msg then got = got + 1 else assert(why == "closed") end
        ended = ended + 1
      end)
    end
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 30000)
    local peer = peers.new()
    for i = 1, 100 do peer:send(tostring(i), port) end
    loop.wait(function() return got == 100 end)
    peer:close()
    first:close()
    loop.run()
    assert.are.equal(10000, ended)
  end)
end)

describe("receive on Unix sockets", function()
  loop.guard()

  it("is the same", function()
    local path = unix.path "calls"
    local socket = new "unix_dgram"
    socket:bind(path)
    local sender = new "unix_dgram"
    local long = ("x"):rep(100000)
    local got = {}
    spawn(function()
      for _ = 1, 2 do got[#got + 1] = { socket:receive() } end
    end)
    sender:send("one", path)
    sender:send(long, path)
    sender:send("three", path)
    sender:flush()
    loop.wait(function() return #got == 2 end)
    assert.are.equal("one", got[1][1])
    assert.are.same({ "unix", 3 }, { got[1][2].family, got[1][2].size })
    assert.are.equal(long, got[2][1])
    assert.are.equal("three", (socket:receive(0)))
    sender:send("four", path)
    sender:send("five", path)
    sender:flush()
    assert.are.same({ "four", "five" }, (socket:receiveMany()))
    sockets.close_all(socket, sender)
    loop.run()
  end)
end)

describe("receiveMany", function()
  loop.guard()

  it("takes what is there, up to the limit, and shares equal rinfos", function()
    local socket, port = bound "udp4"
    local a, b = peers.new(), peers.new()
    a:send("a1", port)
    a:send("a22", port)
    b:send("b1", port)
    a:send("a3", port)
    local messages, rinfos = socket:receiveMany(3)
    assert.are.same({ "a1", "a22", "b1" }, messages)
    assert.are.equal(rinfos[1], rinfos[2])
    assert.are.equal(2, rinfos[1].size)
    assert.are.equal(b.port, rinfos[3].port)
    assert.are.equal(3, #rinfos)
    assert.are.same({ "a3" }, (socket:receiveMany()))
    a:close()
    b:close()
    socket:close()
    loop.run()
  end)

  it("waits for the first one where it may", function()
    local socket, port = bound "udp4"
    local peer = peers.new()
    assert.are.equal("timeout", select(2, socket:receiveMany(nil, 5)))
    peer:send("1", port)
    peer:send("2", port)
    assert.are.same({ "1", "2" }, (socket:receiveMany(10, 1000)))
    local got, rest, why
    spawn(function()
      got = socket:receiveMany(2, 1000)
      rest = socket:receiveMany(2, 1000)
      why = select(2, socket:receiveMany(2, math.huge))
    end)
    for i = 3, 5 do peer:send(tostring(i), port) end
    loop.wait(function() return rest end)
    assert.are.same({ "3", "4" }, got)
    assert.are.same({ "5" }, rest)
    peer:close()
    socket:close()
    loop.run()
    assert.are.equal("closed", why)
  end)

  it("takes trains apart", function()
    local socket, port = bound { type = "udp4", gro = true, recvBufferSize = 1000000 }
    local sender = bound "udp4"
    for round = 1, 3 do
      for i = 1, 130 do sender:send(("%d/%03d"):format(round, i), port, "127.0.0.1") end
      sender:flush()
      local all = {}
      repeat
        local messages = socket:receiveMany(7)
        for _, msg in ipairs(messages or {}) do all[#all + 1] = msg end
      until not messages
      assert.are.equal(130, #all)
      for i = 1, 130 do assert.are.equal(("%d/%03d"):format(round, i), all[i]) end
    end
    sockets.close_all(socket, sender)
    loop.run()
  end)

  it("is heard of by listeners, each with a rinfo of its own", function()
    local got = {}
    local socket, port = bound("udp4", function(msg, rinfo) got[#got + 1] = { msg, rinfo } end)
    local peer = peers.new()
    for i = 1, 3 do peer:send(("x"):rep(i), port) end
    assert.are.equal(3, #socket:receiveMany())
    loop.wait(function() return #got == 3 end)
    for i = 1, 3 do
      assert.are.equal(i, #got[i][1])
      assert.are.equal(i, got[i][2].size)
    end
    assert.are_not.equal(got[1][2], got[2][2])
    peer:close()
    socket:close()
    loop.run()
  end)
end)

describe("messages", function()
  loop.guard()

  it("goes on until the socket closes", function()
    if plain51 then return pending "Lua 5.1 cannot yield in the iterator of a for loop" end
    local socket, port = bound "udp4"
    local got, ended = {}, false
    spawn(function()
      for msg, rinfo in socket:messages() do
        got[#got + 1] = msg
        assert(rinfo.size == #msg)
      end
      ended = true
    end)
    local peer = peers.new()
    for _, msg in ipairs { "a", "", "c" } do peer:send(msg, port) end
    loop.wait(function() return #got == 3 end)
    assert.are.same({ "a", "", "c" }, got)
    socket:close()
    peer:close()
    loop.run()
    assert.is_true(ended)
  end)

  it("works outside of coroutines, and raises errors", function()
    local gone, gone_port = bound "udp4"
    local peer = peers.new()
    local socket, port = bound "udp4"
    gone:close()
    loop.turn(3)
    peer:send("a", port)
    local got = {}
    for msg in socket:messages() do
      got[#got + 1] = msg
      socket:close()
    end
    assert.are.same({ "a" }, got)
    peer:close()
    local client = new "udp4"
    client:connectSync(gone_port, "127.0.0.1")
    client:send "anybody?"
    raises("ECONNREFUSED", function()
      for _ in client:messages() do error "nothing comes" end
    end)
    client:close()
    loop.run()
  end)
end)

describe("wrong arguments of receiving calls", function()
  loop.guard()

  it("raise", function()
    local socket = bound "udp4"
    for _, bad in ipairs { "1", true, {}, print } do
      raises("ERR_INVALID_ARG_TYPE", socket.receive, socket, bad)
      raises("ERR_INVALID_ARG_TYPE", socket.receiveMany, socket, bad)
      raises("ERR_INVALID_ARG_TYPE", socket.receiveMany, socket, 1, bad)
    end
    for _, bad in ipairs { -1, 0 / 0, -math.huge } do
      raises("ERR_OUT_OF_RANGE", socket.receive, socket, bad)
      raises("ERR_OUT_OF_RANGE", socket.receiveMany, socket, 1, bad)
    end
    raises("ERR_INVALID_ARG_TYPE", socket.receiveMany, socket, 1.5)
    raises("ERR_OUT_OF_RANGE", socket.receiveMany, socket, 0)
    raises("ERR_INVALID_ARG_TYPE", socket.receive, {})
    raises("ERR_INVALID_ARG_TYPE", socket.messages, nil)
    assert.is_false((pcall(socket.receive, socket, 0, "surplus")))
    assert.is_false((pcall(socket.receiveMany, socket, 1, 0, "surplus")))
    assert.is_false((pcall(socket.messages, socket, "surplus")))
    socket:close()
    loop.run()
  end)
end)
