-- SPDX-License-Identifier: MIT
-- The options that add fields to each rinfo: pktInfo, recvTTL, recvTOS, timestamp, recvCredentials.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local namespaces = require "spec.support.namespace"
local sockets = require "spec.support.sockets"
local trains = require "spec.support.trains"
local unix = require "spec.support.unix"
local dgram = require "dgram"
local uv = require "luv"

local need, new = can.need, sockets.new
local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)

-- All fields that the options add, and which options they need.
local fields = {
  localAddress = "pktInfo", interface = "pktInfo", ttl = "recvTTL", tos = "recvTOS", timestamp = "timestamp",
  pid = "recvCredentials", uid = "recvCredentials", gid = "recvCredentials",
}

-- The loopback interface is called otherwise on other systems.
local function loopback_interface()
  for name, addresses in pairs(uv.interface_addresses()) do
    if addresses[1].internal then return name end
  end
end

-- Whether this system has the options, as it says itself; it has all of them or none.
local function has_options()
  local done, socket = pcall(dgram.createSocket, { type = "udp4", recvTTL = true })
  if done then
    socket:close()
    loop.turn()
    return true
  end
  faults.system(socket, { code = "ENOTSUP", syscall = "setsockopt" })
  return nil, tostring(socket)
end

-- Each kind of receiver, where it is bound, and where it is sent to; `seen` is how it calls that address.
local kinds = {
  udp4 = { type = "udp4", any = "0.0.0.0", to = "127.0.0.2", sender = "udp4", seen = "127.0.0.2" },
  udp6 = { type = "udp6", any = "::", to = "::1", sender = "udp6", seen = "::1", ipv6Only = true },
  ["dual-stack, IPv6"] = { type = "udp6", any = "::", to = "::1", sender = "udp6", seen = "::1" },
  ["dual-stack, IPv4"] = { type = "udp6", any = "::", to = "127.0.0.2", sender = "udp4", seen = "::ffff:127.0.0.2" },
}
local all = { pktInfo = true, recvTTL = true, recvTOS = true, timestamp = true }
local TTL, TOS = 77, 46 * 4 + 1 -- expedited forwarding, ECT(1)

-- A receiver of a kind, on all addresses, and its port.
local function receiver_of(kind, options, listener)
  need(pending, has_options())
  if kind.type == "udp6" then need(pending, can.ipv6()) end
  local given = { type = kind.type, ipv6Only = kind.ipv6Only }
  for name, value in pairs(options) do given[name] = value end
  local socket = new(given, listener)
  socket:bindSync { address = kind.any }
  return socket, socket:address().port
end

local function sender_of(kind)
  local socket = new(kind.sender)
  socket:setTTL(TTL)
  socket:setTypeOfService(TOS)
  return socket
end

local function now()
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end

-- rinfo has what the options add, and nothing of the others; `begun` is when sending began.
local function check(rinfo, options, kind, begun, ttl, tos)
  for field, option in pairs(fields) do
    if not options[option] then assert.is_nil(rinfo[field], field) end
  end
  if options.pktInfo then
    assert.same({ kind.seen, loopback_interface() }, { rinfo.localAddress, rinfo.interface })
  end
  if options.recvTTL then assert.equal(ttl or TTL, rinfo.ttl) end
  if options.recvTOS then assert.equal(tos or TOS, rinfo.tos) end
  if options.timestamp then
    local at = options.timestamp == "ns" and rinfo.timestamp / 1e9 or rinfo.timestamp
    -- the clock is read to microseconds here
    assert.is_true(at >= begun - 0.001 and at <= now() + 0.001, ("%.6f is not after %.6f"):format(at, begun))
  end
  assert.is_nil(rinfo.truncated)
end

local function run(...)
  sockets.close_all(...)
  loop.run()
end

