-- SPDX-License-Identifier: MIT
-- bind: its forms, its failures, and binding by other methods.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- every form: what is given after the socket (a callback goes where CB stands), and the address that must come of it
local CB = {}
local forms = {
  { "()", {}, "0.0.0.0" },
  { "(cb)", { CB }, "0.0.0.0" },
  { "(port)", { 0 }, "0.0.0.0" },
  { "(port, cb)", { 0, CB }, "0.0.0.0" },
  { "(port, address)", { 0, "127.0.0.1" }, "127.0.0.1" },
  { "(port, address, cb)", { 0, "127.0.0.1", CB }, "127.0.0.1" },
  { "(port, any address)", { 0, "0.0.0.0" }, "0.0.0.0" },
  { "(port, another loopback address)", { 0, "127.0.0.2" }, "127.0.0.2" },
  { "({})", { {} }, "0.0.0.0" },
  { "({}, cb)", { {}, CB }, "0.0.0.0" },
  { "{port}", { { port = 0 } }, "0.0.0.0" },
  { "{address}", { { address = "127.0.0.1" } }, "127.0.0.1" },
  { "{port, address}", { { port = 0, address = "127.0.0.1" } }, "127.0.0.1" },
  { "({port, address}, cb)", { { port = 0, address = "127.0.0.1" }, CB }, "127.0.0.1" },
  { "{port, address, exclusive}", { { port = 0, address = "127.0.0.1", exclusive = true } }, "127.0.0.1" },
}

local unpack = table.unpack or unpack

local function with_callback(arguments, callback)
  local list = {}
  for i, value in ipairs(arguments) do list[i] = value == CB and callback or value end
  return list
end

describe("bind", function()
  loop.guard()

  for _, form in ipairs(forms) do
    it("takes " .. form[1], function()
      local socket = new "udp4"
      local returned, has_callback = false, false
      local callback = function(...)
        assert.equal(0, select("#", ...))
        assert.is_true(returned)
        has_callback = true
      end
      socket:on("listening", expect(function() assert.is_true(returned) end))
      socket:on("error", never())
      local arguments = with_callback(form[2], callback)
      assert.equal(socket, socket:bind(unpack(arguments)))
      returned = true
      local address = socket:address()
      assert.same({ address = form[3], family = "IPv4", port = address.port }, address)
      assert.is_true(address.port > 0)
      loop.turn()
      assert.equal(form[1]:find "cb" ~= nil, has_callback)
      socket:close()
      loop.run()
    end)
  end

  it("nil in front is as good as nothing", function()
    local socket = new "udp4"
    socket:bind(nil, "127.0.0.1", expect())
    assert.equal("127.0.0.1", socket:address().address)
    local other = new "udp4"
    other:bind(nil, nil, nil)
    assert.equal("0.0.0.0", other:address().address)
    loop.turn()
    sockets.close_all(socket, other)
    loop.run()
  end)

  it("takes the port that it is given", function()
    local first, port = sockets.bound "udp4"
    first:close()
    loop.run()
    for _, argument in ipairs { port, { port = port } } do
      local socket = new "udp4"
      socket:on("error", never())
      socket:bind(argument)
      assert.equal(port, socket:address().port)
      socket:close()
      loop.run()
    end
  end)

  it("binds udp6 sockets", function()
    need(pending, can.ipv6())
    for given, wanted in pairs { ["::1"] = "::1", ["::"] = "::", ["0:0:0:0:0:0:0:1"] = "::1" } do
      local socket = new "udp6"
      socket:bind(0, given, expect())
      local address = socket:address()
      assert.same({ address = wanted, family = "IPv6", port = address.port }, address)
      assert.is_true(address.port > 0)
      loop.turn()
      socket:close()
    end
    local any = new "udp6"
    any:bind()
    assert.equal("::", any:address().address)
    any:close()
    loop.run()
  end)

  it("answers with a table of its own each time", function()
    local socket, port = sockets.bound "udp4"
    local a = socket:address()
    a.port, a.address = 1, "changed"
    assert.same({ address = "127.0.0.1", family = "IPv4", port = port }, socket:address())
    socket:close()
    loop.run()
  end)

  it("looks names up first", function()
    local name, wanted = need(pending, can.resolve_localhost "inet")
    wanted = wanted or "127.0.0.1"
    local socket = new "udp4"
    socket:on("error", never())
    socket:bind(0, name, expect(function()
      assert.equal(wanted, socket:address().address)
      socket:close()
    end))
    faults.raised({ code = "EBADF", syscall = "getsockname" }, socket.address, socket)
    faults.raised({ code = "ERR_SOCKET_ALREADY_BOUND", name = "Error" }, socket.bind, socket)
    loop.run(20)
  end)

  it("looks names up for udp6 too", function()
    local name = need(pending, can.resolve_localhost "inet6")
    local socket = new "udp6"
    socket:bind(0, name, expect(function()
      assert.equal("::1", socket:address().address)
      socket:close()
    end))
    loop.run(20)
  end)

  it("sends what was sent during its look-up, from the address it then has", function()
    local name = need(pending, can.resolve_localhost "inet")
    local peer = peers.new():listen()
    local socket = new "udp4"
    socket:bind(0, name)
    socket:send("one", peer.port, "127.0.0.1", expect(function(err) assert.is_nil(err) end))
    socket:send("two", peer.port, "127.0.0.1", expect(function(err) assert.is_nil(err) end))
    peer:wait(2)
    assert.equal("one", peer.got[1].msg)
    assert.equal("two", peer.got[2].msg)
    assert.equal(socket:address().port, peer.got[1].from.port)
    peer:close()
    socket:close()
    loop.run()
  end)
end)

