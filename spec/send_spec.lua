-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new
local unpack = table.unpack or unpack

-- Every form for a socket that is not connected. PORT and ADDRESS stand for the peer's, CB for a callback.
local PORT, ADDRESS, CB = {}, {}, {}
local forms = {
  { "(msg, port)", { "hello", PORT }, "hello" },
  { "(msg, port, cb)", { "hello", PORT, CB }, "hello" },
  { "(msg, port, address)", { "hello", PORT, ADDRESS }, "hello" },
  { "(msg, port, address, cb)", { "hello", PORT, ADDRESS, CB }, "hello" },
  { "(msg, offset, length, port)", { "hello", 1, 3, PORT }, "ell" },
  { "(msg, offset, length, port, cb)", { "hello", 1, 3, PORT, CB }, "ell" },
  { "(msg, offset, length, port, address)", { "hello", 1, 3, PORT, ADDRESS }, "ell" },
  { "(msg, offset, length, port, address, cb)", { "hello", 1, 3, PORT, ADDRESS, CB }, "ell" },
  { "(msg, 0, all, port)", { "hello", 0, 5, PORT }, "hello" },
  { "(msg, end, 0, port)", { "hello", 5, 0, PORT }, "" },
  { "(empty, port)", { "", PORT }, "" },
  { "(empty, port, address, cb)", { "", PORT, ADDRESS, CB }, "" },
  { "(binary, port)", { "a\0b\255\r\n\0", PORT }, "a\0b\255\r\n\0" },
  { "(list, port)", { { "he", "l", "", "lo" }, PORT }, "hello" },
  { "(list, port, cb)", { { "he", "llo" }, PORT, CB }, "hello" },
  { "(list, port, address)", { { "he", "llo" }, PORT, ADDRESS }, "hello" },
  { "(list, port, address, cb)", { { "hello" }, PORT, ADDRESS, CB }, "hello" },
  { "(list of empty strings, port)", { { "", "" }, PORT }, "" },
  { "(empty list, port, cb)", { {}, PORT, CB }, "" },
}

local function arguments(form, peer, callback)
  local list = {}
  for i, value in ipairs(form[2]) do
    if value == PORT then value = peer.port elseif value == ADDRESS then value = peer.address
    elseif value == CB then value = callback end
    list[i] = value
  end
  return list
end

