-- SPDX-License-Identifier: MIT
-- bind{fd = n}: descriptors that others made.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local sockopt = require "spec.support.sockopt"
local unix = require "spec.support.unix"
local uv = require "luv"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- Descriptors that belong to nobody yet.
local loose = {}

local function close_loose()
  for fd in pairs(loose) do uv.fs_close(fd) end
  loose = {}
end

local function take(fd)
  finally(close_loose)
  loose[fd] = true
  return fd
end

local function adopted(fd)
  loose[fd] = nil
  return fd
end

local function pair(kind)
  if not uv.socketpair then pending "this luv makes no pairs of sockets" end
  local fds = assert(uv.socketpair(kind or "dgram"))
  return take(fds[1]), take(fds[2])
end

-- Runs a program whose standard input is the descriptor; `fd` is 0 there, and `s` a socket of the type.
local function heir(fd, kind, source)
  local code = ([[
    io.stdout:setvbuf "line"
    local dgram = require "dgram"
    local s = dgram.createSocket %q
    local function tell(t) print(t.address, t.family, t.port) end
    %s
    dgram.run()
    print "done"
  ]]):format(kind, source)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  return child.start(child.interpreter(), { "-e", paths, "-e", code }, { own = true, stdin = fd })
end

local function ends_well(process)
  process:wait()
  assert.same({ 0, 0, "" }, { process.status, process.signal, process.err }, process.out)
  return process.out
end