describe("what comes with a datagram", function()
  loop.guard()

  for name, kind in pairs(kinds) do
    it("is told option by option: " .. name, function()
      for option in pairs(all) do
        local options, got = { [option] = true }, {}
        local socket, port = receiver_of(kind, options, function(msg, rinfo) got[#got + 1] = { msg, rinfo } end)
        local sender, begun = sender_of(kind), now()
        sender:send("one", port, kind.to)
        sender:send("", port, kind.to)
        loop.wait(function() return #got == 2 end)
        assert.same({ "one", "", 3, 0 }, { got[1][1], got[2][1], got[1][2].size, got[2][2].size })
        for _, each in ipairs(got) do check(each[2], options, kind, begun) end
        run(socket, sender)
      end
    end)

    it("is told all at once, one by one and in trains, to listeners: " .. name, function()
      local got = {}
      local socket, port = receiver_of(kind, { pktInfo = true, recvTTL = true, recvTOS = true, timestamp = true,
        gro = true, recvBufferSize = 4000000 }, function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
      local sender, begun = sender_of(kind), now()
      for round = 1, 3 do
        local list = trains.run(100, trains.sizes["equal, 64 to a train"], round * 100)
        local before = #got
        sender:sendMany(list, port, kind.to)
        sender:send("lone", port, kind.to)
        loop.wait(function() return #got == before + 101 end)
        list[101] = "lone"
        local part = {}
        for i = 1, 101 do part[i] = got[before + i] end
        assert.is_nil(trains.difference(list, part))
      end
      for _, each in ipairs(got) do check(each.rinfo, all, kind, begun) end
      local seen = {}
      for _, each in ipairs(got) do
        assert.is_nil(seen[each.rinfo], "a rinfo is there twice")
        seen[each.rinfo] = true
      end
      assert.equal(0, socket:stats().truncated)
      run(socket, sender)
    end)

    it("is told to receive and receiveMany: " .. name, function()
      local socket, port = receiver_of(kind, all)
      local sender, begun = sender_of(kind), now()
      sender:send("one", port, kind.to)
      sender:flush()
      local msg, rinfo = socket:receive(1000)
      assert.equal("one", msg)
      check(rinfo, all, kind, begun)
      sender:send("two", port, kind.to)
      sender:flush()
      local messages, rinfos = socket:receiveMany(10, 1000)
      assert.same({ "two" }, messages)
      check(rinfos[1], all, kind, begun)
      local waited
      coroutine.wrap(function() waited = { socket:receive() } end)()
      sender:send("three", port, kind.to)
      loop.wait(function() return waited end)
      assert.equal("three", waited[1])
      check(waited[2], all, kind, begun)
      run(socket, sender)
    end)
  end

  -- Linux's numbers of what else the kernel can tell: level, name, value. A kernel need not know them all.
  local others = {
    -- SO_TIMESTAMPING, SO_RXQ_OVFL, SO_RCVMARK, SO_RCVPRIORITY; IP_RECVOPTS to IP_RECVFRAGSIZE; IPv6's
    { 1, 37, 24 }, { 1, 40, 1 }, { 1, 75, 1 }, { 1, 82, 1 },
    { 0, 6, 1 }, { 0, 7, 1 }, { 0, 18, 1 }, { 0, 20, 1 }, { 0, 23, 1 }, { 0, 25, 1 },
    { 41, 2, 1 }, { 41, 8, 1 }, { 41, 11, 1 }, { 41, 53, 1 }, { 41, 56, 1 }, { 41, 58, 1 }, { 41, 74, 1 },
    { 41, 77, 1 },
  }

  for name, kind in pairs(kinds) do
    it("is told whole beside all else that a program may ask for: " .. name, function()
      local got = {}
      local socket, port = receiver_of(kind, { pktInfo = true, recvTTL = true, recvTOS = true, timestamp = true,
        gro = true, recvBufferSize = 4000000 }, function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
      for _, option in ipairs(others) do pcall(socket.setOption, socket, (table.unpack or unpack)(option)) end
      local sender, begun = sender_of(kind), now()
      local list = trains.run(100, trains.sizes["equal, 64 to a train"])
      sender:sendMany(list, port, kind.to)
      loop.wait(function() return #got == 100 end)
      assert.is_nil(trains.difference(list, got))
      for _, each in ipairs(got) do check(each.rinfo, all, kind, begun) end
      assert.equal(0, socket:stats().truncated)
      run(socket, sender)
    end)
  end

  it("is shared in lists only where nothing differs", function()
    local kind = kinds.udp4
    local socket, port = receiver_of(kind, { pktInfo = true, recvTTL = true, recvTOS = true, gro = true,
      recvBufferSize = 4000000 })
    local sender = sender_of(kind)
    local function send(msg, to)
      sender:send(msg, port, to or kind.to)
      sender:flush()
    end
    send "one"
    send "two"
    send("elsewhere", "127.0.0.3")
    sender:setTypeOfService(8)
    send("other class", "127.0.0.3")
    sender:setTTL(9)
    send("other TTL", "127.0.0.3")
    sender:sendMany({ "a", "b", "c" }, port, "127.0.0.3")
    sender:flush()
    local messages, rinfos = socket:receiveMany()
    assert.same({ "one", "two", "elsewhere", "other class", "other TTL", "a", "b", "c" }, messages)
    local shares = {}
    for i = 2, #rinfos do shares[i - 1] = rinfos[i] == rinfos[i - 1] end
    assert.same({ true, false, false, false, true, true, true }, shares)
    assert.same({ "127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.3" },
      { rinfos[2].localAddress, rinfos[3].localAddress, rinfos[4].localAddress, rinfos[8].localAddress })
    assert.same({ TOS, TOS, 8, 8, TTL, 9 },
      { rinfos[1].tos, rinfos[3].tos, rinfos[4].tos, rinfos[8].tos, rinfos[4].ttl, rinfos[5].ttl })
    run(socket, sender)
  end)

  it("is not shared where the time differs", function()
    local kind = kinds.udp4
    local socket, port = receiver_of(kind, { timestamp = true, gro = false })
    local sender = sender_of(kind)
    for i = 1, 3 do
      sender:send("number " .. i, port, kind.to)
      sender:flush()
      local begun = uv.hrtime()
      repeat until uv.hrtime() - begun > 10000
    end
    local messages, rinfos = socket:receiveMany()
    assert.equal(3, #messages)
    assert.is_true(rinfos[1].timestamp < rinfos[2].timestamp and rinfos[2].timestamp < rinfos[3].timestamp)
    run(socket, sender)
  end)

  it("has the class of each train, though the kernel coalesces", function()
    local kind, got = kinds.udp4, {}
    local socket, port = receiver_of(kind, { recvTOS = true, gro = true, recvBufferSize = 4000000 },
      function(msg, rinfo) got[#got + 1] = msg .. " " .. rinfo.tos end)
    local sender, wanted = sender_of(kind), {}
    for tos = 0, 255 do
      sender:setTypeOfService(tos)
      sender:sendMany({ "a", "b", "c" }, port, kind.to)
      sender:flush()
      for _, msg in ipairs { "a", "b", "c" } do wanted[#wanted + 1] = msg .. " " .. tos end
      loop.wait(function() return #got == #wanted end)
    end
    assert.same(wanted, got)
    run(socket, sender)
  end)

  it("is nothing where it is not asked for, or false", function()
    for _, options in ipairs { {}, { pktInfo = false, recvTTL = false, recvTOS = false, timestamp = false } } do
      options.type = "udp4"
      local socket, port, got = sockets.collector(options)
      local sender = sender_of(kinds.udp4)
      sender:send("one", port, "127.0.0.1")
      loop.wait(function() return #got == 1 end)
      assert.same({ address = "127.0.0.1", family = "IPv4", port = sender:address().port, size = 3 }, got[1].rinfo)
      run(socket, sender)
    end
  end)

  it("is told to connected sockets", function()
    local kind, got = kinds.udp4, {}
    local socket, port = receiver_of(kind, all, function(_, rinfo) got[#got + 1] = rinfo end)
    local sender, begun = sender_of(kind), now()
    sender:bindSync { address = "127.0.0.1" }
    socket:connectSync(sender:address().port, "127.0.0.1")
    sender:send("one", port, "127.0.0.1")
    loop.wait(function() return #got == 1 end)
    check(got[1], all, { seen = "127.0.0.1" }, begun)
    run(socket, sender)
  end)

  it("stays with what a listener throws, and with block lists and strangers", function()
    local kind, got = kinds.udp4, {}
    local list = dgram.BlockList()
    list:addAddress "127.0.0.9"
    local options = { receiveBlockList = list }
    for name, value in pairs(all) do options[name] = value end
    local socket, port = receiver_of(kind, options, function(msg, rinfo)
      got[#got + 1] = rinfo
      if msg == "raise" then error "on purpose" end
    end)
    local sender, blocked, begun = sender_of(kind), new "udp4", now()
    blocked:bindSync { address = "127.0.0.9" }
    blocked:send("no", port, kind.to)
    blocked:flush()
    for _, msg in ipairs { "raise", "one" } do sender:send(msg, port, kind.to) end
    local raised = 0
    dgram.setUncaughtHandler(function() raised = raised + 1 end)
    loop.wait(function() return #got == 2 end)
    dgram.setUncaughtHandler(nil)
    assert.same({ 1, 1 }, { raised, socket:stats().blocked })
    for _, rinfo in ipairs(got) do check(rinfo, all, kind, begun) end
    run(socket, sender, blocked)
  end)

  it("has nanoseconds as an integer, where Lua has such", function()
    need(pending, has_options())
    if not math.type then
      faults.raised(faults.bad_value, dgram.createSocket, { type = "udp4", timestamp = "ns" })
      return
    end
    local kind, got = kinds.udp4, {}
    local socket, port = receiver_of(kind, { timestamp = "ns" }, function(_, rinfo) got[#got + 1] = rinfo end)
    local sender, begun = sender_of(kind), now()
    sender:send("one", port, kind.to)
    loop.wait(function() return #got == 1 end)
    assert.equal("integer", math.type(got[1].timestamp))
    check(got[1], { timestamp = "ns" }, kind, begun)
    run(socket, sender)
  end)

  it("is refused with values of a wrong type, and for the other family", function()
    local before = loop.descriptors()
    for _, name in ipairs { "pktInfo", "recvTTL", "recvTOS" } do
      for _, wrong in ipairs { 0, 1, "true", {}, print, io.stdout } do
        faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", [name] = wrong })
      end
      for _, value in ipairs { true, false } do
        faults.raised(faults.bad_value, dgram.createSocket, { type = "unix_dgram", [name] = value })
        faults.raised(faults.bad_value, dgram.socketpair, { [name] = value })
      end
    end
    for _, wrong in ipairs { 0, 1, "true", {}, print, io.stdout } do
      faults.raised(faults.bad_type, dgram.createSocket, { type = "unix_dgram", recvCredentials = wrong })
    end
    for _, kind in ipairs { "udp4", "udp6" } do
      for _, value in ipairs { true, false } do
        faults.raised(faults.bad_value, dgram.createSocket, { type = kind, recvCredentials = value })
      end
      for _, wrong in ipairs { 0, 1, 1e9, "us", "", "NS", {}, print, io.stdout } do
        faults.raised(faults.bad_value, dgram.createSocket, { type = kind, timestamp = wrong })
      end
    end
    assert.equal(before, loop.descriptors())
  end)

  it("is ENOTSUP where the system does not tell it, and leaves nothing open", function()
    if has_options() then pending "this system tells all of it" end
    local before = loop.descriptors()
    for _, given in ipairs { { type = "udp4", pktInfo = true }, { type = "udp4", recvTTL = true },
      { type = "udp4", recvTOS = true }, { type = "udp4", timestamp = true }, { type = "unix_dgram", timestamp = true },
      { type = "unix_dgram", recvCredentials = true } } do
      local err = faults.raised({ code = "ENOTSUP", syscall = "setsockopt" }, dgram.createSocket, given)
      assert.is_truthy(err.message:find("pktInfo", 1, true), err.message)
    end
    faults.raised({ code = "ENOTSUP", syscall = "setsockopt" }, dgram.socketpair, { recvCredentials = true })
    assert.equal(before, loop.descriptors())
  end)

  it("is told to a socket that has adopted a descriptor", function()
    need(pending, has_options())
    local donor, port = sockets.bound "udp4"
    local code = [[
      local dgram = require "dgram"
      local s = dgram.createSocket { type = "udp4", pktInfo = true, recvTTL = true, recvTOS = true, timestamp = true }
      s:bindSync { fd = 0 }
      s:on("message", function(msg, rinfo)
        print(msg, rinfo.localAddress, rinfo.interface, rinfo.ttl, rinfo.tos, rinfo.timestamp > 1e9)
        s:close()
      end)
      io.stdout:write "ready\n"
      io.stdout:flush()
      dgram.run()
    ]]
    local process = child.start(child.interpreter(), { "-e", paths, "-e", code },
      { own = true, stdin = donor:fileno() })
    process:expect "ready\n"
    local sender = sender_of(kinds.udp4)
    sender:send("one", port, "127.0.0.1")
    loop.wait(function() return process.open == 0 end, 20)
    assert.same({ 0, ("ready\none\t127.0.0.1\t%s\t%d\t%d\ttrue\n"):format(loopback_interface(), TTL, TOS) },
      { process.status, process.out }, process.err)
    run(donor, sender)
  end)

  it("is refused for a descriptor of the other family that is to be adopted", function()
    need(pending, has_options())
    if not uv.socketpair then pending "this luv makes no pairs of sockets" end
    local fds = assert(uv.socketpair "dgram")
    local heir = new { type = "udp4", pktInfo = true }
    local err = faults.raised({ code = "ENOTSUP", syscall = "setsockopt" }, heir.bind, heir, { fd = fds[1] })
    assert.is_truthy(err.message:find("pktInfo", 1, true), err.message)
    assert.same({ "udp4", false }, { heir:state().type, heir:state().bound })
    local donor = sockets.bound "udp4"
    local other = new { type = "unix_dgram", recvCredentials = true }
    err = faults.raised({ code = "ENOTSUP", syscall = "setsockopt" }, other.bind, other, { fd = donor:fileno() })
    assert.is_truthy(err.message:find("recvCredentials", 1, true), err.message)
    assert.equal("unix_dgram", other:state().type)
    for _, fd in ipairs(fds) do uv.fs_close(fd) end
    run(heir, other, donor)
  end)
end)

describe("pktInfo across two interfaces", function()
  loop.guard()

  local function listen(space, kind, any)
    local program = space:program()
    local port = program:call([[
      s = new { type = %q, pktInfo = true, recvTTL = true }
      s:bind(0, %q)
      return s:address().port
    ]], kind, any)
    return program, port
  end

  local function last(program, n)
    program:wait("return got[%d]", n)
    return program:call("local r = got[%d].rinfo; return r.localAddress, r.interface", n)
  end

  it("tells addresses, broadcasts and groups apart: udp4", function()
    need(pending, has_options())
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    a:ip("addr add 10.77.0.99/24 dev " .. a.interface)
    local receiver, port = listen(a, "udp4", "0.0.0.0")
    receiver:call([[s:addMembership("239.78.0.3", %q)]], a.ip4)
    local sender = b:program()
    sender:call [[
      s = new "udp4"
      s:bindSync {}
      s:setBroadcast(true)
    ]]
    sender:call("s:setMulticastInterface(%q)", b.ip4)
    local n = 0
    local function arrives(to, wanted)
      n = n + 1
      sender:call("s:send('x', %d, %q)", port, to)
      assert.same({ wanted, a.interface }, { last(receiver, n) }, to)
    end
    arrives(a.ip4, a.ip4)
    arrives("10.77.0.99", "10.77.0.99")
    arrives("10.77.0.255", a.ip4) -- an answer can come from there
    arrives("239.78.0.3", "239.78.0.3")
    receiver:stop()
    sender:stop()
    loop.run()
  end)

  it("tells a dual-stack socket of both families, zones and groups included", function()
    need(pending, has_options())
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    local receiver, port = listen(a, "udp6", "::")
    receiver:call([[s:addMembership("ff12::78:3", "::%%%s")]], a.interface)
    local sender = b:program()
    sender:call [[
      s, t = new "udp6", new "udp4"
      t:bindSync {}
      t:setBroadcast(true)
    ]]
    sender:call([[s:setMulticastInterface("::%%%s")]], b.interface)
    local n = 0
    local function arrives(name, to, wanted)
      n = n + 1
      sender:call(name .. ":send('x', %d, %q)", port, to)
      assert.same({ wanted, a.interface }, { last(receiver, n) }, to)
    end
    arrives("s", a.ip6 .. "%" .. b.interface, a.ip6 .. "%" .. a.interface)
    arrives("s", "ff12::78:3%" .. b.interface, "ff12::78:3%" .. a.interface)
    arrives("t", a.ip4, "::ffff:" .. a.ip4)
    arrives("t", "10.77.0.255", "::ffff:" .. a.ip4)
    receiver:stop()
    sender:stop()
    loop.run()
  end)

  it("has the number of an interface that has gone", function()
    need(pending, has_options())
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    local receiver, port = listen(a, "udp6", "::")
    local sender = b:program()
    receiver:call "s:pause()"
    sender:call([[
      s, t = new "udp4", new "udp6"
      s:send("x", %d, %q)
      t:send("y", %d, "%s%%%s")
    ]], port, a.ip4, port, a.ip6, b.interface)
    sender:wait "return s:stats().messagesSent == 1 and t:stats().messagesSent == 1"
    local index = a:ip("-o link show dev " .. a.interface):match "^(%d+):"
    a:ip(("link set %s netns %s name dgone"):format(a.interface, b.name))
    receiver:call "s:resume()"
    receiver:wait "return got[2]"
    assert.same({ "::ffff:" .. a.ip4, "#" .. index }, { last(receiver, 1) })
    assert.same({ a.ip6 .. "%" .. index, "#" .. index }, { last(receiver, 2) })
    receiver:stop()
    sender:stop()
    loop.run()
  end)
end)

describe("recvCredentials", function()
  loop.guard()

  local function listener(options)
    need(pending, has_options())
    need(pending, unix.has_abstract())
    options.type = "unix_dgram"
    local got = {}
    local socket = new(options, function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
    local name = unix.abstract()
    socket:bind(name)
    return socket, name, got
  end

  it("tells who sent: this process, and others", function()
    local socket, name, got = listener { recvCredentials = true, timestamp = true }
    local begun, sender = now(), new "unix_dgram"
    sender:send("own", name)
    loop.wait(function() return #got == 1 end)
    assert.same({ uv.os_getpid(), uv.getuid(), uv.getgid() },
      { got[1].rinfo.pid, got[1].rinfo.uid, got[1].rinfo.gid })
    assert.is_true(got[1].rinfo.timestamp >= begun - 0.001 and got[1].rinfo.timestamp <= now() + 0.001)
    local code = ("require('dgram').createSocket('unix_dgram'):send('other', %q)"):format(name):gsub("%z", "0")
    local process = child.start(child.interpreter(), { "-e", paths, "-e", code }, { own = true })
    loop.wait(function() return #got == 2 end, 20)
    assert.same({ "other", process.pid, uv.getuid(), uv.getgid() },
      { got[2].msg, got[2].rinfo.pid, got[2].rinfo.uid, got[2].rinfo.gid })
    process:wait()
    assert.equal(0, socket:stats().descriptorsRefused)
    run(socket, sender)
  end)

  it("tells another user and group", function()
    local setpriv = need(pending, can.program "setpriv")
    local socat = need(pending, can.program "socat")
    if uv.getuid() ~= 0 then pending "only root may become another user" end
    local socket, name, got = listener { recvCredentials = true }
    local process = child.start(setpriv, { "--reuid=65533", "--regid=65532", "--clear-groups", socat, "-u", "-",
      "ABSTRACT-SENDTO:" .. name:sub(2) })
    process:write "other user"
    process:end_input()
    loop.wait(function() return #got == 1 end, 20)
    assert.same({ "other user", process.pid, 65533, 65532 },
      { got[1].msg, got[1].rinfo.pid, got[1].rinfo.uid, got[1].rinfo.gid })
    process:wait()
    run(socket)
  end)

  it("tells both ends of a pair, whose peer can still be answered", function()
    need(pending, has_options())
    local a, b = dgram.socketpair { recvCredentials = true, timestamp = true }
    a:send "one"
    local msg, rinfo = b:receive(1000)
    assert.same({ "one", uv.os_getpid(), uv.getuid(), uv.getgid() }, { msg, rinfo.pid, rinfo.uid, rinfo.gid })
    assert.is_true(rinfo.timestamp > 1e9)
    local failure
    b:reply("two", rinfo, function(err) failure = err or false end)
    msg, rinfo = a:receive(1000)
    assert.same({ "two", uv.os_getpid() }, { msg, rinfo.pid })
    loop.wait(function() return failure ~= nil end)
    assert.is_false(failure)
    run(a, b)
  end)

  it("is false, and nothing is told", function()
    local a, b = dgram.socketpair { recvCredentials = false }
    a:send "one"
    local _, rinfo = b:receive(1000)
    assert.same({ address = "", family = "unix", size = 3 }, rinfo)
    run(a, b)
  end)
end)

describe("descriptors that somebody passes", function()
  loop.guard()

  local folder

  -- The program that passes some, or nil and the reason why it cannot be made.
  local function passer()
    local path = folder .. "/pass"
    if uv.fs_access(path, "X") then return path end
    if uv.os_uname().sysname ~= "Linux" then return nil, "the program that passes descriptors is for Linux" end
    local compiler, reason = can.program "cc"
    if not compiler then return nil, reason end
    local source = "spec/support/pass.c"
    if not uv.fs_access(source, "R") then return nil, "not run from the top of the source" end
    local process = child.start(compiler, { "-O1", "-Wall", "-o", path, source }):wait(60)
    assert.same({ 0, "" }, { process.status, process.err })
    return path
  end

  setup(function() folder = assert(uv.fs_mkdtemp(uv.os_tmpdir() .. "/dgram-XXXXXX")) end)
  teardown(function()
    os.remove(folder .. "/pass")
    uv.fs_rmdir(folder)
  end)

  local ways = {
    ["by a socket that asks for nothing"] = {},
    ["by one that asks for the time"] = { timestamp = true },
    ["by one that asks for credentials"] = { recvCredentials = true },
    ["by one that asks for both"] = { recvCredentials = true, timestamp = true },
  }

  for way, options in pairs(ways) do
    it("are closed, counted, and the messages come: " .. way, function()
      need(pending, can.see_descriptors())
      local program = need(pending, passer())
      if next(options) then need(pending, has_options()) end
      local given, got = { type = "unix_dgram" }, {}
      for name, value in pairs(options) do given[name] = value end
      local socket = new(given, function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
      local path = unix.path()
      socket:bind(path)
      local sender = new "unix_dgram"
      sender:send("none", path)
      loop.wait(function() return #got == 1 end)
      local before, refused = loop.descriptors(), socket:stats().descriptorsRefused
      assert.equal(0, refused)
      for i, count in ipairs { 1, 2, 253 } do
        local process = child.start(program, { path, tostring(count), "with " .. count })
        process:wait() -- it ends when all are closed
        assert.same({ 0, "passed\nclosed\n", "" }, { process.status, process.out, process.err })
        loop.wait(function() return #got == i + 1 end)
        local rinfo = got[i + 1].rinfo
        assert.equal("with " .. count, got[i + 1].msg)
        assert.is_nil(rinfo.truncated)
        assert.equal(options.recvCredentials and process.pid or nil, rinfo.pid)
        assert.equal(options.timestamp and "number" or "nil", type(rinfo.timestamp))
        assert.equal(i, socket:stats().descriptorsRefused)
      end
      assert.equal(before, loop.descriptors())
      sender:send("none again", path)
      loop.wait(function() return #got == 5 end)
      assert.same({ 3, 0 }, { socket:stats().descriptorsRefused, socket:stats().truncated })
      run(socket, sender)
    end)
  end

  it("are counted right where the program has set options by itself", function()
    local program = need(pending, passer())
    need(pending, has_options())
    local got = {}
    local socket, path = new("unix_dgram", function(msg) got[#got + 1] = msg end), unix.path()
    socket:bind(path)
    local sender = new "unix_dgram"
    local function count(n)
      sender:send("none", path)
      child.start(program, { path, "1", "one" }):wait()
      loop.wait(function() return #got == 2 * n end)
      assert.equal(n, socket:stats().descriptorsRefused)
    end
    count(1)
    socket:setOption("SOL_SOCKET", 16, 1) -- SO_PASSCRED
    count(2)
    socket:setOption("SOL_SOCKET", 29, 1) -- SO_TIMESTAMP
    count(3)
    run(socket, sender)
  end)

  it("are counted right on an adopted socket whose owner wanted credentials", function()
    local program = need(pending, passer())
    need(pending, has_options())
    local donor, path = new { type = "unix_dgram", recvCredentials = true }, unix.path()
    donor:bindSync { path = path }
    local code = [[
      local dgram = require "dgram"
      local s = dgram.createSocket "unix_dgram"
      s:bindSync { fd = 0 }
      s:on("message", function(msg, rinfo)
        print(msg, rinfo.pid, s:stats().descriptorsRefused)
        io.stdout:flush()
        if msg == "end" then s:close() end
      end)
      io.stdout:write "ready\n"
      io.stdout:flush()
      dgram.run()
    ]]
    local process = child.start(child.interpreter(), { "-e", paths, "-e", code },
      { own = true, stdin = donor:fileno() })
    process:expect "ready\n"
    local sender = new "unix_dgram"
    sender:send("one", path)
    process:expect "one\tnil\t0\n"
    child.start(program, { path, "3", "two" }):wait()
    process:expect "two\tnil\t1\n"
    sender:send("end", path)
    process:expect "end\tnil\t1\n"
    process:wait()
    assert.same({ 0, "" }, { process.status, process.err })
    run(donor, sender)
  end)
end)