-- Sends by the form; checks what the peer gets and what the callback is told.
local function exchange(kind, form)
  local peer = peers.new(sockets.loopback[kind]):listen()
  local socket = new(kind)
  local returned = false
  local called = not form[1]:find "cb"
  socket:on("error", never())
  local answer = socket:send(unpack(arguments(form, peer, function(err, bytes)
    assert.is_true(returned)
    assert.is_nil(err)
    assert.equal(#form[3], bytes)
    called = true
  end)))
  returned = true
  assert.is_true(answer)
  loop.wait(function() return #peer.got == 1 and called end)
  assert.equal(form[3], peer.got[1].msg)
  assert.equal(sockets.loopback[kind], peer.got[1].from.ip)
  peer:close()
  socket:close()
  loop.run()
end

describe("send", function()
  loop.guard()

  for _, form in ipairs(forms) do
    it("takes " .. form[1], function() exchange("udp4", form) end)
    it("takes " .. form[1] .. " on udp6", function()
      need(pending, can.ipv6())
      exchange("udp6", form)
    end)
  end

  it("takes nil for an absent address and callback", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    socket:send("one", peer.port, nil, nil)
    socket:send("two", peer.port, nil, expect(function(err) assert.is_nil(err) end))
    socket:send("three", 0, 5, peer.port, nil, nil)
    peer:wait(3)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("copies the list: changing it afterwards changes nothing", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    local list = { "he", "llo" }
    socket:send(list, peer.port)
    assert.same({ "he", "llo" }, list)
    list[1], list[2], list[3] = "changed", nil, nil
    peer:wait(1)
    assert.equal("hello", peer.got[1].msg)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("binds an unbound socket within the call, and tells so", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    local returned = false
    socket:on("listening", expect(function() assert.is_true(returned) end))
    socket:send("hello", peer.port)
    returned = true
    local address = socket:address()
    assert.equal("0.0.0.0", address.address)
    assert.is_true(address.port > 0)
    faults.raised({ code = "ERR_SOCKET_ALREADY_BOUND" }, socket.bind, socket, 0)
    socket:send("again", peer.port)
    peer:wait(2)
    assert.equal(address.port, peer.got[1].from.port)
    assert.equal(address.port, peer.got[2].from.port)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("by name: looks it up, keeps the order", function()
    local name = need(pending, can.resolve_localhost "inet")
    local peer = peers.new():listen()
    local socket = new "udp4"
    local order = {}
    for i = 1, 20 do
      socket:send("number " .. i, peer.port, name, expect(function(err, bytes)
        assert.is_nil(err)
        assert.equal(#("number " .. i), bytes)
        order[#order + 1] = i
      end))
    end
    loop.wait(function() return #peer.got == 20 and #order == 20 end, 20)
    for i = 1, 20 do
      assert.equal("number " .. i, peer.got[i].msg)
      assert.equal(i, order[i])
    end
    peer:close()
    socket:close()
    loop.run()
  end)

  it("by name, on udp6", function()
    local name = need(pending, can.resolve_localhost "inet6")
    local peer = peers.new("::1"):listen()
    local socket = new "udp6"
    socket:send("hello", peer.port, name, expect(function(err) assert.is_nil(err) end))
    peer:wait(1, 20)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("to a literal does not wait for the look-up of another destination", function()
    local name = need(pending, can.resolve_localhost "inet")
    local socket = new "udp4"
    local peer = peers.new():listen()
    local order = {}
    socket:send("slow", peer.port, name, expect(function() order[#order + 1] = "name" end))
    socket:send("fast", peer.port, "127.0.0.1", expect(function() order[#order + 1] = "literal" end))
    peer:wait(2, 20)
    loop.turn()
    assert.same({ "literal", "name" }, order)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("from udp6 to an IPv4 literal, unless ipv6Only", function()
    need(pending, can.ipv6())
    local peer = peers.new("127.0.0.1"):listen()
    local socket = new "udp6"
    socket:send("hello", peer.port, "127.0.0.1", expect(function(err, bytes)
      assert.is_nil(err)
      assert.equal(5, bytes)
    end))
    peer:wait(1)
    assert.equal("127.0.0.1", peer.got[1].from.ip)
    local only = new { type = "udp6", ipv6Only = true }
    only:send("hello", peer.port, "127.0.0.1", expect(function(err) assert.is_not_nil(err) end))
    only:close()
    peer:close()
    socket:close()
    loop.run()
    assert.equal(1, #peer.got)
  end)
end)

describe("sendto", function()
  loop.guard()

  it("sends a part of a string", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    socket:sendto("hello", 1, 3, peer.port, "127.0.0.1")
    socket:sendto("hello", 0, 5, peer.port, "127.0.0.1", expect(function(err, bytes)
      assert.is_nil(err)
      assert.equal(5, bytes)
    end))
    socket:sendto("hello", 5, 0, peer.port, "127.0.0.1")
    peer:wait(3)
    assert.same({ "ell", "hello", "" }, sockets.messages(peer.got))
    peer:close()
    socket:close()
    loop.run()
  end)
end)

describe("the largest datagram", function()
  loop.guard()

  local limits = { udp4 = 65507, udp6 = 65527 }

  for kind, limit in pairs(limits) do
    it("arrives whole, one byte more fails: " .. kind, function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local socket, port, got = sockets.collector(kind)
      local address = sockets.loopback[kind]
      local payload = ("0123456789abcdef"):rep(4096):sub(1, limit)
      socket:send(payload, port, address, expect(function(err, bytes)
        assert.is_nil(err)
        assert.equal(limit, bytes)
      end))
      loop.wait(function() return #got == 1 end)
      assert.is_true(got[1].msg == payload)
      assert.equal(limit, got[1].rinfo.size)
      socket:send(payload .. "x", port, address, expect(function(err, bytes)
        faults.system(err, { code = "EMSGSIZE", syscall = "send", address = address, port = port })
        assert.equal(limit + 1, bytes)
      end))
      socket:send("still alive", port, address, expect(function(err) assert.is_nil(err) end))
      loop.wait(function() return #got == 2 end)
      assert.equal("still alive", got[2].msg)
      socket:close()
      loop.run()
    end)
  end

  it("too long without a callback is an error event", function()
    local socket, port, got = sockets.collector "udp4"
    local seen
    socket:on("error", expect(function(err) seen = err end))
    socket:send(("x"):rep(65508), port)
    socket:send("after", port)
    loop.wait(function() return seen and #got == 1 end)
    faults.system(seen, { code = "EMSGSIZE", syscall = "send", address = "127.0.0.1", port = port })
    socket:close()
    loop.run()
  end)
end)

describe("a send that fails", function()
  loop.guard()

  for _, name in ipairs { "nohost.invalid", "256.0.0.1", "not a host" } do
    it("tells the callback: the name " .. name, function()
      local socket = new "udp4"
      local seen
      socket:on("error", never())
      socket:send("hello", 9, name, expect(function(err, bytes)
        seen = err
        assert.equal(5, bytes)
      end))
      loop.wait(function() return seen end, 20)
      local code = seen.code == "EAI_AGAIN" and "EAI_AGAIN" or "ENOTFOUND"
      faults.check(seen, { code = code, syscall = "getaddrinfo", hostname = name })
      socket:close()
      loop.run()
    end)
  end

  it("tells the error event where there is no callback", function()
    local socket = new "udp4"
    local seen
    socket:on("error", expect(function(err) seen = err end))
    socket:send("hello", 9, "nohost.invalid")
    loop.wait(function() return seen end, 20)
    assert.equal("getaddrinfo", seen.syscall)
    socket:close()
    loop.run()
  end)

  it("an IPv6 literal on a udp4 socket", function()
    local socket = new "udp4"
    local seen
    socket:on("error", expect(function(err) seen = err end))
    socket:send("hello", 9, "::1", expect(function(err)
      faults.system(err, { code = "EINVAL", syscall = "send", address = "::1", port = 9 })
    end))
    socket:send("hello", 9, "::1")
    loop.wait(function() return seen end)
    faults.system(seen, { code = "EINVAL", syscall = "send", address = "::1", port = 9 })
    socket:close()
    loop.run()
  end)

  it("fails alone: its neighbours arrive", function()
    local socket, port, got = sockets.collector "udp4"
    local failures, sent = 0, 0
    local function count(err)
      if err then failures = failures + 1 else sent = sent + 1 end
    end
    for i = 1, 30 do
      local good = i % 3 ~= 0
      socket:send(good and ("number " .. i) or ("x"):rep(65508), port, "127.0.0.1", count)
    end
    loop.wait(function() return failures + sent == 30 and #got == 20 end)
    assert.equal(10, failures)
    socket:close()
    loop.run()
    local n = 0
    for i = 1, 30 do
      if i % 3 ~= 0 then
        n = n + 1
        assert.equal("number " .. i, got[n].msg)
      end
    end
  end)

  it("broadcast without leave is EACCES", function()
    local socket = new "udp4"
    local err, finished
    socket:send("hello", 9, "127.255.255.255", function(e) err, finished = e, true end)
    loop.wait(function() return finished end)
    if not err then pending "this system lets everybody broadcast" end
    faults.system(err, { code = "EACCES", syscall = "send", address = "127.255.255.255", port = 9 })
    socket:close()
    loop.run()
  end)
end)
