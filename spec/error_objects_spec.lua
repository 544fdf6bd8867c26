-- SPDX-License-Identifier: MIT
-- Error objects: their fields, their text, and errors that no listener takes.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local uv = require "luv"
local dgram = require "dgram"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- A socket whose bind has failed; its error comes with the next turn of the loop.
local function failing()
  local first, port = sockets.bound "udp4"
  local second = new "udp4"
  second:bind(port, "127.0.0.1")
  return second, port, first
end

-- A connected socket, the error of what it has sent to a port that nobody has, and that port.
local function refused()
  local socket, seen = new "udp4", nil
  local free, port = sockets.bound "udp4"
  free:close()
  loop.run()
  socket:on("error", function(err) seen = err end)
  socket:connect(port, "127.0.0.1", function() socket:send "x" end)
  loop.wait(function() return seen end)
  return socket, seen, port
end

describe("error objects", function()
  loop.guard()

  it("of arguments have name, code and message", function()
    local socket = new "udp4"
    local cases = {
      { "TypeError", "ERR_SOCKET_BAD_TYPE", dgram.createSocket, "tcp" },
      { "TypeError", "ERR_INVALID_ARG_TYPE", socket.setBroadcast, socket, "yes" },
      { "TypeError", "ERR_INVALID_ARG_VALUE", dgram.createSocket, { type = "udp4", colour = "red" } },
      { "RangeError", "ERR_SOCKET_BAD_PORT", socket.send, socket, "x", 65536 },
      { "RangeError", "ERR_OUT_OF_RANGE", socket.setTTL, socket, 256 },
      { "RangeError", "ERR_BUFFER_OUT_OF_BOUNDS", socket.send, socket, "x", 0, 2, 9, "127.0.0.1" },
      { "TypeError", "ERR_MISSING_ARGS", socket.addMembership, socket },
    }
    for _, case in ipairs(cases) do
      local want = { name = case[1], code = case[2] }
      local err = faults.raised(want, (table.unpack or unpack)(case, 3, 9))
      assert.is_nil(err.errno)
      assert.is_nil(err.syscall)
    end
    socket:close()
    loop.run()
  end)

  it("of state have name Error", function()
    local socket = new "udp4"
    socket:close()
    loop.run()
    faults.raised(faults.not_running, socket.address, socket)
  end)

  it("read as where, what and which code", function()
    local socket = new "udp4"
    local ok, err = pcall(function()
      socket:setTTL(256)
    end)
    assert.is_false(ok)
    local line = debug.getinfo(1, "l").currentline - 3
    assert.equal(("error_objects_spec.lua:%d: %s (ERR_OUT_OF_RANGE)"):format(line, err.message),
      tostring(err):match "[^/\\]*$")
    socket:close()
    loop.run()
  end)

  it("name an unknown option, and those that there are", function()
    local err = faults.raised(faults.bad_value, dgram.createSocket, { type = "udp4", colour = "red" })
    assert.is_truthy(err.message:find("colour", 1, true))
    assert.is_truthy(err.message:find "recvBufferSize, .*reuseAddr, ")
    local socket = new "udp4"
    err = faults.raised(faults.bad_value, socket.bind, socket, { prot = 5 })
    local want = 'option "prot" for bind; there are: address, exclusive, fd, mode, path, port'
    assert.is_truthy(err.message:find(want, 1, true))
    socket:close()
    loop.run()
  end)

  it("of the system have errno, syscall, address and port", function()
    local socket, port, first = failing()
    local seen
    socket:on("error", expect(function(...)
      assert.equal(1, select("#", ...))
      seen = ...
    end))
    loop.turn()
    faults.system(seen, { code = "EADDRINUSE", name = "Error", syscall = "bind", address = "127.0.0.1", port = port })
    assert.equal("bind EADDRINUSE 127.0.0.1:" .. port, tostring(seen))
    assert.equal(tostring(seen), seen.message)
    sockets.close_all(first, socket)
    loop.run()
  end)

  it("carry libuv's number", function()
    -- luv shows the numbers of its errors nowhere; this one is Linux's
    if uv.os_uname().sysname ~= "Linux" then pending "the number of EADDRINUSE is known for Linux only" end
    local socket, _, first = failing()
    socket:on("error", expect(function(err)
      assert.equal(-98, err.errno)
    end))
    loop.turn()
    sockets.close_all(first, socket)
    loop.run()
  end)

  it("of a synchronous call name the call", function()
    local socket = new "udp4"
    faults.raised({ code = "EBADF", syscall = "getsockname", name = "Error" }, socket.address, socket)
    socket:close()
    loop.run()
  end)

  it("can be raised again and asked for their fields", function()
    local socket = new "udp4"
    local ok, err = pcall(function()
      local _, first = pcall(socket.setTTL, socket, 0)
      error(first, 0)
    end)
    assert.is_false(ok)
    assert.equal("ERR_OUT_OF_RANGE", err.code)
    assert.is_nil(err.no_such_field)
    socket:close()
    loop.run()
  end)
end)