describe("bind{fd} in this process", function()
  loop.guard()

  it("takes a pair of unix sockets, whatever the type was", function()
    local a, b = pair()
    local first, second = new "udp4", new "unix_dgram"
    local got = {}
    for _, socket in ipairs { first, second } do
      socket:on("error", never())
      socket:on("listening", expect())
      socket:on("message", function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
    end
    assert.equal(first, first:bind { fd = adopted(a) })
    second:bind({ fd = adopted(b) }, expect())
    assert.same({ a, b }, { first:fileno(), second:fileno() })
    assert.same({ address = "", family = "unix" }, first:address())
    assert.same({ address = "", family = "unix" }, second:remoteAddress())
    first:send "hello"
    loop.wait(function() return #got == 1 end)
    assert.same({ msg = "hello", rinfo = { address = "", family = "unix", size = 5 } }, got[1])
    second:send({ "and ", "back" }, expect(function(err, bytes) assert.same({ nil, 8 }, { err, bytes }) end))
    loop.wait(function() return #got == 2 end)
    assert.equal("and back", got[2].msg)
    sockets.close_all(first, second)
    loop.run()
  end)

  it("gives up the socket's first descriptor, and closes the adopted one in the end", function()
    local before = loop.descriptors()
    if not before then need(pending, can.see_descriptors()) end
    local a, b = pair()
    local socket = new "udp4"
    assert.equal(before + 3, loop.descriptors())
    socket:bind { fd = adopted(a) }
    assert.equal(before + 2, loop.descriptors())
    socket:close()
    loop.run()
    assert.is_nil((uv.fs_fstat(a)))
    assert.is_truthy((uv.fs_fstat(b)))
    assert.equal(before + 1, loop.descriptors())
  end)

  it("closes it when the socket is collected", function()
    local a = pair()
    new("unix_dgram"):bind { fd = adopted(a) }
    loop.turn()
    collectgarbage()
    collectgarbage()
    loop.turn()
    assert.is_nil((uv.fs_fstat(a)))
  end)

  it("makes it non-blocking, and keeps it from other programs", function()
    local a = pair()
    local function flags(fd)
      local file = io.open("/proc/self/fdinfo/" .. fd)
      if not file then pending "the system does not show a descriptor's flags" end
      local octal = file:read("*a"):match "flags:%s*(%d+)"
      file:close()
      return tonumber(octal, 8)
    end
    local function has(value, bit) return math.floor(value / bit) % 2 == 1 end
    local nonblock, cloexec = 2048, 524288
    local before = flags(a)
    local socket = new "unix_dgram"
    socket:bind { fd = adopted(a) }
    local now = flags(a)
    assert.is_true(has(now, nonblock))
    assert.is_true(has(now, cloexec))
    local function rest(value)
      return value - (has(value, nonblock) and nonblock or 0) - (has(value, cloexec) and cloexec or 0)
    end
    assert.equal(rest(before), rest(now))
    socket:close()
    loop.run()
  end)

  -- each: the descriptor, and how to be rid of it
  local strangers = {
    ["a stream socket"] = function()
      local a = pair "stream"
      return a
    end,
    ["a socket of packets in a stream"] = function()
      local a = pair "seqpacket"
      return a
    end,
    ["a listening TCP socket"] = function()
      local tcp = uv.new_tcp()
      assert(tcp:bind("127.0.0.1", 0))
      assert(tcp:listen(1, function() end))
      return tcp:fileno(), function() tcp:close() end
    end,
    ["a pipe"] = function()
      if not uv.pipe then pending "this luv makes no pipes" end
      local fds = assert(uv.pipe())
      take(fds.write)
      return take(fds.read)
    end,
    ["a file"] = function() return take(assert(uv.fs_open(unix.file(unix.path()), "r", 0))) end,
    ["a folder"] = function() return take(assert(uv.fs_open(unix.folder(), "r", 0))) end,
  }
  for what, make in pairs(strangers) do
    it("raises for " .. what .. ", and leaves both as they were", function()
      local fd, done = make()
      local before = loop.descriptors()
      local socket = new "udp4"
      local own = socket:fileno()
      socket:on("error", never())
      for _, arguments in ipairs { { fd = fd }, { fd = fd, port = 0, address = "127.0.0.1" } } do
        local err = faults.raised({ code = "ERR_INVALID_FD_TYPE", name = "TypeError" }, socket.bind, socket, arguments)
        assert.is_nil(err.syscall)
      end
      loop.turn()
      assert.equal(before and before + 1, loop.descriptors())
      assert.is_truthy((uv.fs_fstat(fd)))
      assert.equal(own, socket:fileno())
      socket:bind(0, "127.0.0.1", expect())
      loop.turn()
      if done then done() end
      socket:close()
      loop.run()
    end)
  end

  it("raises for what is no open descriptor", function()
    local socket = new "udp4"
    socket:on("error", never())
    local a = pair()
    uv.fs_close(adopted(a))
    for _, fd in ipairs { -1, a, 999999, 2147483647 } do
      faults.raised({ code = "EBADF", syscall = "bind", name = "Error" }, socket.bind, socket, { fd = fd })
    end
    for _, fd in ipairs { 1.5, 0 / 0, 1 / 0, "3", true, {}, print, io.stdout } do
      faults.raised(faults.bad_type, socket.bind, socket, { fd = fd })
    end
    faults.raised({ code = "EBADF", syscall = "getsockname" }, socket.address, socket)
    socket:close()
    loop.run()
  end)

  it("raises on a bound socket, which keeps its own", function()
    local a = pair()
    local socket, port = sockets.bound "udp4"
    faults.raised({ code = "ERR_SOCKET_ALREADY_BOUND", name = "Error" }, socket.bind, socket, { fd = a })
    assert.equal(port, socket:address().port)
    assert.is_truthy((uv.fs_fstat(a)))
    local b = pair()
    local first = new "unix_dgram"
    first:bind { fd = adopted(b) }
    faults.raised({ code = "ERR_SOCKET_ALREADY_BOUND", name = "Error" }, first.bind, first, { fd = b })
    faults.raised({ code = "ERR_SOCKET_DGRAM_IS_CONNECTED", name = "Error" }, first.connect, first, "/nobody")
    loop.turn()
    sockets.close_all(socket, first)
    loop.run()
  end)
end)

describe("bind{fd} of what another process made", function()
  loop.guard()

  local families = { udp4 = { "127.0.0.1", "IPv4" }, udp6 = { "::1", "IPv6" } }

  for kind, family in pairs(families) do
    for _, own in ipairs { "udp4", "udp6", "unix_dgram" } do
      it(("serves on a bound %s descriptor, made as %s"):format(kind, own), function()
        if kind == "udp6" or own == "udp6" then need(pending, can.ipv6()) end
        local owner = peers.new(family[1])
        local process = heir(owner.handle:fileno(), own, [[
          s:on("listening", function() print "listening" end)
          s:on("message", function(msg, rinfo)
            s:send("echo: " .. msg, rinfo.port, rinfo.address, function() s:close() end)
          end)
          s:bind { fd = 0 }
          print(s:fileno())
          tell(s:address())
        ]])
        process:expect "listening\n"
        assert.equal(("0\n%s\t%s\t%d\nlistening\n"):format(family[1], family[2], owner.port), process.out)
        local client, _, got = sockets.collector(kind)
        client:send("hello", owner.port, family[1])
        loop.wait(function() return #got == 1 end)
        assert.same({ msg = "echo: hello", rinfo = { address = family[1], family = family[2], port = owner.port,
          size = 11 } }, got[1])
        ends_well(process)
        client:close()
        owner:close()
        loop.run()
      end)
    end
  end

  it("that was the standard input leaves its number to nobody, luv's loop included", function()
    local owner = new "udp4"
    owner:bindSync { address = "127.0.0.1" }
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local process = child.start(child.interpreter(), { "-e", paths, "-e", [[
        local dgram = require "dgram"
        local s = dgram.createSocket "udp4"
        s:bindSync { fd = 0 }
        s:close() -- luv is loaded, and its loop made, after this
        dgram.run()
        local next_one = dgram.createSocket "udp4"
        print(next_one:fileno() > 2, require "luv".fs_readlink "/proc/self/fd/0")
        next_one:close()
        dgram.run()
      ]] }, { own = true, stdin = owner:fileno() }):wait()
    assert.same({ 0, "true\t/dev/null\n" }, { process.status, process.out }, process.err)
    owner:close()
    loop.run()
  end)

  it("finds out that it is connected", function()
    local server, port, got = sockets.collector "udp4"
    local owner = new "udp4"
    owner:connectSync(port)
    local process = heir(owner:fileno(), "udp4", [[
      s:on("connect", function() error "not a connect of ours" end)
      s:bind { fd = 0 }
      tell(s:remoteAddress())
      print(select(2, pcall(s.connect, s, 9)).code)
      s:send("hello", function(err) print(err) s:close() end)
    ]])
    assert.equal(("127.0.0.1\tIPv4\t%d\nERR_SOCKET_DGRAM_IS_CONNECTED\nnil\ndone\n"):format(port), ends_well(process))
    loop.wait(function() return #got == 1 end)
    assert.equal(owner:address().port, got[1].rinfo.port)
    sockets.close_all(server, owner)
    loop.run()
  end)

  it("binds an unbound one as the other options say", function()
    for options, address in pairs { ["address = '127.0.0.1'"] = "127.0.0.1", [""] = "0.0.0.0" } do
      local owner = uv.new_udp "inet"
      if not owner:fileno() then pending "this luv makes no unbound sockets" end
      local process = heir(owner:fileno(), "udp4", ([[
        s:on("listening", function() print "listening" s:close() end)
        s:bind { fd = 0, %s }
        tell(s:address())
      ]]):format(options))
      local out = ends_well(process)
      local port = out:match("^" .. address:gsub("%.", "%%.") .. "\tIPv4\t(%d+)\nlistening\ndone\n$")
      assert.is_truthy(port, out)
      assert.equal(tonumber(port), owner:getsockname().port) -- it is one socket, with two descriptors
      owner:close()
      loop.run()
    end
  end)

  it("changes no option of it", function()
    need(pending, can.native())
    need(pending, sockopt.readable())
    sockopt.UDP_GRO, sockopt.IP_RECVERR, sockopt.IP_MULTICAST_ALL = { 17, 104 }, { 0, 11 }, { 0, 49 }
    sockopt.SO_RXQ_OVFL, sockopt.IP_PKTINFO, sockopt.IP_RECVTOS = { 1, 40 }, { 0, 8 }, { 0, 13 }
    local names = { "SO_REUSEADDR", "SO_REUSEPORT", "SO_BROADCAST", "SO_SNDBUF", "SO_RCVBUF", "IP_TTL",
      "IP_MULTICAST_TTL", "IP_MULTICAST_LOOP", "IP_MULTICAST_ALL", "IP_RECVERR", "IP_PKTINFO", "IP_RECVTOS",
      "SO_RXQ_OVFL", "UDP_GRO" }
    local owner = peers.new()
    owner.handle:set_ttl(77)
    owner.handle:set_broadcast(true)
    local function all()
      local values = {}
      for _, name in ipairs(names) do values[name] = sockopt.get(owner.handle, name) end
      return values
    end
    local before = all()
    assert.equal(77, before.IP_TTL)
    local process = heir(owner.handle:fileno(), "udp4", [[
      s:on("message", function() s:close() end)
      s:bind { fd = 0 }
      s:send("to itself", s:address().port, "127.0.0.1")
    ]])
    ends_well(process)
    assert.same(before, all())
    owner:close()
    loop.run()
  end)

  it("sets the buffer sizes that createSocket was given, and no others", function()
    for _, call in ipairs { "bind", "bindSync" } do
      local a, b = pair()
      local plain, sized = new "unix_dgram", new { type = "unix_dgram", recvBufferSize = 20000 }
      sized:setSendBufferSize(30000) -- of the descriptor that it gives up
      local usual = plain:getSendBufferSize()
      plain[call](plain, { fd = adopted(a) })
      sized[call](sized, { fd = adopted(b) })
      assert.equal(new({ type = "unix_dgram", recvBufferSize = 20000 }):getRecvBufferSize(), sized:getRecvBufferSize())
      assert.equal(usual, sized:getSendBufferSize())
      assert.equal(usual, plain:getSendBufferSize())
      assert.equal(new("unix_dgram"):getRecvBufferSize(), plain:getRecvBufferSize())
      sockets.close_all(plain, sized)
    end
    local a = pair()
    local socket = new { type = "udp4", sendBufferSize = 20000 }
    local own = socket:getSendBufferSize()
    socket:bind { fd = adopted(a) }
    assert.equal(own, socket:getSendBufferSize())
    assert.equal(new("unix_dgram"):getRecvBufferSize(), socket:getRecvBufferSize())
    socket:close()
    loop.run()
  end)

  it("tells datagrams apart though somebody else lets the kernel coalesce them", function()
    need(pending, sockopt.readable())
    local owner = peers.new()
    local process = heir(owner.handle:fileno(), "udp4", [[
      local sender, count = dgram.createSocket "udp4", 0
      local function burst()
        for _ = 1, 100 do sender:send(("x"):rep(100), s:address().port, "127.0.0.1") end
      end
      s:on("message", function(msg)
        if msg == "go" then return burst() end
        count = count + 1
        if #msg == 100 and count < 100 then return end
        print(count, #msg, s:stats().truncated)
        s:close()
        sender:close()
      end)
      s:bind { fd = 0 }
      print "ready"
    ]])
    loop.wait(function() return process.out == "ready\n" end)
    local setter = child.start("sh", { "-c", sockopt.setter(17, 104, 1) }, { stdin = owner.handle:fileno() }):wait()
    assert.same({ 0, "" }, { setter.status, setter.err })
    local peer = peers.new()
    peer:send("go", owner.port)
    peer:close()
    assert.equal("ready\n100\t100\t0\ndone\n", ends_well(process))
    owner:close()
    loop.run()
  end)

  it("that failed leaves the socket's own as it was, coalescing when it pays", function()
    local p = sockets.new { type = "udp4", gro = true }
    need(pending, p:stats().gro or nil, "no coalescing here")
    local taken = sockets.new "udp4"
    taken:bindSync { address = "127.0.0.1" }
    local receiver, got = sockets.new("udp4"), 0
    receiver:on("message", function() got = got + 1 end)
    local new_poll = uv.new_poll -- luv's own failure, for a descriptor that it watches already, leaks a handle
    uv.new_poll = function() return nil, "EEXIST: file already exists", "EEXIST" end
    local done, err = pcall(receiver.bind, receiver, { fd = taken:fileno() })
    uv.new_poll = new_poll
    assert.same({ false, "EEXIST" }, { done, err.code })
    receiver:bind(0, "127.0.0.1")
    for _ = 1, 100 do p:send("x", receiver:address().port, "127.0.0.1") end
    loop.wait(function() return got == 100 end)
    assert.is_true(receiver:stats().gro)
    sockets.close_all(p, taken, receiver)
    loop.run()
  end)

  it("closes its own descriptor only", function()
    local owner = peers.new():listen()
    local process = heir(owner.handle:fileno(), "udp4", [[
      s:bind { fd = 0 }
      s:close(function()
        local uv = require "luv"
        print(uv.fs_fstat(0).type) -- /dev/null keeps the number taken
      end)
    ]])
    assert.equal("char\ndone\n", ends_well(process))
    local peer = peers.new()
    peer:send("still here", owner.port)
    owner:wait(1)
    peer:close()
    owner:close()
    loop.run()
  end)

  it("leaves the file of an adopted unix socket", function()
    local owner, path = unix.bound()
    local process = heir(owner:fileno(), "udp4", [[
      s:on("message", function(msg) print(msg) s:close() end)
      s:bind { fd = 0 }
      tell(s:address())
    ]])
    local client = new "unix_dgram"
    client:send("hello", path)
    assert.equal(("%s\tunix\tnil\nhello\ndone\n"):format(path), ends_well(process))
    assert.equal("socket", unix.kind(path))
    sockets.close_all(owner, client)
    loop.run()
  end)
end)
