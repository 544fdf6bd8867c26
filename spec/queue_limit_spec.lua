-- SPDX-License-Identifier: MIT
-- sendQueueLimit: what waits is counted to the byte, bounded, and its end is told. Each datagram counts 64 bytes beside its
-- own.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

local expect, never, new = loop.expect, loop.never, sockets.new
local unpack = table.unpack or unpack

local MiB, COST = 1024 * 1024, 64

-- Three ways to make datagrams wait until told: each gives a socket, send(msg, cb), release(), and a count of arrivals.
local ways = {
  ["for a look-up"] = function(limit)
    local peer = peers.new():listen()
    uv.recv_buffer_size(peer.handle, 4 * MiB)
    local answers = {}
    local socket = new { type = "udp4", sendQueueLimit = limit, lookup = function(_, _, cb)
      answers[#answers + 1] = cb
    end }
    return {
      socket = socket, got = peer.got,
      send = function(msg, cb) return socket:send(msg, peer.port, "some.name", cb) end,
      release = function()
        loop.turn() -- whatever is to be asked has been
        local list = answers
        answers = {}
        for _, cb in ipairs(list) do cb(nil, "127.0.0.1") end
      end,
      done = function() peer:close() end,
    }
  end,
  ["for a reader"] = function(limit)
    local reader, path = unix.bound()
    -- its queue is full before anything is counted
    local filler = new "unix_dgram"
    filler:on("error", function() end) -- what is left of it when the reader goes
    unix.fill(filler, path)
    local got = {}
    local socket = new { type = "unix_dgram", sendQueueLimit = limit }
    return {
      socket = socket, got = got,
      send = function(msg, cb) return socket:send(msg, path, cb) end,
      release = function()
        if reader:listenerCount "message" > 0 then return end
        reader:on("message", function(msg)
          if not msg:find "^number" then got[#got + 1] = { msg = msg } end
        end)
      end,
      done = function() sockets.close_all(reader, filler) end,
    }
  end,
}

for way, make in pairs(ways) do
  describe("what waits " .. way, function()
    loop.guard()

    it("is counted to the byte at every moment", function()
      local w = make()
      local socket = w.socket
      local function check(count, size)
        assert.same({ count, size }, { socket:getSendQueueCount(), socket:getSendQueueSize() })
      end
      check(0, 0)
      local count, size, called = 0, 0, 0
      for i = 0, 60 do
        local length = i * 13 % 47
        assert.is_true(w.send(("x"):rep(length), function(err, bytes)
          assert.same({ nil, length }, { err, bytes })
          called = called + 1
        end))
        count, size = count + 1, size + length
        check(count, size)
      end
      assert.is_true(w.send({ "a", "", "bc" }))
      check(count + 1, size + 3)
      loop.turn()
      check(count + 1, size + 3)
      pcall(socket.send, socket, {}, {}, {})
      check(count + 1, size + 3)
      w.release()
      loop.wait(function() return #w.got == 62 and called == 61 end, 20)
      check(0, 0)
      w.done()
      socket:close()
      loop.run()
      check(0, 0)
    end)

    it("makes send answer false above the half, and tells by drain when it is gone", function()
      local w = make(10 * (100 + COST))
      local socket = w.socket
      local drained = 0
      socket:on("drain", function(...)
        assert.equal(0, select("#", ...))
        assert.same({ 0, 0 }, { socket:getSendQueueCount(), socket:getSendQueueSize() })
        drained = drained + 1
      end)
      local hundred = ("x"):rep(100)
      for _ = 1, 5 do assert.is_true(w.send(hundred)) end
      assert.is_false(w.send "x") -- above the half
      assert.is_false(w.send "")
      for _ = 1, 4 do assert.is_false(w.send(hundred)) end
      assert.equal(901, socket:getSendQueueSize())
      loop.turn()
      assert.equal(0, drained)
      w.release()
      loop.wait(function() return drained > 0 end, 20)
      loop.wait(function() return #w.got == 11 end, 20)
      loop.turn(5)
      assert.equal(1, drained)
      w.send "below the mark"
      w.release()
      loop.wait(function() return #w.got == 12 end, 20)
      loop.turn(5)
      assert.equal(1, drained)
      w.done()
      socket:close()
      loop.run()
      assert.equal(1, drained)
    end)

    it("fails what would be too much, and nothing else", function()
      local w = make(2 * (500 + COST))
      local socket = w.socket
      local errors, calls, returned = {}, 0, false
      socket:on("error", function(err) errors[#errors + 1] = err end)
      local half = ("x"):rep(500)
      assert.is_true(w.send(half))
      assert.is_false(w.send(half)) -- the limit itself is in order
      assert.equal(1000, socket:getSendQueueSize())
      assert.is_false(w.send("y", function(err, bytes)
        assert.is_true(returned)
        calls = calls + 1
        faults.system(err, { code = "ENOBUFS", syscall = "send" })
        assert.equal(1, bytes)
      end))
      assert.is_false(w.send "z")
      returned = true
      assert.same({ 2, 1000 }, { socket:getSendQueueCount(), socket:getSendQueueSize() })
      loop.wait(function() return calls == 1 and #errors == 1 end)
      faults.system(errors[1], { code = "ENOBUFS", syscall = "send" })
      local drained = false
      socket:on("drain", expect(function() drained = true end))
      w.release()
      loop.wait(function() return drained and #w.got == 2 end, 20)
      assert.is_true(w.got[1].msg == half and w.got[2].msg == half)
      w.send "again"
      w.release()
      loop.wait(function() return #w.got == 3 end, 20)
      w.done()
      socket:close()
      loop.run()
      assert.same({ 1, 1 }, { calls, #errors })
    end)

    it("is 16 MiB where nothing else was said", function()
      local w = make()
      local big = ("x"):rep(64000)
      local failed, sent, n = 0, 0, 0
      local function told(err)
        if not err then
          sent = sent + 1
        elseif err.code == "ENOBUFS" then
          failed = failed + 1
        end
      end
      while w.socket:getSendQueueSize() + #big + (n + 1) * COST <= 16 * MiB do
        w.send(big, told)
        n = n + 1
        assert.is_true(n < 1000)
      end
      assert.equal(math.floor(16 * MiB / (#big + COST)), n)
      w.send(big, told)
      loop.wait(function() return failed == 1 end)
      assert.equal(n * #big, w.socket:getSendQueueSize())
      w.socket:close()
      w.release()
      w.done() -- nobody needs to hear all that
      loop.run(20)
      assert.is_true(sent <= n)
    end)
  end)
end

describe("the send queue", function()
  loop.guard()

  it("fails a datagram that is larger than the limit by itself, and drains at once", function()
    local peer = peers.new():listen()
    local socket = new { type = "udp4", sendQueueLimit = 10 }
    socket:on("drain", expect())
    assert.is_false(socket:send("eleven byte", peer.port, "127.0.0.1", expect(function(err, bytes)
      faults.system(err, { code = "ENOBUFS", syscall = "send", address = "127.0.0.1", port = peer.port })
      assert.equal(11, bytes)
    end)))
    assert.equal(0, socket:getSendQueueCount())
    loop.turn()
    assert.is_true(socket:send("small", peer.port))
    peer:wait(1)
    peer:close()
    socket:close()
    loop.run()
    assert.equal("small", peer.got[1].msg)
  end)

  it("takes what fits into the limit by itself, to the byte", function()
    local reader, path = unix.bound(function() end)
    local socket, told = new { type = "unix_dgram", sendQueueLimit = 1000 }, {}
    socket:send(("x"):rep(1000), path, function(err) told[1] = err and err.code or "sent" end)
    socket:send(("x"):rep(1001), path, function(err) told[2] = err and err.code or "sent" end)
    loop.wait(function() return told[1] and told[2] end)
    assert.same({ "sent", "ENOBUFS" }, told)
    sockets.close_all(socket, reader)
    loop.run()
  end)

  -- Each way that datagrams wait: how many empty ones a limit of 6,400 bytes lets wait.
  local waits = {
    ["for a Unix peer"] = function()
      local reader, path = unix.bound()
      local filler = new "unix_dgram"
      unix.fill(filler, path)
      filler:discard()
      return "unix_dgram", { path }, function() sockets.close_all(filler, reader) end
    end,
    ["for a connected Unix peer"] = function(options)
      local reader, path = unix.bound()
      local filler = new "unix_dgram"
      unix.fill(filler, path)
      filler:discard()
      options.path = path
      return "unix_dgram", {}, function() sockets.close_all(filler, reader) end
    end,
    ["for a look-up"] = function(options)
      options.lookup = function() end
      return "udp4", { 9, "some.name" }, function() end
    end,
    ["for a bind"] = function(options)
      options.lookup = function() end
      options.bind = "some.name"
      return "udp4", { 9, "127.0.0.1" }, function() end
    end,
  }

  for what, prepare in pairs(waits) do
    for how, list in pairs { ["by send"] = false, ["by sendMany"] = true } do
      it(("bounds empty datagrams that wait %s, %s"):format(what, how), function()
        local options = {}
        local kind, to, done = prepare(options)
        local socket = new { type = kind, sendQueueLimit = 6400, lookup = options.lookup }
        local errors = 0
        socket:on("error", function(err)
          faults.system(err, { code = "ENOBUFS", syscall = "send" })
          errors = errors + 1
        end)
        if options.path then socket:connect(options.path) end
        if options.bind then socket:bind(0, options.bind) end
        for _ = 1, 300 do
          if list then socket:sendMany({ "" }, unpack(to)) else socket:send("", unpack(to)) end
        end
        loop.wait(function() return errors >= 200 end)
        assert.same({ 100, 0, 200 }, { socket:getSendQueueCount(), socket:getSendQueueSize(), errors })
        assert.equal(100, socket:discard())
        socket:close()
        done()
        loop.run()
      end)
    end
  end

  it("is drained once, also where a listener sends again", function()
    local peer = peers.new():listen()
    local socket = new { type = "udp4", sendQueueLimit = 100 }
    local rounds = 0
    socket:on("drain", function()
      rounds = rounds + 1
      if rounds < 5 then assert.is_false(socket:send(("x"):rep(60), peer.port)) end
    end)
    assert.is_true(socket:send("goes at once", peer.port))
    assert.is_false(socket:send(("x"):rep(60), peer.port))
    assert.equal(0, rounds)
    peer:wait(6)
    loop.turn(5)
    assert.equal(5, rounds)
    peer:close()
    socket:close()
    loop.run()
    assert.equal(5, rounds)
  end)

  it("is drained once, however many batches went, and when nothing waits", function()
    local peer = peers.new():listen()
    local socket = new { type = "udp4", sendQueueLimit = 8000 }
    local drains, refused = 0, false
    socket:on("drain", function()
      drains = drains + 1
      assert.equal(0, socket:getSendQueueCount())
      for _ = 1, 10 do socket:send("more", peer.port) end
    end)
    for _ = 1, 1280 do refused = not socket:send(("x"):rep(56), peer.port) or refused end
    assert.is_true(refused)
    loop.turn(10)
    assert.equal(1, drains)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("is not drained after sendMany that returned true", function()
    local peer = peers.new()
    local socket, list = new { type = "udp4", sendQueueLimit = 16000 }, {}
    socket:on("drain", never())
    for i = 1, 256 do list[i] = ("x"):rep(56) end
    for _, count in ipairs { 1, 64, 128, 190, 256 } do
      if not socket:sendMany({ unpack(list, 1, count) }, peer.port) then error("false after " .. count, 0) end
      socket:flush()
      loop.turn(3)
    end
    peer:close()
    socket:close()
    loop.run()
  end)

  it("refuses nothing that the kernel would take", function()
    local peer = peers.new()
    local socket, list = new { type = "udp4", sendQueueLimit = 4000 }, {}
    for i = 1, 3000 do list[i] = ("x"):rep(56) end
    socket:on("error", function(err) error(err, 0) end)
    socket:sendMany(list, peer.port)
    for _ = 1, 3000 do socket:send(list[1], peer.port) end
    socket:flush()
    assert.same({ 6000, 0 }, { socket:stats().messagesSent, socket:stats().sendErrors })
    peer:close()
    socket:close()
    loop.run()
  end)

  it("counts what it refuses, with a callback and without", function()
    local socket = new { type = "udp4", sendQueueLimit = 10 }
    local events = 0
    socket:on("error", function() events = events + 1 end)
    socket:send("eleven byte", 9, "127.0.0.1")
    socket:send("eleven byte", 9, "127.0.0.1", function() end)
    socket:sendMany({ "eleven byte", "eleven byte" }, 9, "127.0.0.1")
    socket:sendMany({ "eleven byte", "eleven byte" }, 9, "127.0.0.1", function() end)
    socket:sendMany({ "eleven byte", "eleven byte" }, 9, "localhost")
    loop.turn(3)
    assert.same({ 8, 4 }, { socket:stats().sendErrors, events })
    socket:close()
    loop.run()
  end)

  it("has a limit that is a positive whole number of bytes", function()
    local before = loop.descriptors()
    for _, value in ipairs { "x", true, {}, print, "1000" } do
      local err = faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", sendQueueLimit = value })
      assert.is_truthy(err.message:find("sendQueueLimit", 1, true), err.message)
    end
    for _, value in ipairs { 0, -1, 1.5, 0 / 0, 1 / 0, -1 / 0 } do
      local err = faults.raised(faults.out_of_range, dgram.createSocket, { type = "udp4", sendQueueLimit = value })
      assert.is_truthy(err.message:find("sendQueueLimit", 1, true), err.message)
    end
    assert.equal(before, loop.descriptors())
    for _, value in ipairs { 1, 1000, 2147483648, 1099511627776 } do
      local socket = new { type = "udp4", sendQueueLimit = value }
      assert.is_true(socket:send("", 9))
      socket:close()
    end
    loop.run()
  end)
end)

describe("a million sends in one tick", function()
  loop.guard()

  local function run(code)
    local status = io.open "/proc/self/status"
    local text = status and status:read "*a" or ""
    if status then status:close() end
    if not text:find "VmHWM" then pending "the system does not tell a process' memory" end
    if (os.getenv "LD_PRELOAD" or ""):find "asan" then pending "a sanitizer's own memory is in the way" end
    local out = child.lua_ok([[
      local dgram = require "dgram"
      local receiver, sender = dgram.createSocket "udp4", dgram.createSocket "udp4"
      local address = receiver:bindSync { address = "127.0.0.1" }
      local port, msg = address.port, ("x"):rep(100)
      local told = 0
      %s
      print("waiting", sender:getSendQueueCount(), sender:getSendQueueSize())
      sender:close()
      receiver:close()
      dgram.run()
      print("told", told)
      for line in io.lines "/proc/self/status" do
        local peak = line:match "^VmHWM:%%s*(%%d+) kB"
        if peak then print("peak", peak) end
      end
    ]], code)
    local waiting = tonumber(out:match "waiting\t(%d+)")
    assert.is_true(waiting < 100000, out)
    local peak = tonumber(out:match "peak\t(%d+)")
    assert.is_true(peak < 64 * 1024, peak .. " kB")
    return tonumber(out:match "told\t(%d+)")
  end

  it("stays below 64 MiB", function()
    run [[for _ = 1, 1000000 do sender:send(msg, port) end]]
  end)

  it("stays below 64 MiB with a callback", function()
    assert.equal(1000000, run [[
      local function cb(err) if not err then told = told + 1 end end
      for _ = 1, 1000000 do sender:send(msg, port, "127.0.0.1", cb) end
    ]])
  end)

  it("stays below 64 MiB when connected", function()
    run [[
      sender:connectSync(port)
      for _ = 1, 1000000 do sender:send(msg) end
    ]]
  end)
end)
