-- SPDX-License-Identifier: MIT
-- The callbacks of sends: one that is given again and again is held once, others in a ring; each send has its own all the same.
local loop = require "spec.support.loop"
local collector = require "spec.support.collector"
local finalized = require "spec.support.finalized"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local new = sockets.new
local unpack = table.unpack or unpack

describe("send's callbacks", function()
  loop.guard()

  local receiver, port

  before_each(function()
    receiver, port = sockets.bound { type = "udp4", recvBufferSize = 200000 }
  end)

  -- Sends one datagram for each letter, of as many bytes as its place; a letter is a function, "." none. Returns what was
  -- called with how many bytes, when all were.
  local function run(letters, each)
    local socket, calls, functions, wanted = new "udp4", {}, {}, 0
    local function callback(letter)
      functions[letter] = functions[letter] or function(err, bytes)
        assert.is_nil(err)
        calls[#calls + 1] = letter .. bytes
        if each then each(socket, calls) end
      end
      return functions[letter]
    end
    local expected = {}
    for i = 1, #letters do
      local letter = letters:sub(i, i)
      if letter == "." then
        socket:send(("x"):rep(i), port, "127.0.0.1")
      else
        wanted = wanted + 1
        expected[wanted] = letter .. i
        socket:send(("x"):rep(i), port, "127.0.0.1", callback(letter))
      end
      if i % 10 == 0 then collectgarbage() end
    end
    assert.same({}, calls)
    loop.wait(function() return #calls >= wanted end)
    socket:close()
    receiver:close()
    loop.run()
    assert.same(expected, calls)
  end

  for _, letters in ipairs { "a", "aa", "ab", "aba", "aabbaa", "a.a", ".a.", "aab..bbc.a", "abcdabcd", "aaaabaaaacaaaa",
    ("a"):rep(70), ("ab"):rep(50), ("a"):rep(63) .. "b" .. ("a"):rep(3), ("abc."):rep(40) } do
    it("come in the order of the sends: " .. (#letters > 20 and letters:sub(1, 20) .. "..." or letters), function()
      run(letters)
    end)
  end

  it("are each their own when all are new", function()
    local socket, calls = new "udp4", {}
    for i = 1, 3000 do
      socket:send("x", port, "127.0.0.1", function(err)
        assert.is_nil(err)
        calls[#calls + 1] = i
      end)
    end
    loop.wait(function() return #calls == 3000 end)
    -- the ring was large, and is not kept; the next ones find a new one
    for i = 3001, 3010 do socket:send("x", port, "127.0.0.1", function() calls[#calls + 1] = i end) end
    loop.wait(function() return #calls == 3010 end)
    for i = 1, 3010 do assert.equal(i, calls[i]) end
    sockets.close_all(socket, receiver)
    loop.run()
  end)

  it("may send with themselves, and with others, and collect what is unreachable", function()
    local socket, calls, budget = new "udp4", {}, 100
    local one, other
    local function go(name, next_one)
      calls[#calls + 1] = name
      collectgarbage()
      if budget == 0 then return end
      budget = budget - 1
      socket:send("x", port, "127.0.0.1", next_one())
    end
    one = function() go("one", function() return #calls % 3 == 0 and one or other end) end
    other = function() go("other", function() return #calls % 5 == 0 and other or one end) end
    for _ = 1, 5 do socket:send("x", port, "127.0.0.1", one) end
    loop.wait(function() return #calls >= 105 end, 60) -- a hundred collections
    sockets.close_all(socket, receiver)
    loop.run()
    assert.equal(105, #calls)
  end)

  it("are let go when nobody waits", function()
    local socket, seen = new "udp4", setmetatable({}, { __mode = "k" })
    local called = 0
    for _ = 1, 10 do
      local function callback() called = called + 1 end
      seen[callback] = true
      socket:send("x", port, "127.0.0.1", callback)
      socket:send("y", port, "127.0.0.1", callback)
    end
    loop.wait(function() return called == 20 end)
    collectgarbage()
    collectgarbage()
    assert.is_nil((next(seen)))
    sockets.close_all(socket, receiver)
    loop.run()
  end)

  it("that raise lose nobody else's", function()
    local socket, calls = new "udp4", 0
    local function bad() error("bad", 0) end
    local function good() calls = calls + 1 end
    for i = 1, 30 do socket:send("x", port, "127.0.0.1", i % 3 == 0 and bad or good) end
    local raised = 0
    for _ = 1, 40 do
      local ok = pcall(loop.wait, function() return calls == 20 end)
      if ok then break end
      raised = raised + 1
    end
    assert.is_true(raised > 0)
    sockets.close_all(socket, receiver)
    loop.run()
    assert.equal(20, calls)
  end)
end)

-- Where a list goes to, and what its callback is told of three datagrams.
local lists = {
  ["to a port"] = function()
    local receiver, port = sockets.bound("udp4", function() end)
    return "udp4", { port, "127.0.0.1" }, { nil, 3 }, function() receiver:close() end
  end,
  ["to nobody's path"] = function() return "unix_dgram", { "/nowhere/at/all" }, { "ENOENT", 0 }, function() end end,
  ["to a Unix peer"] = function()
    local receiver, path = unix.bound(function() end)
    return "unix_dgram", { path }, { nil, 3 }, function() receiver:close() end
  end,
  ["to a name"] = function()
    local receiver, port = sockets.bound("udp4", function() end)
    local lookup = function(_, _, cb) cb(nil, "127.0.0.1", 4) end
    return { type = "udp4", lookup = lookup }, { port, "name.test" }, { nil, 3 }, function() receiver:close() end
  end,
}

for where, prepare in pairs(lists) do
  describe("sendMany's callback, " .. where, function()
    loop.guard()

    it("comes once, whatever loop finalizers run meanwhile", function()
      local kind, to, wanted, done = prepare()
      local socket, calls, armed = new(kind), {}, true
      local function arm()
        finalized(function()
          pcall(dgram.run, "nowait")
          if armed then arm() end
        end)
      end
      local restore = collector(1, 400)
      arm()
      for i = 1, 400 do
        local arguments = { { "a", "b", "c" }, unpack(to) }
        arguments[#arguments + 1] = function(err, count)
          calls[i] = (calls[i] or 0) + 1
          assert.same(wanted, { err and err.code, count })
        end
        socket:sendMany(unpack(arguments))
        loop.turn(1)
      end
      armed = false
      restore()
      loop.wait(function() return #calls == 400 end, 20)
      loop.turn()
      for i = 1, 400 do assert.equal(1, calls[i]) end
      socket:close()
      done()
      loop.run()
    end)

    it("comes once, whatever finalizers send, flush, discard and close meanwhile", function()
      local kind, to, _, done = prepare()
      for round = 1, 60 do
        local socket, calls = new(kind), 0
        local acts = {
          function() socket:sendMany({ "x" }, unpack(to)) end,
          function() socket:flush() end,
          function() socket:discard() end,
          function() socket:close() end,
          function() socket:removeAllListeners() end,
        }
        socket:on("error", function() end)
        for _ = 1, 5 do finalized(function() pcall(acts[round % #acts + 1]) end) end
        local arguments = { { "a", "b", "c" }, unpack(to) }
        arguments[#arguments + 1] = function() calls = calls + 1 end
        collectgarbage "step"
        local sent = pcall(socket.sendMany, socket, unpack(arguments))
        collectgarbage()
        collectgarbage()
        loop.turn(6)
        assert.equal(sent and 1 or 0, calls, "round " .. round)
        pcall(socket.close, socket)
        loop.turn()
      end
      done()
      loop.run()
    end)
  end)
end

describe("a send inside of which a finalizer closes the socket", function()
  loop.guard()

  -- With its callback, what it sends fails, or goes, or the call raises.
  local sends = {
    ["a datagram"] = function(socket, port, cb) socket:send("x", port, "127.0.0.1", cb) end,
    ["a datagram that fails"] = function(socket, port, cb) socket:send("x", port, "::1", cb) end,
    ["a list"] = function(socket, port, cb) socket:sendMany({ "x", "y" }, port, "127.0.0.1", cb) end,
    ["an answer that fails"] = function(socket, _, cb) socket:reply("x", { address = "127.0.0.1", port = 0 }, cb) end,
  }

  --- One send, in which the collector runs as often as it can; the `which`th finalizer closes the socket. Returns in which
  -- order the callback and `close` came, and whether that finalizer ran inside of the call.
  local function round(send, which)
    local receiver, port = sockets.bound "udp4"
    local socket, log, inside, returned, count = new "udp4", {}, false, false, 0
    socket:bindSync { port = 0, address = "127.0.0.1" }
    socket:on("close", function() log[#log + 1] = "close" end)
    local function arm()
      finalized(function()
        if returned then return end
        count = count + 1
        if count == which then
          inside = true
          socket:close()
          dgram.run "nowait" -- `close` comes in the next turn now
        end
        arm()
      end)
    end
    collectgarbage()
    collectgarbage "stop"
    local restore = collector(1, 100000)
    arm()
    collectgarbage "restart"
    local sent = pcall(send, socket, port, function() log[#log + 1] = "callback" end)
    returned = true
    restore()
    pcall(socket.close, socket)
    receiver:close()
    loop.run()
    return sent and "callback close" or "close", table.concat(log, " "), inside
  end

  for what, send in pairs(sends) do
    it("calls back before close: " .. what, function()
      local reached = false
      for which = 1, 4 do
        local wanted, got, inside = round(send, which)
        assert.equal(wanted, got)
        reached = reached or inside
      end
      if not reached then pending "the collector did not come inside of the call" end
    end)
  end
end)
