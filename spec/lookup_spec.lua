-- SPDX-License-Identifier: MIT
-- The `lookup` option: who is asked, what for, how often, and what becomes of the answers.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- A socket whose look-ups are kept in a list: each {name, options, cb}; answer them by hand.
local function asking(kind, extra)
  local asked = {}
  local options = { type = kind or "udp4", lookup = function(...)
    local name, given, cb = ...
    asked[#asked + 1] = { name = name, options = given, cb = cb, n = select("#", ...) }
  end }
  for k, v in pairs(extra or {}) do options[k] = v end
  return new(options), asked
end

describe("the lookup option", function()
  loop.guard()

  it("is asked for the name, with the family, and its answer is used", function()
    local peer = peers.new():listen()
    local socket, asked = asking()
    socket:on("error", never())
    socket:send("hello", peer.port, "some.name", expect(function(err, bytes)
      assert.same({ nil, 5 }, { err, bytes })
    end))
    loop.wait(function() return #asked == 1 end)
    assert.same({ "some.name", 3, "function" }, { asked[1].name, asked[1].n, type(asked[1].cb) })
    assert.equal(4, asked[1].options.family)
    assert.equal(1, socket:getSendQueueCount())
    asked[1].cb(nil, "127.0.0.1", 4)
    peer:wait(1)
    assert.equal("hello", peer.got[1].msg)
    peer:close()
    socket:close()
    loop.run()
    assert.equal(1, #asked)
  end)

  it("may answer at once, or without a family", function()
    local peer = peers.new():listen()
    local returned = false
    local socket = new { type = "udp4", lookup = function(_, _, cb) cb(nil, "127.0.0.1") end }
    socket:send("hello", peer.port, "some.name", expect(function(err)
      assert.is_nil(err)
      assert.is_true(returned)
    end))
    returned = true
    peer:wait(1)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("is asked for udp6 with family 6", function()
    need(pending, can.ipv6())
    local peer = peers.new("::1"):listen()
    local socket, asked = asking "udp6"
    socket:send("hello", peer.port, "some.name")
    loop.wait(function() return #asked == 1 end)
    assert.equal(6, asked[1].options.family)
    asked[1].cb(nil, "::1", 6)
    peer:wait(1)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("serves bind and connect too", function()
    local peer = peers.new():listen()
    local socket, asked = asking()
    socket:bind(0, "my.name", expect())
    loop.wait(function() return #asked == 1 end)
    assert.equal("my.name", asked[1].name)
    faults.raised({ code = "EBADF" }, socket.address, socket)
    asked[1].cb(nil, "127.0.0.2", 4)
    loop.turn()
    assert.equal("127.0.0.2", socket:address().address)
    socket:connect(peer.port, "your.name", expect(function(err) assert.is_nil(err) end))
    loop.wait(function() return #asked == 2 end)
    assert.equal("your.name", asked[2].name)
    asked[2].cb(nil, "127.0.0.1", 4)
    loop.turn()
    assert.same({ address = "127.0.0.1", family = "IPv4", port = peer.port }, socket:remoteAddress())
    socket:send "hello"
    peer:wait(1)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("is never asked about literals", function()
    local peer = peers.new():listen()
    local socket = new { type = "udp4", lookup = never() }
    socket:bind(0, "127.0.0.1")
    socket:send("one", peer.port, "127.0.0.1")
    socket:send("two", peer.port)
    socket:sendto("three", 0, 5, peer.port, "127.0.0.1")
    socket:send("x", 9, "::1", expect(function(err) assert.equal("EINVAL", err.code) end))
    peer:wait(3)
    socket:connect(peer.port, "127.0.0.1")
    socket:disconnect()
    socket:connectSync(peer.port)
    socket:addMembership("239.255.77.1", "127.0.0.1")
    loop.turn()
    peer:close()
    socket:close()
    loop.run()
  end)

  it("is asked once for all that is sent to one name meanwhile, and the order stays", function()
    local peer, other = peers.new():listen(), peers.new():listen()
    local socket, asked = asking()
    for i = 1, 30 do socket:send("number " .. i, peer.port, "some.name") end
    socket:send("to another name", other.port, "other.name")
    for i = 31, 40 do socket:send("number " .. i, peer.port, "some.name") end
    loop.wait(function() return #asked == 2 end)
    loop.turn()
    assert.same({ 2, 41 }, { #asked, socket:getSendQueueCount() })
    if asked[1].name ~= "some.name" then asked[1], asked[2] = asked[2], asked[1] end
    asked[1].cb(nil, "127.0.0.1")
    peer:wait(40)
    for i = 1, 40 do assert.equal("number " .. i, peer.got[i].msg) end
    assert.equal(1, socket:getSendQueueCount())
    asked[2].cb(nil, "127.0.0.1")
    other:wait(1)
    socket:send("after", peer.port, "some.name")
    loop.wait(function() return #asked == 3 end) -- what was answered is not kept
    asked[3].cb(nil, "127.0.0.1")
    peer:wait(41)
    peer:close()
    other:close()
    socket:close()
    loop.run()
  end)

  it("is each socket's own", function()
    local peer = peers.new():listen()
    local a, asked_a = asking()
    local b, asked_b = asking()
    a:send("from a", peer.port, "some.name")
    b:send("from b", peer.port, "some.name")
    loop.wait(function() return #asked_a == 1 and #asked_b == 1 end)
    asked_b[1].cb(nil, "127.0.0.1")
    peer:wait(1)
    assert.equal("from b", peer.got[1].msg)
    asked_a[1].cb(nil, "127.0.0.1")
    peer:wait(2)
    peer:close()
    sockets.close_all(a, b)
    loop.run()
  end)

  it("must be a function", function()
    local before = loop.descriptors()
    for _, value in ipairs { 1, "x", true, {}, io.stdout } do
      local err = faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", lookup = value })
      assert.is_truthy(err.message:find("lookup", 1, true), err.message)
    end
    assert.equal(before, loop.descriptors())
    new({ type = "udp4", lookup = nil }):close()
    loop.run()
  end)
end)

describe("a look-up that fails", function()
  loop.guard()

  -- what the callback of a look-up is given or does, and what must be told for it
  local reason = setmetatable({ code = "ESOMETHING", message = "some reason" },
    { __tostring = function() return "some reason" end })
  local bad_address = { code = "ERR_INVALID_IP_ADDRESS", name = "TypeError" }
  local failures = {
    ["an error object"] = { { reason }, reason },
    ["a string as error"] = { { "some reason" }, "some reason" },
    ["no address"] = { { nil }, bad_address },
    ["a name"] = { { nil, "another.name" }, bad_address },
    ["an empty text"] = { { nil, "" }, bad_address },
    ["a number"] = { { nil, 42 }, bad_address },
    ["a table"] = { { nil, { "127.0.0.1" } }, bad_address },
    ["text with a NUL"] = { { nil, "127.0.0.1\0" }, bad_address },
    ["an address of the wrong family"] = { { nil, "::1", 6 }, bad_address },
  }

  local function check(wanted, err)
    if wanted == bad_address then
      faults.check(err, wanted)
    else
      assert.is_true(rawequal(wanted, err), tostring(err))
    end
  end

  for what, case in pairs(failures) do
    for when, early in pairs { ["at once"] = true, later = false } do
      it(("fails what asked, once: %s, %s"):format(what, when), function()
        local asked = {}
        local function answer(cb) cb(case[1][1], case[1][2], case[1][3]) end
        local socket = new { type = "udp4", lookup = function(_, _, cb)
          if early then return answer(cb) end
          asked[#asked + 1] = cb
        end }
        local told, errors = {}, {}
        socket:on("error", function(...) errors[#errors + 1] = { ... } end)
        socket:on("listening", expect())
        local function ask(method, ...)
          socket[method](socket, ...)
          loop.turn()
          for _, cb in ipairs(asked) do answer(cb) end
          asked = {}
          loop.turn()
        end
        local function cb(...) told[#told + 1] = { ... } end

        ask("bind", 0, "some.name", never())
        assert.same({ 0, 1 }, { #told, #errors })
        check(case[2], errors[1][1])

        ask("send", "hello", 9, "some.name", cb)
        assert.same({ 1, 1 }, { #told, #errors })
        check(case[2], told[1][1])
        assert.equal(5, told[1][2])

        ask("send", "hello", 9, "some.name")
        assert.same({ 1, 2 }, { #told, #errors })
        check(case[2], errors[2][1])

        ask("connect", 9, "some.name", cb)
        assert.same({ 2, 2 }, { #told, #errors })
        check(case[2], told[2][1])

        ask("connect", 9, "some.name")
        assert.same({ 2, 3 }, { #told, #errors })
        check(case[2], errors[3][1])

        faults.raised({ code = "ERR_SOCKET_DGRAM_NOT_CONNECTED" }, socket.remoteAddress, socket)
        assert.same({ 0, 0 }, { socket:getSendQueueCount(), socket:getSendQueueSize() })
        socket:close()
        loop.run()
        assert.same({ 2, 3 }, { #told, #errors })
      end)
    end
  end

  it("with an IPv4 address fails a udp6 socket that is IPv6 only", function()
    need(pending, can.ipv6())
    local socket, asked = asking("udp6", { ipv6Only = true })
    socket:send("hello", 9, "some.name", expect(function(err) faults.check(err, bad_address) end))
    loop.wait(function() return #asked == 1 end)
    asked[1].cb(nil, "127.0.0.1", 4)
    loop.turn()
    socket:close()
    loop.run()
  end)

  it("because it raises, passes on what it raised", function()
    local thrown = { "as it is" }
    local socket = new { type = "udp4", lookup = function() error(thrown) end }
    local errors = 0
    socket:on("error", function(err)
      assert.is_true(rawequal(thrown, err))
      errors = errors + 1
    end)
    local returned = false
    local function told(err)
      assert.is_true(returned)
      assert.is_true(rawequal(thrown, err))
    end
    socket:send("hello", 9, "some.name", expect(told))
    socket:connect(9, "some.name", expect(told))
    returned = true
    loop.turn()
    socket:send("hello", 9, "some.name")
    loop.turn()
    socket:connect(9, "some.name")
    loop.turn()
    assert.equal(2, errors)
    local other = new { type = "udp4", lookup = function() error(thrown) end }
    other:on("error", expect(function(err) assert.is_true(rawequal(thrown, err)) end))
    other:bind(0, "some.name", never())
    loop.turn()
    sockets.close_all(socket, other)
    loop.run()
  end)

  it("that answers and then raises has answered", function()
    local peer = peers.new():listen()
    local socket = new { type = "udp4", lookup = function(_, _, cb)
      cb(nil, "127.0.0.1")
      error("on purpose", 0)
    end }
    dgram.setUncaughtHandler(function(err) assert.equal("on purpose", err) end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    socket:send("hello", peer.port, "some.name", expect(function(err) assert.is_nil(err) end))
    peer:wait(1)
    loop.turn()
    peer:close()
    socket:close()
    loop.run()
    assert.equal(1, #peer.got)
  end)
end)

describe("the callback of a look-up", function()
  loop.guard()

  it("counts once", function()
    local peer = peers.new():listen()
    local socket, asked = asking()
    socket:on("error", never())
    socket:send("hello", peer.port, "some.name", expect(function(err) assert.is_nil(err) end))
    loop.wait(function() return #asked == 1 end)
    asked[1].cb(nil, "127.0.0.1")
    asked[1].cb("an error")
    asked[1].cb(nil, "127.0.0.2")
    peer:wait(1)
    asked[1].cb("an error")
    asked[1].cb(nil, "nonsense")
    loop.turn()
    socket:send("again", peer.port, "some.name")
    loop.wait(function() return #asked == 2 end)
    asked[1].cb(nil, "127.0.0.9") -- the first one's is over
    loop.turn()
    assert.equal(1, socket:getSendQueueCount())
    asked[2].cb(nil, "127.0.0.1")
    peer:wait(2)
    peer:close()
    socket:close()
    loop.run()
    asked[2].cb(nil, "127.0.0.1")
    assert.equal(2, #peer.got)
  end)

  it("delivers what a closing socket had accepted", function()
    local peer = peers.new():listen()
    local socket, asked = asking()
    local closed = false
    socket:send("hello", peer.port, "some.name", expect(function(err) assert.is_nil(err) end))
    socket:close(function() closed = true end)
    loop.wait(function() return #asked == 1 end)
    loop.pass(20)
    assert.is_false(closed)
    asked[1].cb(nil, "127.0.0.1")
    peer:wait(1)
    peer:close()
    loop.run()
    assert.is_true(closed)
  end)

  it("is of no use to a bind or connect whose socket has closed", function()
    for _, method in ipairs { "bind", "connect" } do
      for _, answer in ipairs { "127.0.0.1", "nonsense" } do
        local socket, asked = asking()
        for _, event in ipairs { "error", "listening", "connect" } do socket:on(event, never()) end
        socket[method](socket, method == "bind" and 0 or 9, "some.name", never())
        loop.wait(function() return #asked == 1 end)
        socket:removeAllListeners "listening" -- connect had to bind
        socket:close(expect())
        loop.turn()
        asked[1].cb(nil, answer)
        loop.run()
        asked[1].cb "an error"
        loop.run()
      end
    end
  end)

  it("that never comes lets a state end", function()
    local process = child.lua [[
      local dgram = require "dgram"
      local s = dgram.createSocket { type = "udp4", lookup = function() end }
      s:send("hello", 9, "some.name", print)
      local t = dgram.createSocket { type = "udp4", lookup = function() end }
      t:bind(0, "some.name", print)
      for _ = 1, 3 do dgram.run "nowait" end
      t:close()
      for _ = 1, 3 do dgram.run "nowait" end
    ]]
    assert.same({ 0, 0, "", "" }, { process.status, process.signal, process.out, process.err })
  end)
end)
