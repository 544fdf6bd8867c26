-- SPDX-License-Identifier: MIT
-- Every error code of the contract, raised by a call or reported by an event or a callback; and what the messages say.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

local need, never, new = can.need, loop.never, sockets.new

-- What a case has to undo after its call.
local undo = {}

local function later(fn)
  undo[#undo + 1] = fn
end

-- Calls that raise: code -> name of the error, the call.
local raised = {
  ERR_SOCKET_BAD_TYPE = { "TypeError", function() dgram.createSocket "tcp" end },
  ERR_SOCKET_BAD_PORT = { "RangeError", function(s) s:bind(65536) end },
  ERR_SOCKET_ALREADY_BOUND = { "Error", function(s)
    s:bind(0, "127.0.0.1")
    s:bind(0, "127.0.0.1")
  end },
  ERR_SOCKET_DGRAM_NOT_RUNNING = { "Error", function(s)
    s:close()
    s:setTTL(1)
  end },
  ERR_SOCKET_DGRAM_IS_CONNECTED = { "Error", function(s)
    s:connectSync(9)
    s:connectSync(9)
  end },
  ERR_SOCKET_DGRAM_NOT_CONNECTED = { "Error", function(s) s:remoteAddress() end },
  ERR_SOCKET_BUFFER_SIZE = { nil, function(s) s:setRecvBufferSize(2147483648) end },
  ERR_SOCKET_BAD_BUFFER_SIZE = { "TypeError", function(s) s:setRecvBufferSize(-1) end },
  ERR_INVALID_ARG_TYPE = { "TypeError", function(s) s:setBroadcast "yes" end },
  ERR_INVALID_ARG_VALUE = { "TypeError", function() dgram.createSocket { type = "udp4", colour = "red" } end },
  ERR_OUT_OF_RANGE = { "RangeError", function(s) s:setTTL(256) end },
  ERR_MISSING_ARGS = { "TypeError", function(s) s:addMembership() end },
  ERR_BUFFER_OUT_OF_BOUNDS = { "RangeError", function(s) s:send("x", 0, 2, 9) end },
  ERR_INVALID_FD_TYPE = { "TypeError", function(s)
    local fd = assert(uv.fs_open(unix.file(unix.path()), "r", 0))
    local ok, err = pcall(s.bind, s, { fd = fd })
    uv.fs_close(fd)
    error(not ok and err or "took a file", 0)
  end },
  ERR_IP_BLOCKED = { "Error", function()
    local list = dgram.BlockList()
    list:addAddress "127.0.0.1"
    local s = new { type = "udp4", sendBlockList = list }
    later(function() s:close() end)
    s:connectSync(9)
  end },
  ERR_INVALID_ADDRESS = { "Error", function() dgram.BlockList():addAddress "x" end },
}

-- System calls that fail, and raise: code -> syscall, the call.
local refused = {
  EBADF = { "getsockname", function(s) s:address() end },
  EADDRINUSE = { "bind", function(s)
    local other, port = sockets.bound "udp4"
    later(function() other:close() end)
    s:bindSync { port = port, address = "127.0.0.1" }
  end },
  EADDRNOTAVAIL = { "dropMembership", function(s) s:dropMembership("239.255.77.9", "127.0.0.1") end },
  EINVAL = { "addMembership", function(s) s:addMembership "127.0.0.1" end },
  ENODEV = { "addMembership", function(s) s:addMembership("239.255.77.9", "203.0.113.9") end },
  EACCES = { "connect", function(s) s:connectSync(9, "127.255.255.255") end },
  ENOENT = { "connect", function() new("unix_dgram"):connectSync(unix.path "nobody") end },
  ENAMETOOLONG = { "bind", function() new("unix_dgram"):bindSync { path = "/" .. ("x"):rep(200) } end },
  EPROTOTYPE = { "connect", function()
    local path = unix.path()
    local pipe = uv.new_pipe(false)
    later(function() pipe:close() end)
    assert(pipe:bind(path))
    assert(pipe:listen(1, function() end))
    new("unix_dgram"):connectSync(path)
  end },
}

-- What reaches a callback: code -> how to cause it with a callback of send or connect.
local told = {
  EMSGSIZE = function(s, cb) s:send(("x"):rep(65508), 9, "127.0.0.1", cb) end,
  ENOBUFS = function(_, cb) new({ type = "udp4", sendQueueLimit = 1 }):send("xx", 9, "127.0.0.1", cb) end,
  ENOTFOUND = function(s, cb) s:send("x", 9, "nohost.invalid", cb) end,
  EACCES = function(s, cb) s:send("x", 9, "127.255.255.255", cb) end,
  EINVAL = function(s, cb) s:send("x", 9, "::1", cb) end,
  ENOENT = function(_, cb) new("unix_dgram"):send("x", unix.path "nobody", cb) end,
  ENAMETOOLONG = function(_, cb) new("unix_dgram"):send("x", "/" .. ("x"):rep(200), cb) end,
  ERR_IP_BLOCKED = function(_, cb)
    local list = dgram.BlockList()
    list:addSubnet("127.0.0.0", 8)
    new({ type = "udp4", sendBlockList = list }):send("x", 9, "127.0.0.1", cb)
  end,
  ERR_INVALID_IP_ADDRESS = function(_, cb)
    local function lookup(_, _, answer) answer(nil, "nonsense") end
    new({ type = "udp4", lookup = lookup }):send("x", 9, "some.name", cb)
  end,
  ECONNREFUSED = function(s, cb)
    local gone, port = sockets.bound "udp4"
    gone:close()
    loop.turn()
    s:on("error", cb)
    s:connectSync(port)
    s:send "x"
  end,
}

local function keys(list)
  local names = {}
  for name in pairs(list) do names[#names + 1] = name end
  table.sort(names)
  return names
end

describe("the code", function()
  loop.guard()

  -- sockets that a case leaves to the collector end here
  local function finish(socket)
    pcall(socket.close, socket)
    for _, fn in ipairs(undo) do fn() end
    undo = {}
    loop.turn()
    collectgarbage()
    collectgarbage()
    loop.run(20)
  end

  for _, code in ipairs(keys(raised)) do
    it(code .. " is raised", function()
      local socket = new "udp4"
      local ok, err = pcall(raised[code][2], socket)
      assert.is_false(ok)
      faults.check(err, { code = code, name = raised[code][1] })
      finish(socket)
    end)
  end

  for _, code in ipairs(keys(refused)) do
    it(code .. " is raised", function()
      local socket = new "udp4"
      local ok, err = pcall(refused[code][2], socket)
      assert.is_false(ok)
      faults.system(err, { code = code, syscall = refused[code][1] })
      assert.is_truthy(tostring(err):find(("^%s %s"):format(err.syscall, code)), tostring(err))
      if code == "EBADF" then assert.is_nil(err.address) end
      finish(socket)
    end)
  end

  for _, code in ipairs(keys(told)) do
    it(code .. " is told", function()
      local socket = new "udp4"
      local seen
      told[code](socket, function(err) seen = seen or err end)
      loop.wait(function() return seen end, 20)
      if code == "ENOTFOUND" and seen.code == "EAI_AGAIN" then code = "EAI_AGAIN" end
      faults.check(seen, { code = code })
      assert.equal(code:find "^ERR_" == nil, seen.syscall ~= nil)
      assert.equal(seen.syscall ~= nil, seen.errno ~= nil)
      finish(socket)
    end)
  end
end)

describe("a message", function()
  loop.guard()

  -- The call, and what its message must have in it: the argument, what was expected, what came.
  local cases = {
    { function() dgram.createSocket "tcp" end, { "udp4", "udp6", "unix_dgram", "tcp" } },
    { function() dgram.createSocket { type = "udp4", colour = "red" } end, { "colour" } },
    { function() dgram.createSocket { type = "udp4", reuseAddr = "yes" } end, { "reuseAddr", "boolean", "yes" } },
    { function() dgram.createSocket { type = "udp4", lookup = 42 } end, { "lookup", "function", "42" } },
    { function() dgram.createSocket { type = "udp4", signal = 42 } end, { "signal", "42" } },
    { function() dgram.createSocket { type = "udp4", sendBlockList = 7 } end, { "sendBlockList", "BlockList", "7" } },
    { function() dgram.createSocket { type = "udp4", sendQueueLimit = -5 } end, { "sendQueueLimit", "-5" } },
    { function() dgram.createSocket { type = "udp4", recvBufferSize = "big" } end, { "big" } },
    { function() dgram.createSocket("udp4", 42) end, { "callback", "function", "42" } },
    { function(s) s:bind(65536) end, { "[Pp]ort", "65536" } },
    { function(s) s:bind "80" end, { "[Pp]ort", "80" } },
    { function(s) s:bind { prot = 1 } end, { "prot" } },
    { function(s) s:bind { exclusive = 1 } end, { "exclusive", "boolean", "1" } },
    { function(s) s:bind { fd = "3" } end, { "fd", "3" } },
    { function(s) s:bind(0, true) end, { "address", "string", "true" } },
    { function(s) s:bind(0, "127.0.0.1", 7) end, { "callback", "function", "7" } },
    { function(s) s:bindSync(7) end, { "options", "table", "7" } },
    { function(s) s:bindSync { address = "some.name" } end, { "options%.address", "some%.name" } },
    { function(s) s:connect(0) end, { "[Pp]ort", "0" } },
    { function(s) s:connect(9, {}) end, { "address", "string", "table" } },
    { function(s) s:connectSync(9, "some.name") end, { "'address'", "some%.name" } },
    { function(s) s:send(42, 9) end, { "msg", "string", "42" } },
    { function(s) s:send("x", 70000) end, { "[Pp]ort", "70000" } },
    { function(s) s:send("x", -1, 1, 9) end, { "offset", "%-1" } },
    { function(s) s:send("x", 0, 2, 9) end, { "length" } },
    { function(s) s:send("x", 9, true) end, { "address", "string", "true" } },
    { function(s) s:sendto("x", 0, 1, 9) end, { "address", "string", "nil" } },
    { function(s) s:setTTL "64" end, { "ttl", "number", "64" } },
    { function(s) s:setTTL(256) end, { "ttl", "1", "255", "256" } },
    { function(s) s:setMulticastTTL(1.5) end, { "ttl", "1%.5" } },
    { function(s) s:setBroadcast(1) end, { "boolean", "1" } },
    { function(s) s:addMembership() end, { "multicastAddress" } },
    { function(s) s:addMembership(42) end, { "string", "42" } },
    { function(s) s:addSourceSpecificMembership("x", 7) end, { "groupAddress", "string", "7" } },
    { function(s) s:close(42) end, { "callback", "function", "42" } },
    { function(s) s:on("message", 42) end, { "listener", "function", "42" } },
    { function(s) s:address(42) end, { "42" } },
    { function(s) s.bind(42) end, { "self", "Socket", "42" } },
    { function() dgram.run(42) end, { "mode", "string", "42" } },
    { function() dgram.run "sometimes" end, { "sometimes" } },
    { function() dgram.setUncaughtHandler(42) end, { "function", "42" } },
    { function() dgram.BlockList():addAddress(42) end, { "address", "string", "42" } },
    { function() dgram.BlockList():addAddress "x" end, { "x" } },
    { function() dgram.BlockList():addSubnet("1.2.3.4", 33) end, { "prefix", "32", "33" } },
    { function() dgram.BlockList():addSubnet("1.2.3.4", "8") end, { "prefix", "number", "8" } },
    { function() dgram.BlockList():addAddress("1.2.3.4", "ipv5") end, { "family", "ipv5" } },
    { function() dgram.BlockList():addRange("1.2.3.5", "1.2.3.4") end, { "start", "end" } },
    { function() new("unix_dgram"):bind(80) end, { "path", "string", "80" } },
    { function() new("unix_dgram"):connect() end, { "path", "string", "nil" } },
    { function() new("unix_dgram"):send("x", 80) end, { "path", "string", "80" } },
    { function() new("unix_dgram"):bind "" end, { "path", "empty" } },
    { function() new("unix_dgram"):bind "a\0b" end, { "path", "NUL" } },
  }

  it("names the argument, what was expected, and what came", function()
    local socket = new "udp4"
    socket:on("error", never())
    local wrong = {}
    for i, case in ipairs(cases) do
      local ok, err = pcall(case[1], socket)
      assert.is_false(ok, "case " .. i)
      assert.equal("string", type(err.message), "case " .. i .. ": " .. tostring(err))
      for _, part in ipairs(case[2]) do
        if not err.message:find(part) then wrong[#wrong + 1] = ("no %q in: %s"):format(part, err.message) end
      end
    end
    assert.same({}, wrong)
    socket:close()
    loop.turn()
    collectgarbage()
    collectgarbage()
    loop.run()
  end)

  it("of the system names call, code and the peer", function()
    local cases_of_system = {
      { function(s) s:address() end, "getsockname EBADF" },
      { function(s) s:bindSync { address = "203.0.113.1" } end, "bind EADDRNOTAVAIL 203.0.113.1" },
      { function(s) s:connectSync(9, "127.255.255.255") end, "connect EACCES 127.255.255.255:9" },
      { function() new("unix_dgram"):connectSync "/nobody/here" end, "connect ENOENT /nobody/here" },
      { function() new("unix_dgram"):bindSync { path = "/nobody/here" } end, "bind ENOENT /nobody/here" },
    }
    local socket = new "udp4"
    for _, case in ipairs(cases_of_system) do
      local ok, err = pcall(case[1], socket)
      assert.is_false(ok)
      assert.equal(case[2], tostring(err):sub(1, #case[2]))
      assert.equal(err.message, tostring(err))
    end
    socket:close()
    loop.turn()
    collectgarbage()
    collectgarbage()
    loop.run()
    if not can.ipv6() then need(pending, can.ipv6()) end
    local six = new "udp6"
    local ok, err = pcall(six.bindSync, six, { address = "2001:db8::1", port = 9 })
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find "^bind E%u+ .*2001:db8::1", tostring(err))
    six:close()
    loop.run()
  end)
end)
