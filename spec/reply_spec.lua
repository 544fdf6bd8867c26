-- SPDX-License-Identifier: MIT
-- reply(msg, rinfo [, cb]): whatever came off the wire, nothing raises.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local namespace = require "spec.support.namespace"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local need, expect, new = can.need, loop.expect, sockets.new

local function close(...)
  sockets.close_all(...)
  loop.run()
end

-- The code that a reply comes to, by its callback.
local function told(socket, rinfo)
  local code
  assert.is_boolean(socket:reply("answer", rinfo, function(err, bytes)
    assert.equal(6, bytes)
    code = err and err.code or "sent"
  end))
  assert.is_nil(code)
  loop.turn()
  return code
end

describe("reply", function()
  loop.guard()

  for _, kind in ipairs { "udp4", "udp6", "unix_dgram" } do
    it(("answers the sender of a message, %s"):format(kind), function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local got, answered = nil, false
      local server = new(kind)
      server:bind(kind == "unix_dgram" and unix.path() or 0, sockets.loopback[kind])
      server:on("message", function(msg, rinfo)
        assert.is_true(server:reply("to " .. msg, rinfo, function(err, bytes)
          assert.same({ nil, 8 }, { err, bytes })
          answered = true
        end))
      end)
      local client = new(kind)
      client:bind(kind == "unix_dgram" and unix.path() or 0, sockets.loopback[kind])
      client:on("message", function(msg) got = msg end)
      local at = server:address()
      if at.port then client:send("hello", at.port, at.address) else client:send("hello", at.address) end
      loop.wait(function() return got and answered end)
      assert.equal("to hello", got)
      close(server, client)
    end)
  end

  it("answers an abstract name", function()
    need(pending, unix.has_abstract())
    local server, path = unix.bound(nil, unix.abstract())
    server:on("message", function(msg, rinfo) server:reply({ "to ", msg }, rinfo) end)
    local client, _, got = unix.collector(unix.abstract())
    client:send("hello", path)
    loop.wait(function() return got[1] end)
    assert.equal("to hello", got[1].msg)
    close(server, client)
  end)

  it("answers an IPv4 sender of a dual-stack socket", function()
    need(pending, can.ipv6())
    local server = new "udp6"
    server:bind(0, "::")
    server:on("message", function(_, rinfo)
      assert.is_truthy(rinfo.address:find("127.0.0.1", 1, true))
      server:reply("answer", rinfo)
    end)
    local client, _, got = sockets.collector "udp4"
    client:send("hello", server:address().port, "127.0.0.1")
    loop.wait(function() return got[1] end)
    assert.equal("answer", got[1].msg)
    close(server, client)
  end)

  it("answers a link-local sender through its zone", function()
    need(pending, namespace.possible())
    local a, b = namespace.pair()
    local server, client = a:program(), b:program()
    local port = server:call [[
      s = new "udp6"
      s:bindSync { address = "::" }
      s:on("message", function(msg, rinfo) s:reply("to " .. msg, rinfo) end)
      return s:address().port
    ]]
    client:call(('c = new "udp6" c:bindSync() c:send("hello", %d, "%s%%dgb")'):format(port, a.ip6))
    client:wait "return #got == 1"
    assert.equal("to hello", client:call "return got[1].msg")
    server:call "s:close()"
    client:call "c:close()"
    server:stop()
    client:stop()
  end)

  it("on a socket connected to that sender is a plain send; to another one it is EISCONN", function()
    local server, port = sockets.bound("udp4", function() end)
    local client, client_port, got = sockets.collector "udp4"
    server:connect(client_port, "127.0.0.1")
    assert.equal("sent", told(server, { address = "127.0.0.1", port = client_port }))
    assert.equal("EISCONN", told(server, { address = "127.0.0.1", port = port }))
    loop.wait(function() return got[1] end)
    close(server, client)
  end)

  it("on a connected pair without names is a plain send", function()
    local pair = need(pending, uv.socketpair and uv.socketpair("dgram"), "this luv makes no socket pairs")
    local a, b, got = new "unix_dgram", new "unix_dgram", nil
    a:bind { fd = pair[1] }
    b:bind { fd = pair[2] }
    b:on("message", function(msg, rinfo)
      assert.equal("", rinfo.address)
      b:reply("to " .. msg, rinfo)
    end)
    a:on("message", function(msg) got = msg end)
    a:send "hello"
    loop.wait(function() return got end)
    assert.equal("to hello", got)
    close(a, b)
  end)

  -- Whatever a sender may be called, and whatever a program may make of it.
  local nobody = {
    udp4 = {
      { address = "127.0.0.1", port = 0 }, { address = "127.0.0.1" }, { port = 9 }, {}, { address = "", port = 9 },
      { address = "127.0.0.1", port = 65536 }, { address = "127.0.0.1", port = -1 },
      { address = "127.0.0.1", port = 1.5 },
      { address = "127.0.0.1", port = {} }, { address = {}, port = 9 }, { address = 127, port = 9 },
      { address = "127.0.0.1\0", port = 9 }, { address = true, port = true }, { address = "127.0.0.1", port = 0 / 0 },
      { address = "127.0.0.1", port = math.huge }, { "127.0.0.1", 9 },
    },
    unix_dgram = { { address = "" }, {}, { address = 5 }, { address = {} }, { address = false }, { port = 9 } },
  }
  nobody.udp6 = nobody.udp4

  for kind, list in pairs(nobody) do
    it(("to nobody is EDESTADDRREQ for the callback, or else an event: %s"):format(kind), function()
      if kind == "udp6" then need(pending, can.ipv6()) end
      local socket, events = new(kind), 0
      socket:on("error", function(err)
        faults.system(err, { code = "EDESTADDRREQ", syscall = "send" })
        events = events + 1
      end)
      for i, rinfo in ipairs(list) do
        assert.equal("EDESTADDRREQ", told(socket, rinfo), "number " .. i)
        assert.equal(i - 1, events)
        assert.is_true(socket:reply("answer", rinfo))
        loop.turn()
        assert.equal(i, events)
      end
      assert.equal(2 * #list, socket:stats().sendErrors)
      close(socket)
    end)
  end

  it("to what is no address of the family does not raise either", function()
    local socket = new "udp4"
    for _, address in ipairs { "::1", "localhost", "fe80::1%lo", "300.1.1.1", "name.invalid", "127.1", "%", "\255" } do
      local code = told(socket, { address = address, port = 9 })
      assert.is_true(code ~= "sent", address .. ": " .. tostring(code))
    end
    close(socket)
    socket = new "unix_dgram"
    assert.is_true(told(socket, { address = ("x"):rep(200) }) ~= "sent")
    assert.equal("ENOENT", told(socket, { address = "/nowhere/at/all" }))
    close(socket)
  end)

  it("to a path that goes on behind a NUL is EINVAL", function()
    local path = unix.path()
    local receiver = new "unix_dgram"
    receiver:bindSync { path = path }
    local sender = new "unix_dgram"
    sender:bindSync()
    assert.equal("EINVAL", told(sender, { address = path .. "\0other" }))
    assert.is_nil((receiver:receive(0)))
    close(receiver, sender)
  end)

  it("raises for a rinfo that is no table, a wrong message, a wrong callback, too many arguments", function()
    local socket, rinfo = new "udp4", { address = "127.0.0.1", port = 9 }
    for _, bad in ipairs { false, 1, "127.0.0.1", print } do
      faults.raised(faults.bad_type, socket.reply, socket, "x", bad)
      if bad ~= print then faults.raised(faults.bad_type, socket.reply, socket, "x", rinfo, bad) end
    end
    faults.raised(faults.bad_type, socket.reply, socket, "x")
    for _, bad in ipairs { false, {}, { {} }, print } do
      if type(bad) ~= "table" or #bad > 0 then
        faults.raised(faults.bad_type, socket.reply, socket, bad, rinfo)
      end
    end
    faults.raised(faults.bad_value, socket.reply, socket, "x", rinfo, print, 1)
    assert.equal(0, socket:getSendQueueCount())
    close(socket)
    faults.raised(faults.not_running, socket.reply, socket, "x", rinfo)
  end)

  it("of a rinfo whose reading closes the socket is told ECANCELED", function()
    local socket, code = new "udp4", nil
    local sly = setmetatable({}, { __index = function(_, key)
      pcall(socket.close, socket)
      return key == "port" and 9 or "127.0.0.1"
    end })
    socket:reply("x", sly, function(err) code = err and err.code end)
    loop.run()
    assert.equal("ECANCELED", code)
  end)

  it("to a datagram from port 0 ends no server", function()
    if uv.getuid() ~= 0 then pending "a datagram from port 0 takes a raw socket, and root" end
    local python = need(pending, can.program "python3")
    local events, got = {}, {}
    local server, port = sockets.bound "udp4"
    server:on("error", function(err) events[#events + 1] = err.code end)
    server:on("message", function(msg, rinfo)
      got[#got + 1] = { msg, rinfo.port }
      server:reply(msg, rinfo)
      server:reply(msg, rinfo, expect(function(err) assert.equal("EDESTADDRREQ", err.code) end))
    end)
    local process = child.start(python, { "-c", ([[
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
s.sendto(struct.pack("!HHHH", 0, %d, 8 + 4, 0) + b"ping", ("127.0.0.1", 0))]]):format(port) }):wait()
    if process.status ~= 0 then pending("no raw socket here: " .. process.err) end
    loop.wait(function() return #events == 1 end)
    assert.same({ { "ping", 0 } }, got)
    assert.same({ "EDESTADDRREQ" }, events)
    server:close()
    loop.run()
  end)
end)
