-- SPDX-License-Identifier: MIT
-- The event `message` and its rinfo; bursts, floods, pause and resume.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"
local dgram = require "dgram"

local need, expect, never = can.need, loop.expect, loop.never

-- How n datagrams come to a port: each its own, or all in one train, which the kernel may hand over in one piece.
local ways = {
  ["one by one"] = function(n, port)
    local peer = peers.new()
    for i = 1, n do peer:send(("%03d"):format(i), port) end
    peer:close()
  end,
  ["in a train"] = function(n, port)
    local sender = sockets.new "udp4"
    for i = 1, n do sender:send(("%03d"):format(i), port) end
    sender:close()
  end,
}

-- A socket to which n datagrams come, "001" to n, when the loop runs; fn(number, socket) hears them.
local function waiting(n, way, fn)
  local socket, port
  -- without being told a socket coalesces from the second train on
  local options = { type = "udp4", gro = way == "in a train" or nil }
  socket, port = sockets.bound(options, fn and function(msg) fn(tonumber(msg), socket) end)
  loop.turn() -- `listening` is through
  ways[way](n, port)
  return socket, port
end

local function numbers(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = i end
  return list
end

describe("message", function()
  loop.guard()

  for kind, family in pairs { udp4 = "IPv4", udp6 = "IPv6" } do
    it("comes with its rinfo: " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local peer = peers.new(sockets.loopback[kind])
      local socket, port = sockets.bound(kind)
      socket:on("message", expect(function(...)
        assert.equal(2, select("#", ...))
        local msg, rinfo = ...
        assert.equal("hello", msg)
        assert.same({ address = sockets.loopback[kind], family = family, port = peer.port, size = 5 }, rinfo)
        assert.equal(0, rinfo.port % 1)
        socket:close()
      end))
      peer:send("hello", port)
      loop.run()
      peer:close()
      loop.turn()
    end)
  end

  it("is byte-clean", function()
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local payloads = { table.concat(all), "\0", "\0\0\0", "\r\n", "\255\254", table.concat(all):rep(5) }
    local socket, port, got = sockets.collector "udp4"
    local peer = peers.new()
    for _, payload in ipairs(payloads) do peer:send(payload, port) end
    loop.wait(function() return #got == #payloads end)
    for i, payload in ipairs(payloads) do
      assert.is_true(got[i].msg == payload)
      assert.equal(#payload, got[i].rinfo.size)
    end
    peer:close()
    socket:close()
    loop.run()
  end)

  it("may be empty", function()
    local socket, port, got = sockets.collector "udp4"
    local peer = peers.new()
    for _, payload in ipairs { "", "a", "", "" } do peer:send(payload, port) end
    loop.wait(function() return #got == 4 end)
    assert.same({ "", "a", "", "" }, sockets.messages(got))
    assert.equal(0, got[1].rinfo.size)
    assert.equal(peer.port, got[1].rinfo.port)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("has any size up to the largest", function()
    local sizes = { 1, 63, 64, 65, 1199, 1200, 1472, 1473, 2048, 9000, 32768, 65000, 65507, 1 }
    local socket, port, got = sockets.collector "udp4"
    local peer = peers.new()
    for i, size in ipairs(sizes) do
      local payload = (string.char(64 + i) .. "."):rep(math.floor(size / 2) + 1):sub(1, size)
      peer:send(payload, port)
      loop.wait(function() return #got == i end)
      assert.is_true(got[i].msg == payload)
      assert.equal(size, got[i].rinfo.size)
    end
    peer:close()
    socket:close()
    loop.run()
  end)

  it("brings a table of its own each time", function()
    local seen = {}
    local socket = waiting(5, "in a train")
    socket:on("message", function(_, rinfo)
      assert.is_nil(rinfo.mark)
      rinfo.mark = true
      seen[#seen + 1] = rinfo
    end)
    loop.wait(function() return #seen == 5 end)
    for i = 1, 5 do
      for k = 1, i - 1 do assert.is_false(rawequal(seen[i], seen[k])) end
      seen[i].address = nil
      assert.equal("IPv4", seen[i].family)
    end
    socket:close()
    loop.run()
  end)

  it("names each sender where they alternate in one batch", function()
    local socket, port, got = sockets.collector "udp4"
    local a, b, c = peers.new(), peers.new(), peers.new "127.0.0.2"
    for _ = 1, 10 do
      for _, peer in ipairs { a, b, c, c } do peer:send(peer.address .. ":" .. peer.port, port, "127.0.0.1") end
    end
    loop.wait(function() return #got == 40 end)
    for _, datagram in ipairs(got) do
      assert.equal(datagram.msg, datagram.rinfo.address .. ":" .. datagram.rinfo.port)
    end
    for _, peer in ipairs { a, b, c } do peer:close() end
    socket:close()
    loop.run()
  end)

  it("comes in order, to each listener", function()
    local first, second = {}, {}
    local socket = waiting(100, "one by one", function(i) first[#first + 1] = i end)
    socket:on("message", function(msg) second[#second + 1] = tonumber(msg) end)
    loop.wait(function() return #second == 100 end)
    assert.same(numbers(1, 100), first)
    assert.same(numbers(1, 100), second)
    socket:close()
    loop.run()
  end)

  it("waits in the kernel until somebody listens", function()
    local socket = waiting(3, "one by one")
    loop.turn(5)
    local got = {}
    socket:on("message", function(msg) got[#got + 1] = msg end)
    loop.wait(function() return #got == 3 end)
    assert.same({ "001", "002", "003" }, got)
    socket:close()
    loop.run()
  end)

  it("goes to one socket only", function()
    local first = sockets.bound("udp4", never())
    local second, port, got = sockets.collector "udp4"
    local peer = peers.new()
    peer:send("hello", port)
    loop.wait(function() return #got == 1 end)
    loop.turn()
    peer:close()
    sockets.close_all(first, second)
    loop.run()
  end)
end)

for way in pairs(ways) do
  describe("among datagrams that come " .. way, function()
    loop.guard()

    local function raising(raise)
      local got, errors = {}, 0
      waiting(30, way, function(i, socket)
        got[#got + 1] = i
        if #got > 60 then return end -- the same one came again: that shows, but must not go on for ever
        if i == 30 then socket:close() end
        if raise(i) then error("boom " .. i, 0) end
      end)
      for _ = 1, 100 do
        local ok, err = pcall(loop.run)
        if ok then break end
        errors = errors + 1
        assert.is_truthy(tostring(err):find("boom", 1, true), tostring(err))
      end
      assert.same(numbers(1, 30), got)
      return errors
    end

    it("a listener that raises loses nothing of the rest", function()
      assert.equal(1, raising(function(i) return i == 7 end))
    end)

    it("nor does one that raises again and again", function()
      assert.is_true(raising(function(i) return i % 2 == 1 end) >= 1)
      assert.is_true(raising(function() return true end) >= 1)
    end)

    it("with a handler the loop goes on by itself", function()
      local got, errors = {}, {}
      dgram.setUncaughtHandler(function(err) errors[#errors + 1] = err end)
      finally(function() dgram.setUncaughtHandler(nil) end)
      waiting(30, way, function(i, socket)
        got[#got + 1] = i
        if #got > 60 then return end
        if i == 30 then socket:close() end
        error(i)
      end)
      loop.run()
      assert.same(numbers(1, 30), got)
      assert.equal(30, #errors)
    end)

    it("close takes effect before the next datagram", function()
      local got = {}
      waiting(30, way, function(i, socket)
        got[#got + 1] = i
        if i == 5 then socket:close(expect()) end
      end)
      loop.run()
      assert.same(numbers(1, 5), got)
    end)

    it("close and an error take effect together", function()
      local got = {}
      waiting(30, way, function(i, socket)
        got[#got + 1] = i
        if i == 5 then
          socket:close(expect())
          error("boom", 0)
        end
      end)
      assert.is_false((pcall(loop.run)))
      loop.run()
      assert.same(numbers(1, 5), got)
    end)

    it("a removed listener hears no more, and the rest waits for the next one", function()
      local first, second = {}, {}
      local socket = waiting(30, way)
      local function listener(msg)
        first[#first + 1] = tonumber(msg)
        if #first == 5 then socket:off("message", listener) end
      end
      socket:on("message", listener)
      loop.wait(function() return #first == 5 end)
      loop.turn(5)
      assert.same(numbers(1, 5), first)
      socket:on("message", function(msg) second[#second + 1] = tonumber(msg) end)
      loop.wait(function() return #second == 25 end)
      assert.same(numbers(6, 30), second)
      socket:close()
      loop.run()
    end)

    it("a socket closed while the rest waits drops it", function()
      local socket = waiting(30, way)
      socket:once("message", expect())
      loop.turn(10)
      socket:close(expect())
      loop.run()
    end)

    it("once hears one, the others all", function()
      local all = {}
      local socket = waiting(30, way)
      socket:once("message", expect(function(msg) assert.equal("001", msg) end))
      socket:on("message", function(msg) all[#all + 1] = tonumber(msg) end)
      loop.wait(function() return #all == 30 end)
      assert.same(numbers(1, 30), all)
      socket:close()
      loop.run()
    end)

    it("once alone takes one and leaves the rest", function()
      local socket = waiting(30, way)
      for i = 1, 30 do
        local got
        socket:once("message", function(msg)
          assert.is_nil(got)
          got = tonumber(msg)
        end)
        loop.wait(function() return got end)
        assert.equal(i, got)
      end
      socket:close()
      loop.run()
    end)

    it("an added listener hears from the next datagram on", function()
      local late = {}
      local socket = waiting(10, way, function(i, socket)
        if i == 4 then socket:on("message", function(msg) late[#late + 1] = tonumber(msg) end) end
      end)
      loop.wait(function() return #late == 6 end)
      assert.same(numbers(5, 10), late)
      socket:close()
      loop.run()
    end)

    it("a listener that closes another socket stops that one", function()
      local heard = 0
      local other = waiting(5, way)
      waiting(1, "one by one", function(_, socket)
        other:on("message", function() heard = heard + 1 end)
        other:close()
        socket:close()
      end)
      loop.run()
      assert.equal(0, heard)
    end)
  end)
end

describe("a flood", function()
  loop.guard()

  -- The listener sends another datagram for each that it gets: the socket is readable for ever.
  local function flood()
    local peer = peers.new()
    local state = { n = 0 }
    local socket, port
    socket, port = sockets.bound("udp4", function()
      state.n = state.n + 1
      if state.n > 20000 then
        socket:removeAllListeners "message"
        error("nothing else had a turn during 20,000 datagrams", 0)
      end
      peer:send("again", port)
    end)
    for _ = 1, 100 do peer:send("first", port) end
    state.close = function()
      socket:close()
      peer:close()
    end
    return state
  end

  it("does not starve timers", function()
    local state = flood()
    local timer, fired = uv.new_timer(), 0
    timer:start(0, 1, function()
      fired = fired + 1
      state.n = 0
    end)
    loop.wait(function() return fired >= 5 end)
    timer:close()
    state.close()
    loop.run()
  end)

  it("does not starve other sockets", function()
    local state = flood()
    local other, port, got = sockets.collector "udp4"
    local peer = peers.new()
    for i = 1, 5 do
      state.n = 0
      peer:send("hello", port)
      loop.wait(function() return #got == i end)
    end
    peer:close()
    other:close()
    state.close()
    loop.run()
  end)

  it("of sends out of send's callbacks starves neither", function()
    local socket, port, got = sockets.collector "udp4"
    local sender = sockets.new "udp4"
    local n, fired = 0, 0
    local function again(err)
      if err then error(err, 0) end
      n = n + 1
      if n > 20000 then error("nothing else had a turn during 20,000 callbacks", 0) end
      if fired < 3 or #got == 0 then sender:send("again", port, "127.0.0.1", again) end
    end
    local timer = uv.new_timer()
    timer:start(0, 1, function()
      fired = fired + 1
      n = 0
    end)
    for _ = 1, 10 do again() end
    loop.wait(function() return fired >= 3 and #got > 0 end)
    timer:close()
    sockets.close_all(socket, sender)
    loop.run()
  end)
end)

describe("receiving", function()
  loop.guard()

  it("looks for more at once only as long as that finds more", function()
    local socket, port, got = sockets.collector { type = "udp4", gro = false }
    local peer, sent, pausing = peers.new(), 0, true
    socket:on("message", function()
      if pausing and #got == sent then socket:pause() end -- so that it never looks in vain
    end)
    local function burst(n)
      for _ = 1, n do peer:send("x", port) end
      sent = sent + n
      loop.wait(function() return #got == sent end)
      socket:resume()
    end
    for _ = 1, 20 do burst(100) end
    pausing = false
    for _ = 1, 10 do burst(3) end -- time to find out that the flood is over
    local before = socket:stats().receiveCalls
    for _ = 1, 50 do burst(3) end
    local calls = socket:stats().receiveCalls - before
    assert.is_true(calls <= 80, calls .. " calls for 50 times three datagrams")
    peer:close()
    socket:close()
    loop.run()
  end)
end)