describe("bind's failure", function()
  loop.guard()

  local function failing(wanted, ...)
    local socket = new "udp4"
    local returned, seen = false, nil
    socket:on("listening", never())
    socket:on("error", expect(function(err)
      assert.is_true(returned)
      seen = err
    end))
    assert.equal(socket, socket:bind(...))
    returned = true
    loop.wait(function() return seen end, 20)
    faults.system(seen, wanted)
    return socket, seen
  end

  it("is an error event: a port in use", function()
    local first, port = sockets.bound "udp4"
    local socket, err = failing({ code = "EADDRINUSE", syscall = "bind", address = "127.0.0.1", port = port },
      port, "127.0.0.1", never())
    assert.equal("bind EADDRINUSE 127.0.0.1:" .. port, tostring(err))
    faults.raised({ code = "EBADF", syscall = "getsockname" }, socket.address, socket)
    sockets.close_all(first, socket)
    loop.run()
  end)

  it("an address that is not of this machine", function()
    local socket = failing({ code = "EADDRNOTAVAIL", syscall = "bind", address = "203.0.113.1" },
      0, "203.0.113.1", never())
    socket:close()
    loop.run()
  end)

  it("an IPv6 address on a udp4 socket", function()
    local socket = failing({ code = "EINVAL", syscall = "bind", address = "::1" }, { address = "::1" }, never())
    socket:close()
    loop.run()
  end)

  for _, name in ipairs { "nohost.invalid", "256.0.0.1", "not a host" } do
    it("a name that nobody knows: " .. name, function()
      local seen
      local socket = new "udp4"
      socket:on("error", expect(function(err) seen = err end))
      socket:bind(0, name, never())
      loop.wait(function() return seen end, 20)
      -- a resolver that cannot reach anybody says so
      local code = seen.code == "EAI_AGAIN" and "EAI_AGAIN" or "ENOTFOUND"
      faults.check(seen, { code = code, name = "Error", syscall = "getaddrinfo", hostname = name })
      socket:close()
      loop.run()
    end)
  end

  it("leaves the socket as it was: it can be bound again", function()
    local first, port = sockets.bound "udp4"
    local socket = new "udp4"
    local calls = 0
    socket:on("error", expect(function()
      socket:bind(0, "127.0.0.1", expect(function() calls = calls + 1 end))
      assert.is_not_equal(port, socket:address().port)
    end))
    socket:bind(port, "127.0.0.1", never())
    loop.wait(function() return calls == 1 end)
    loop.turn()
    sockets.close_all(first, socket)
    loop.run()
  end)

  it("leaves it so after a failed look-up as well", function()
    local socket = new "udp4"
    socket:on("error", expect(function()
      socket:bind(0, "127.0.0.1", expect(function() socket:close() end))
    end))
    socket:bind(0, "nohost.invalid", never())
    loop.run(20)
  end)

  it("calls nobody back once the socket is closed", function()
    local first, port = sockets.bound "udp4"
    local socket = new "udp4"
    local closed = false
    socket:on("error", function() assert.is_false(closed) end)
    socket:on("listening", never())
    socket:bind(port, "127.0.0.1", never())
    socket:close(expect(function() closed = true end))
    first:close()
    loop.run()
  end)
end)

describe("many binds in a turn", function()
  loop.guard()

  it("tell what became of each, and those that their listeners make, too", function()
    local socket, many, heard = new "udp4", 400, 0
    socket:on("error", function(err)
      assert.equal("EADDRNOTAVAIL", err.code)
      heard = heard + 1
      if heard % many == 0 and heard < 3 * many then socket:bind(0, "203.0.113.1") end
    end)
    for round = 1, 3 do
      for _ = heard + 1, round * many do socket:bind(0, "203.0.113.1") end
      loop.wait(function() return heard >= round * many end)
      loop.turn()
    end
    assert.equal(3 * many, heard)
    socket:close()
    loop.run()
  end)
end)

describe("bind twice", function()
  loop.guard()

  it("raises and changes nothing", function()
    local socket, port = sockets.bound "udp4"
    local already = { code = "ERR_SOCKET_ALREADY_BOUND", name = "Error" }
    faults.raised(already, socket.bind, socket, 0, "127.0.0.1")
    faults.raised(already, socket.bind, socket, 0, never())
    faults.raised(already, socket.bind, socket)
    assert.equal(port, socket:address().port)
    socket:on("error", never())
    socket:on("listening", expect())
    loop.turn()
    faults.raised(already, socket.bind, socket)
    socket:close()
    loop.run()
  end)
end)