describe("a message of the system's errors", function()
  loop.guard()

  local function raised(socket, method, ...)
    local ok, err = pcall(socket[method], socket, ...)
    assert.is_false(ok, method)
    return err
  end

  -- Closes them all and checks that each text is what the error says.
  local function check(cases, ...)
    for _, case in ipairs(cases) do
      assert.equal(case[2], tostring(case[1]))
      assert.equal(case[2], case[1].message)
    end
    sockets.close_all(...)
    loop.run()
  end

  local function failed_send(socket, ...)
    local seen
    local arguments = { ... }
    arguments[#arguments + 1] = function(err) seen = err end
    socket:send((table.unpack or unpack)(arguments))
    loop.wait(function() return seen end)
    return seen
  end

  it("says that a socket is not bound yet", function()
    local socket = new "udp4"
    check({ { raised(socket, "address"), "getsockname EBADF: the socket is not bound yet" } }, socket)
  end)

  it("says whose address is of the wrong family, and puts IPv6 into brackets", function()
    need(pending, can.ipv6())
    local four, six = new "udp4", new { type = "udp6", ipv6Only = true }
    local bound, port = sockets.bound "udp6"
    local other = new "udp6"
    check({
      { failed_send(four, "x", 9, "::1"), "send EINVAL [::1]:9: an IPv6 address on a udp4 socket" },
      { failed_send(six, "x", 9, "127.0.0.1"), "send EINVAL 127.0.0.1:9: an IPv4 address on an ipv6Only socket" },
      { failed_send(six, "x", 9, "::ffff:127.0.0.1"),
        "send ENETUNREACH [::ffff:127.0.0.1]:9: an IPv4 address on an ipv6Only socket" },
      { failed_send(bound, "x", 9, "127.0.0.1"),
        "send ENETUNREACH [::ffff:127.0.0.1]:9: the socket is bound to an address of the other family" },
      { raised(new "udp4", "bindSync", { address = "::1", port = 9 }),
        "bind EINVAL [::1]:9: an IPv6 address on a udp4 socket" },
      { raised(new { type = "udp6", ipv6Only = true }, "bindSync", { address = "127.0.0.1" }),
        "bind EINVAL 127.0.0.1: an IPv4 address on an ipv6Only socket" },
      { raised(four, "connectSync", 9, "::1"), "connect EINVAL [::1]:9: an IPv6 address on a udp4 socket" },
      { raised(six, "connectSync", 9, "127.0.0.1"),
        "connect EINVAL 127.0.0.1:9: an IPv4 address on an ipv6Only socket" },
      { raised(other, "bindSync", { address = "::1", port = port }), ("bind EADDRINUSE [::1]:%d"):format(port) },
      { raised(other, "bindSync", { address = "fe80::1", port = 9 }),
        "bind EINVAL [fe80::1]:9: a link-local address needs its interface, as in fe80::1%eth0" },
      { raised(other, "bindSync", { address = "fe80::1%nosuch0", port = 9 }),
        "bind ENODEV [fe80::1%nosuch0]:9: there is no such interface" },
    }, four, six, bound, other)
  end)

  it("says what a broadcast, a length, an address and a path are refused for", function()
    local socket, queue, file = new "udp4", new { type = "udp4", sendQueueLimit = 10 }, new "unix_dgram"
    local lo = sockets.bound "udp4"
    local path = "/" .. ("x"):rep(200)
    check({
      { failed_send(socket, "x", 9, "255.255.255.255"),
        "send EACCES 255.255.255.255:9: broadcasts need setBroadcast(true)" },
      { failed_send(socket, ("x"):rep(65508), 9, "127.0.0.1"),
        "send EMSGSIZE 127.0.0.1:9: 65508 bytes, where a datagram over IPv4 has at most 65507" },
      { failed_send(queue, ("x"):rep(11), 9, "127.0.0.1"), "send ENOBUFS 127.0.0.1:9: sendQueueLimit is 10 bytes" },
      { raised(new "udp4", "bindSync", { address = "203.0.113.1", port = 9 }),
        "bind EADDRNOTAVAIL 203.0.113.1:9: no interface of this machine has this address" },
      { raised(file, "bindSync", { path = path }),
        ("bind ENAMETOOLONG %s: a path has at most 107 bytes"):format(path) },
      { raised(file, "setTTL", 9), "setTTL ENOTSUP: not on a unix_dgram socket" },
      { raised(socket, "setMulticastInterface", "203.0.113.1"),
        "setMulticastInterface EADDRNOTAVAIL 203.0.113.1: no interface of this machine has this address" },
      { raised(socket, "setMulticastInterface", "nosuch0"),
        "setMulticastInterface EINVAL nosuch0: this machine has no such interface" },
    }, socket, queue, file, lo)
    assert.equal("nosuch0", raised(new "udp4", "setMulticastInterface", "nosuch0").interface)
  end)

  it("says that nobody was there, and that there is no way", function()
    local socket, seen, port = refused()
    check({ { seen, ("recvmsg ECONNREFUSED 127.0.0.1:%d: nobody has this port there"):format(port) } }, socket)
  end)

  it("of memberships names the group, the source and the interface, and has them as fields", function()
    can.need(pending, can.native())
    local socket = new "udp4"
    local function membership(method, ...) return raised(socket, method, ...) end
    local strange = membership("addMembership", "239.255.77.9", "203.0.113.9")
    assert.same({ "239.255.77.9", "203.0.113.9" }, { strange.address, strange.interface })
    local sourced = membership("addSourceSpecificMembership", "192.0.2.1", "232.77.0.9", "nosuch0")
    assert.same({ "192.0.2.1", "232.77.0.9", "nosuch0" }, { sourced.source, sourced.address, sourced.interface })
    check({
      { membership("addMembership", "192.0.2.1"),
        "addMembership EINVAL 192.0.2.1: this is no multicast group's address" },
      { membership("addMembership", "a group"), "addMembership EINVAL a group: the group is no address" },
      { membership("addMembership", "ff02::1"), "addMembership EINVAL ff02::1: an IPv6 address on a udp4 socket" },
      { strange, "addMembership ENODEV 239.255.77.9 on 203.0.113.9: this machine has no such interface" },
      { sourced, "addSourceSpecificMembership EINVAL 232.77.0.9 from 192.0.2.1 on nosuch0: " ..
        "there is no interface of this name" },
      { membership("dropMembership", "239.255.77.9", "127.0.0.1"),
        "dropMembership EADDRNOTAVAIL 239.255.77.9 on 127.0.0.1: not joined there" },
    }, socket)
  end)
end)

describe("an error event without a listener", function()
  loop.guard()

  it("is raised out of dgram.run", function()
    local socket, port, first = failing()
    local err = faults.raised({ code = "EADDRINUSE", syscall = "bind", port = port }, dgram.run)
    assert.equal("string", type(err.traceback))
    sockets.close_all(first, socket)
    loop.run()
  end)

  it("of a send is raised too", function()
    local socket = new "udp4"
    socket:send(("x"):rep(65508), 9)
    faults.raised({ code = "EMSGSIZE", syscall = "send" }, dgram.run)
    socket:close()
    loop.run()
  end)

  it("each one is raised once", function()
    local socket, _, first = failing()
    assert.is_false((pcall(dgram.run)))
    loop.turn(5)
    sockets.close_all(first, socket)
    loop.run()
  end)

  it("goes to the handler where there is one", function()
    local seen, trace
    dgram.setUncaughtHandler(expect(function(...)
      seen, trace = ...
    end))
    finally(function() dgram.setUncaughtHandler(nil) end)
    local socket, port, first = failing()
    loop.turn()
    faults.system(seen, { code = "EADDRINUSE", syscall = "bind", port = port })
    assert.equal("string", type(trace))
    sockets.close_all(first, socket)
    loop.run()
  end)

  -- What makes an error event: each is one line, whose place it has to tell.
  local causes = {
    bind = function(socket, port) socket:bind(port, "127.0.0.1") end,
    ["bind to a name"] = function(socket) socket:bind(0, "nohost.invalid") end,
    connect = function(socket) socket:connect(9, "127.255.255.255") end,
    ["connect to a name"] = function(socket) socket:connect(9, "nohost.invalid") end,
    ["send to an address of the other family"] = function(socket) socket:send("x", 9, "::1") end,
    ["send to a name"] = function(socket) socket:send("x", 9, "nohost.invalid") end,
    ["a lone send"] = function(socket) assert(socket:send("x", 9, "255.255.255.255") and socket:flush()) end,
  }

  for name, cause in pairs(causes) do
    it("tells the place of the call that it comes from: " .. name, function()
      local first, port = sockets.bound "udp4"
      local place = ("error_objects_spec.lua:%d:"):format(debug.getinfo(cause, "S").linedefined)
      local raiser = new "udp4"
      cause(raiser, port)
      local ok, err = pcall(loop.wait, function() return false end, 20)
      assert.is_false(ok)
      assert.equal(place, err.where:match "[^/\\]*$")
      assert.equal(err.where .. " " .. err.message, tostring(err))
      sockets.close_all(first, raiser)
      loop.run()

      local seen, trace
      dgram.setUncaughtHandler(expect(function(...) seen, trace = ... end))
      finally(function() dgram.setUncaughtHandler(nil) end)
      first, port = sockets.bound "udp4"
      local socket = new "udp4"
      cause(socket, port)
      loop.wait(function() return seen end, 20)
      assert.equal(seen.message, tostring(seen))
      assert.equal(seen.where .. " the call that failed", trace:match "^[^\n]*")
      sockets.close_all(first, socket)
      loop.run()
    end)
  end

  it("is printed with that place under plain uv.run", function()
    local process = child.lua [[
      local dgram, uv = require "dgram", require "luv"
      dgram.createSocket("udp4"):bind(9, "203.0.113.1")
      uv.run()
    ]]:wait()
    assert.is_truthy(process.err:find("2: bind EADDRNOTAVAIL 203.0.113.1:9: no interface", 1, true), process.err)
  end)

  it("has no place where no call failed", function()
    local socket, seen = refused()
    assert.equal("ECONNREFUSED", seen.code)
    assert.is_nil(seen.where)
    socket:close()
    loop.run()
  end)

  it("does not go there when somebody listens", function()
    dgram.setUncaughtHandler(never())
    finally(function() dgram.setUncaughtHandler(nil) end)
    local socket, _, first = failing()
    socket:on("error", expect())
    loop.turn()
    sockets.close_all(first, socket)
    loop.run()
  end)
end)

describe("setUncaughtHandler", function()
  loop.guard()

  local function handled(start)
    local seen = {}
    dgram.setUncaughtHandler(function(err, trace) seen[#seen + 1] = { err = err, trace = trace } end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    start()
    loop.run()
    return seen
  end

  it("gets what each kind of callback raised, and the loop lives on", function()
    local socket
    local seen
    seen = handled(function()
      socket = new "udp4"
      socket:on("close", function() error("from close", 0) end)
      socket:on("message", function()
        socket:close()
        error("from message", 0)
      end)
      socket:bind(0, "127.0.0.1", function()
        socket:send("hello", socket:address().port, "127.0.0.1", function() error("from send", 0) end)
        error("from bind", 0)
      end)
    end)
    local texts = {}
    for _, one in ipairs(seen) do
      texts[one.err] = one.trace
    end
    for _, what in ipairs { "from bind", "from send", "from message", "from close" } do
      assert.equal("string", type(texts[what]), what)
    end
    assert.equal(4, #seen)
  end)

  it("gets the error as it is, whatever its type, and a traceback that names the place", function()
    local thrown = { { "a table" }, 42, true, "a string", print }
    local i = 0
    local seen = handled(function()
      local socket, port = sockets.bound "udp4"
      local function culprit() error(thrown[i], 0) end
      socket:on("message", function()
        i = i + 1
        if i == #thrown then socket:close() end
        culprit()
      end)
      for _ = 1, #thrown do socket:send("x", port) end
    end)
    assert.equal(#thrown, #seen)
    for k, value in ipairs(thrown) do
      assert.is_true(rawequal(value, seen[k].err) or value == seen[k].err)
      assert.is_truthy(seen[k].trace:find("error_objects_spec.lua", 1, true))
    end
  end)

  it("survives error(nil)", function()
    local calls = 0
    dgram.setUncaughtHandler(function() calls = calls + 1 end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    new("udp4"):close(function() error(nil) end)
    loop.run()
    assert.equal(1, calls)
  end)

  it("a handler that raises ends in an error of the loop, not in a crash", function()
    dgram.setUncaughtHandler(function() error("from the handler", 0) end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    new("udp4"):close(function() error("from close", 0) end)
    for _ = 1, 3 do pcall(loop.run, 1) end
  end)

  it("nil takes the handler away", function()
    dgram.setUncaughtHandler(never())
    dgram.setUncaughtHandler(nil)
    new("udp4"):close(function() error("boom", 0) end)
    local ok, err = pcall(dgram.run)
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("boom", 1, true))
    loop.run()
  end)

  it("takes a function or nil", function()
    for _, value in ipairs { 1, "x", true, {}, io.stdout } do
      faults.raised(faults.bad_type, dgram.setUncaughtHandler, value)
    end
    faults.raised(faults.bad_value, dgram.setUncaughtHandler, nil, 1)
  end)
end)
