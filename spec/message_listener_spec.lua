-- SPDX-License-Identifier: MIT
-- The listener of `message`: it gets an rinfo if it can see one, and a socket with nothing but such a listener keeps no
-- table of listeners.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local peers = require "spec.support.peer"
local polls = require "spec.support.polls"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

describe("a listener", function()
  loop.guard()

  -- Each way to listen: what makes a function that notes what it got.
  local ways = {
    ["one parameter"] = { 1, function(note) return function(msg) note(msg) end end },
    ["two parameters"] = { 2, function(note) return function(msg, rinfo) note(msg, rinfo) end end },
    ["three parameters"] = { 2, function(note)
      return function(msg, rinfo, more)
        assert.is_nil(more)
        note(msg, rinfo)
      end
    end },
    ["any number of parameters"] = { 2, function(note)
      return function(...)
        assert.equal(2, select("#", ...))
        note(...)
      end
    end },
    ["a message and any number of parameters"] = { 2, function(note)
      return function(msg, ...)
        assert.equal(1, select("#", ...))
        note(msg, ...)
      end
    end },
    ["no parameters"] = { 0, function(note) return function() note() end end },
    ["a function in C"] = { 2, function(note)
      return coroutine.wrap(function(...)
        note(...)
        while true do note(coroutine.yield()) end
      end)
    end },
  }

  for name, way in pairs(ways) do
    for _, train in ipairs { false, true } do
      it("with " .. name .. " gets what it can see" .. (train and ", of a train" or ""), function()
        local heard, got = 0, {}
        local socket, port = sockets.bound({ type = "udp4", gro = train or nil })
        socket:on("message", way[2](function(msg, rinfo)
          heard = heard + 1
          got[heard] = { msg = msg, rinfo = rinfo }
        end))
        local sender, sender_port = sockets.bound "udp4"
        for i = 1, 5 do sender:send(("%03d"):format(i), port, "127.0.0.1") end
        loop.wait(function() return heard == 5 end)
        for i = 1, way[1] > 0 and 5 or 0 do
          assert.equal(("%03d"):format(i), got[i].msg)
          if way[1] == 2 then
            assert.same({ address = "127.0.0.1", family = "IPv4", port = sender_port, size = 3 }, got[i].rinfo)
          else
            assert.is_nil(got[i].rinfo)
          end
        end
        local stats = socket:stats()
        assert.same({ 5, 15 }, { stats.messagesReceived, stats.bytesReceived })
        if train and stats.gro and sender:stats().gso then assert.is_true(stats.receiveCalls < 5) end
        sockets.close_all(socket, sender)
        loop.run()
      end)
    end
  end

  it("with one parameter is called at once, others by what makes the rinfo", function()
    if _VERSION == "Lua 5.1" then pending "it does not tell how many parameters a function has" end
    local calls, heard = {}, 0
    local function note(which)
      calls[which] = debug.getinfo(2, "t").istailcall and "a tail call" or "a call"
      heard = heard + 1
    end
    local socket, port = sockets.bound "udp4"
    local peer = peers.new()
    for _, listener in ipairs {
      function(_) note "one" end, function(_, _) note "two" end, function(...) note(... and "many") end,
    } do
      local before = heard
      socket:removeAllListeners "message"
      socket:on("message", listener)
      peer:send("x", port)
      loop.wait(function() return heard > before end)
    end
    assert.same({ one = "a call", two = "a tail call", many = "a tail call" }, calls)
    sockets.close_all(peer, socket)
    loop.run()
  end)

  it("with one parameter, of a Unix socket", function()
    local path, got = unix.path(), {}
    local socket = sockets.new("unix_dgram", function(msg) got[#got + 1] = msg end)
    socket:bind(path)
    local sender = sockets.new "unix_dgram"
    for i = 1, 5 do sender:send(tostring(i), path) end
    loop.wait(function() return #got == 5 end)
    assert.equal("12345", table.concat(got))
    sockets.close_all(socket, sender)
    loop.run()
  end)

  it("that takes the rinfo is told the sender, though the one before it heard another", function()
    local first, second = peers.new "127.0.0.1", peers.new "127.0.0.2"
    local socket, port = sockets.bound({ type = "udp4" })
    local heard, got = 0, {}
    local function brief(_) heard = heard + 1 end
    local function whole(_, rinfo) got[#got + 1] = rinfo.address .. " " .. rinfo.port end
    local steps = { { whole, first }, { brief, second }, { brief, second }, { whole, second }, { whole, first } }
    for _, step in ipairs(steps) do
      local before = heard + #got
      socket:removeAllListeners "message"
      socket:on("message", step[1])
      step[2]:send("x", port, "127.0.0.1")
      loop.wait(function() return heard + #got > before end)
    end
    assert.equal(2, heard)
    assert.same({ "127.0.0.1 " .. first.port, "127.0.0.2 " .. second.port, "127.0.0.1 " .. first.port }, got)
    first:close()
    second:close()
    socket:close()
    loop.run()
  end)

  it("may be replaced by one that takes more, and by one that takes less, in the midst of a batch", function()
    local socket, port = sockets.bound { type = "udp4", gro = true }
    local log, brief, whole = {}, nil, nil
    local function swap(out, new)
      socket:off("message", out)
      socket:on("message", new)
    end
    function brief(msg)
      log[#log + 1] = msg
      swap(brief, whole)
    end
    function whole(msg, rinfo)
      log[#log + 1] = msg .. rinfo.size
      swap(whole, brief)
    end
    socket:on("message", brief)
    loop.turn()
    local sender = sockets.new "udp4"
    for i = 1, 6 do sender:send("m" .. i, port, "127.0.0.1") end
    loop.wait(function() return #log == 6 end)
    assert.equal("m1 m22 m3 m42 m5 m62", table.concat(log, " "))
    local stats = socket:stats()
    if stats.gro and sender:stats().gso then assert.is_true(stats.receiveCalls < 6) end
    sockets.close_all(socket, sender)
    loop.run()
  end)

  -- A finalizer that is due runs with the first allocation after "restart": that of the next message.
  it("may be replaced between its message's making and its call", function()
    if _VERSION ~= "Lua 5.4" then pending "the collector cannot be had that precisely" end
    local out = child.lua_ok [[
      local dgram = require "dgram"
      collectgarbage "generational"
      local receiver, sender = dgram.createSocket { type = "udp4", gro = true }, dgram.createSocket "udp4"
      local log, brief, whole = {}, nil, nil
      local function hear(msg, how)
        log[#log + 1] = how .. tonumber(msg)
        if tonumber(msg) < 9 then return end
        receiver:close()
        sender:close()
      end
      local function swap_later(new)
        setmetatable({}, { __gc = function()
          receiver:removeAllListeners "message"
          receiver:on("message", new)
        end })
        collectgarbage "restart"
      end
      function brief(msg)
        collectgarbage "stop"
        hear(msg, "b")
        swap_later(whole)
      end
      function whole(msg, rinfo)
        collectgarbage "stop"
        assert(rinfo.size == 64 and rinfo.address == "127.0.0.1")
        hear(msg, "w")
        swap_later(brief)
      end
      receiver:on("message", brief)
      receiver:bind(0, "127.0.0.1", function()
        for i = 1, 9 do sender:send(("%064d"):format(i), receiver:address().port, "127.0.0.1") end
      end)
      dgram.run()
      print(table.concat(log, " "))
    ]]
    assert.equal("b1 w2 b3 w4 b5 w6 b7 w8 b9\n", out)
  end)

  -- In a process of its own, whose heap is so small that the collector is through it every few datagrams.
  it("may be replaced by a finalizer that runs while its message is made", function()
    local out = child.lua_ok [[
      local dgram, finalized = require "dgram", require "spec.support.finalized"
      require "spec.support.collector"(0, 1000)
      local receiver = dgram.createSocket { type = "udp4", gro = true }
      local sender = dgram.createSocket "udp4"
      local heard, swaps, sent, brief, whole, arm = 0, 0, 0, nil, nil, nil
      local function more()
        for _ = 1, 100 do
          sent = sent + 1
          sender:send(("%064d"):format(sent), receiver:address().port, "127.0.0.1")
        end
      end
      local function hear(msg)
        heard = heard + 1
        assert(tonumber(msg) == heard, "lost, or twice")
        if heard < 5000 then
          if heard == sent then more() end
          return
        end
        receiver:close()
        sender:close()
      end
      function brief(msg) hear(msg) end
      function whole(msg, rinfo)
        assert(rinfo.address == "127.0.0.1" and rinfo.family == "IPv4" and rinfo.size == #msg)
        hear(msg)
      end
      function arm()
        finalized(function()
          if heard == 5000 then return end
          swaps = swaps + 1
          receiver:removeAllListeners "message"
          receiver:on("message", swaps % 2 == 0 and brief or whole)
          arm()
        end)
      end
      receiver:on("message", brief)
      receiver:bind(0, "127.0.0.1", function()
        arm()
        more()
      end)
      dgram.run()
      print(heard, swaps > 10)
    ]]
    assert.equal("5000\ttrue\n", out)
  end)
end)

describe("a socket with nothing but its message listener", function()
  loop.guard()

  local function lone() end
  local function other() end

  local askers = {
    listeners = function(socket) assert.same({ lone }, socket:listeners "message") end,
    listenerCount = function(socket)
      assert.equal(1, socket:listenerCount "message")
      assert.equal(1, socket:listenerCount("message", lone))
      assert.equal(0, socket:listenerCount("message", other))
      assert.equal(0, socket:listenerCount "error")
    end,
    eventNames = function(socket) assert.same({ "message" }, socket:eventNames()) end,
    on = function(socket)
      assert.equal(socket, socket:on("message", other))
      assert.same({ lone, other }, socket:listeners "message")
    end,
    once = function(socket)
      socket:once("message", other)
      assert.same({ lone, other }, socket:listeners "message")
    end,
    prependListener = function(socket)
      socket:prependListener("message", other)
      assert.same({ other, lone }, socket:listeners "message")
    end,
    off = function(socket)
      socket:off("message", other)
      assert.same({ lone }, socket:listeners "message")
      socket:off("message", lone)
      assert.same({}, socket:listeners "message")
      assert.same({}, socket:eventNames())
    end,
    removeAllListeners = function(socket)
      socket:removeAllListeners "message"
      assert.same({}, socket:eventNames())
    end,
    ["removeAllListeners of all events"] = function(socket)
      socket:removeAllListeners()
      assert.same({}, socket:eventNames())
    end,
    ["on of another event"] = function(socket)
      socket:on("error", other)
      assert.same({ lone }, socket:listeners "message")
      assert.same({ other }, socket:listeners "error")
    end,
    emit = function(socket)
      assert.is_true(socket:emit "message")
      assert.is_false(socket:emit "listening")
      assert.same({ lone }, socket:listeners "message")
    end,
  }

  local makers = {
    ["given to createSocket"] = function() return sockets.new("udp4", lone) end,
    ["given to on"] = function() return sockets.new("udp4"):on("message", lone) end,
    ["given to addListener"] = function() return sockets.new("udp4"):addListener("message", lone) end,
    ["given back to on"] = function()
      return sockets.new("udp4"):on("message", other):off("message", other):on("message", lone)
    end,
  }

  for asker, ask in pairs(askers) do
    for maker, make in pairs(makers) do
      it("is an emitter like others: " .. asker .. ", " .. maker, function()
        local socket = make()
        ask(socket)
        socket:close()
        loop.run()
      end)
    end
  end

  it("emits by hand what it is given", function()
    local got
    local socket = sockets.new("udp4", function(...) got = { ... } end)
    assert.is_true(socket:emit("message", "by hand", 7))
    assert.same({ "by hand", 7 }, got)
    socket:close()
    loop.run()
  end)

  it("keeps no table, until something else is asked of it", function()
    local socket = sockets.bound("udp4", function() end)
    loop.turn() -- `listening` is through
    local slots = debug.getuservalue and debug.getuservalue(socket, 1) or debug.getfenv(socket)
    local function tables()
      local count = 0
      for _, value in pairs(slots) do count = count + (type(value) == "table" and 1 or 0) end
      return count
    end
    assert.equal("table", type(slots))
    assert.equal(0, tables())
    socket:on("error", function() end)
    assert.equal(1, tables())
    socket:close()
    loop.run()
  end)

  it("hears only itself: names of events may be any value", function()
    local socket = sockets.new("udp4", function() error "not this one" end)
    for _, event in ipairs { 1, true, "messages", {}, 0.5 } do assert.is_false(socket:emit(event)) end
    assert.has_error(function() socket:emit "error" end)
    socket:close()
    loop.run()
  end)

  -- Failures that luv's functions do not know: they show what a change leaves that got half the way.
  for name, case in pairs {
    ["luv's unref fails, after the poll was started"] = { "unref", function() error "no" end },
    ["poll_start fails, after it has started"] = { "poll_start", function(start, ...)
      start(...)
      error "no"
    end },
    ["poll_start listens to another event, and fails"] = { "poll_start", function(_, _, _, _, socket)
      socket:on("error", lone)
      return nil, "ENOMEM: not enough memory", "ENOMEM"
    end },
    ["poll_start ends that, and succeeds"] = { "poll_start", function(start, handle, mode, callback, socket)
      socket:removeAllListeners "message"
      return start(handle, mode, callback)
    end, "succeeds" },
  } do
    it("has none, and nothing spins, where " .. name, function()
      local socket, port = sockets.bound "udp4"
      loop.turn()
      local real, once, heard = uv[case[1]], true, 0
      local function listener() heard = heard + 1 end
      uv[case[1]] = function(...)
        if not once then return real(...) end
        once = false
        local handle, mode, callback = ...
        return case[2](real, handle, mode, callback, socket)
      end
      if case[1] == "unref" then pcall(socket.unref, socket) end
      once = true
      assert.equal(case[3] == "succeeds", (pcall(socket.on, socket, "message", listener)))
      uv[case[1]] = real
      assert.equal(0, socket:listenerCount "message")
      local peer, turns = peers.new(), loop.count_turns()
      peer:send("x", port)
      loop.pass(50)
      assert.is_true(turns() < 50)
      assert.equal(0, heard)
      socket:ref()
      socket:on("message", listener)
      loop.wait(function() return heard == 1 end)
      sockets.close_all(peer, socket)
      loop.run()
    end)
  end

  for name, prepare in pairs {
    ["that never had one"] = function() end,
    ["that has a table of them"] = function(socket) assert.equal(0, socket:listenerCount "message") end,
  } do
    it("has none where listening failed: " .. name, function()
      local socket, port = sockets.bound "udp4"
      loop.turn()
      prepare(socket)
      local heard
      local function listener(msg) heard = msg end
      polls.without(function()
        local ok, err = pcall(socket.on, socket, "message", listener)
        assert.is_false(ok)
        assert.equal("ENOMEM", err.code)
      end)
      assert.equal(0, socket:listenerCount "message")
      local peer = peers.new()
      peer:send("early", port)
      loop.turn()
      assert.is_nil(heard)
      socket:on("message", listener)
      loop.wait(function() return heard end)
      assert.equal("early", heard)
      sockets.close_all(peer, socket)
      loop.run()
    end)
  end

  it("keeps the one that it has where taking it away failed", function()
    local got = {}
    local function listener(msg) got[#got + 1] = msg end
    local socket, port = sockets.bound("udp4", listener)
    loop.turn()
    polls.without(function()
      assert.is_false((pcall(socket.off, socket, "message", listener)))
      assert.is_false((pcall(socket.removeAllListeners, socket)))
    end)
    assert.same({ listener }, socket:listeners "message")
    local peer = peers.new()
    peer:send("still here", port)
    loop.wait(function() return #got == 1 end)
    sockets.close_all(peer, socket)
    loop.run()
  end)

  it("hears the next one, of `once`, where it could not be taken away before the first", function()
    local heard, failed = {}, 0
    local socket, port = sockets.bound "udp4"
    socket:once("message", function(msg) heard[#heard + 1] = msg end)
    loop.turn()
    local peer = peers.new()
    dgram.setUncaughtHandler(function() failed = failed + 1 end)
    polls.without(function()
      peer:send("one", port)
      loop.wait(function() return failed == 1 end)
    end)
    dgram.setUncaughtHandler(nil)
    peer:send("two", port)
    loop.wait(function() return #heard == 1 end)
    assert.same({ "two" }, heard)
    assert.equal(0, socket:listenerCount "message")
    sockets.close_all(peer, socket)
    loop.run()
  end)

  it("may be paused, though luv could not be told at once: nothing spins", function()
    local got = {}
    local socket, port = sockets.bound("udp4", function(msg) got[#got + 1] = msg end)
    loop.turn()
    polls.without(function() assert.is_false((pcall(socket.pause, socket))) end)
    local peer, turns = peers.new(), loop.count_turns()
    peer:send("x", port)
    loop.pass(50)
    assert.is_true(turns() < 50)
    assert.same({}, got)
    socket:resume()
    loop.wait(function() return #got == 1 end)
    sockets.close_all(peer, socket)
    loop.run()
  end)

  it("is collected once it is closed, and its listener with it", function()
    local gone = setmetatable({}, { __mode = "v" })
    do
      local listener = function() return gone end
      local socket = dgram.createSocket("udp4", listener)
      socket:bind(0, "127.0.0.1")
      socket:close()
      gone.socket, gone.listener = socket, listener
    end
    loop.run()
    collectgarbage()
    collectgarbage()
    assert.is_nil(gone.socket)
    assert.is_nil(gone.listener)
  end)
end)
