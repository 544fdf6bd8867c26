-- SPDX-License-Identifier: MIT
-- System calls that fail: strace makes them. Whatever fails, each send has one result, the loop ends, and nothing spins.
local can = require "spec.support.can"
local child = require "spec.support.child"
local dgram = require "dgram"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"

local need = can.need

-- The child's program: a bit of everything, each outcome counted.
local program = [[
  local dgram, uv = require "dgram", require "luv"
  local unpack = rawget(_G, "unpack") or table.unpack
  local accepted, told, twice, events = 0, 0, 0, 0
  local late = false
  local function check(err)
    if type(err) ~= "table" or not err.code then error("no error object: " .. tostring(err), 0) end
    events = events + 1
  end
  dgram.setUncaughtHandler(function(err)
    if type(err) ~= "table" then print("uncaught " .. tostring(err)) os.exit(1) end
    events = events + 1
  end)
  local function try(fn, ...)
    local ok, result = pcall(fn, ...)
    if ok then return result end
    check(result)
  end
  local made = {}
  local function new(...)
    local socket = try(dgram.createSocket, ...)
    made[#made + 1] = socket
    return socket
  end
  local function send(socket, ...)
    local arguments, answered = { ... }, false
    arguments[#arguments + 1] = function(err)
      if answered then twice = twice + 1 end
      answered = true
      told = told + 1
      if err then check(err) end
    end
    local ok, err = pcall(socket.send, socket, unpack(arguments))
    if ok then accepted = accepted + 1 else check(err) end
  end
  local function finish()
    for _, socket in ipairs(made) do pcall(socket.close, socket) end
  end
  local got, lone = 0, 0
  local receiver = new("udp4", function() got = got + 1 end)
  local sender = new { type = "udp4", reuseAddr = true, recvBufferSize = 100000 }
  if receiver then try(receiver.bind, receiver, 0, "127.0.0.1") end
  local at = receiver and try(receiver.address, receiver)
  if at and sender then
    for _ = 1, 10 do send(sender, "train", at.port, "127.0.0.1") end
    try(sender.flush, sender)
    for i = 1, 10 do send(sender, ("x"):rep(i), at.port, "127.0.0.1") end
    try(sender.flush, sender)
    send(sender, "alone", at.port, "127.0.0.1")
  end
  local plain = new({ type = "udp4", gro = false }, function() lone = lone + 1 end)
  if plain then try(plain.bind, plain, 0, "127.0.0.1") end
  local its = plain and try(plain.address, plain)
  if its and sender then
    for _ = 1, 3 do
      send(sender, "lone", its.port, "127.0.0.1")
      try(dgram.run, "nowait")
    end
  end
  for _ = 1, 2 do try(dgram.run, "nowait") end
  local connected = new "udp4"
  if at and connected and pcall(connected.connect, connected, at.port, "127.0.0.1", function() end) then
    pcall(function() connected:remoteAddress() end)
    if pcall(connected.remoteAddress, connected) then send(connected, "connected") end
  end
  local reader, writer = new("unix_dgram", function() got = got + 1 end), new "unix_dgram"
  if reader then try(reader.bind, reader) end
  local name = reader and try(reader.address, reader)
  if name and writer and name.address ~= "" then
    for _ = 1, 20 do send(writer, "unix", name.address) end
  end
  if receiver then try(receiver.setTTL, receiver, 9); try(receiver.getRecvBufferSize, receiver) end
  -- more
  local deadline, patience = uv.new_timer(), uv.new_timer()
  deadline:start(4000, 0, function() late = true; finish(); uv.stop() end)
  deadline:unref()
  patience:start(150, 0, function() patience:close(); finish() end)
  local before = os.clock()
  for _ = 1, 50 do
    try(dgram.run)
    if late or not uv.loop_alive() then break end
  end
  print(("accepted=%d told=%d twice=%d got=%d lone=%d events=%d late=%s alive=%s busy=%s"):format(accepted, told,
    twice, got, lone, events, tostring(late), tostring(uv.loop_alive()), tostring(os.clock() - before > 1)))
]]

-- What stands at its mark where it is asked for.
local more = [[
  -- Files: the folder is locked where a dead socket may lie there, and the mode is set before bind and after it.
  local file = new { type = "unix_dgram", reuseAddr = true }
  local path = os.tmpname()
  os.remove(path)
  local dead = new "unix_dgram"
  if dead and pcall(dead.bindSync, dead, { path = path .. "-1" }) then
    uv.fs_link(path .. "-1", path) -- what is left of it when it has closed
    try(dead.close, dead)
  end
  if file and pcall(file.bindSync, file, { path = path, mode = "0600" }) then
    for _ = 1, 5 do send(file, "file", path) end
    -- A peer that closes with something left to send refuses what comes: shutdown.
    local full, closing = new "unix_dgram", new "unix_dgram"
    local place = full and try(full.bindSync, full)
    if closing and place and place.address ~= "" then
      for _ = 1, 30 do send(closing, "waits", place.address) end
      try(closing.flush, closing)
      try(closing.close, closing)
      try(full.discard, full)
    end
  end
  -- A peer that is not there: ICMP errors, which the error queue may hold.
  local unheard = new "udp4"
  if unheard and pcall(unheard.connectSync, unheard, 9, "127.0.0.1") then
    for _ = 1, 3 do send(unheard, "unheard"); try(dgram.run, "nowait") end
    try(unheard.disconnect, unheard)
    try(unheard.remoteAddress, unheard)
  end
]]

local function paths()
  return ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
end

-- Runs Lua's source with the call failing (on that file, if there is one), `stdin` being a descriptor; returns the process.
local function traced(source, call, errno, when, file, stdin)
  local strace = need(pending, can.program "strace")
  local arguments = { "-f", "-qq", "-o", "/dev/null", "-e", "trace=" .. call, "-e",
    ("inject=%s:error=%s:when=%s"):format(call, errno, when), child.interpreter(), "-e", paths(), "-e", source }
  if file then
    table.insert(arguments, 1, file)
    table.insert(arguments, 1, "-P")
  end
  local process = child.start(strace, arguments, { stdin = stdin }):wait(30)
  need(pending, not process.err:find "ptrace", "strace cannot trace here")
  return process
end

-- How often the call comes while the interpreter and the libraries are loaded, which is not to fail.
local function calls_of_start(call)
  local strace = need(pending, can.program "strace")
  local process = child.start(strace, { "-f", "-qq", "-e", "trace=" .. call, child.interpreter(), "-e", paths(), "-e",
    'require "dgram" require "luv"' }):wait(30)
  need(pending, not process.err:find "ptrace", "strace cannot trace here")
  return select(2, process.err:gsub(call .. "%(", ""))
end

-- The same for the program above; returns what it counted, by name.
local function run(call, errno, when, file, source)
  local process = traced(source or program, call, errno, when, file)
  local found = {}
  for key, value in process.out:gmatch "(%w+)=(%w+)" do found[key] = tonumber(value) or value end
  assert.is_not_nil(found.told, ("status %s, signal %s: %s%s"):format(process.status, process.signal, process.out,
    process.err))
  return found
end

local function check(found)
  assert.equal(found.accepted, found.told, "each send has its verdict")
  assert.equal(0, found.twice, "and one only")
  assert.same({ "false", "false", "false" }, { found.late, found.alive, found.busy }, "the loop ends and does not spin")
  return found
end

-- AddressSanitizer's leak check traces by itself, and a tracer excludes another.
local function can_trace()
  if os.getenv "LD_PRELOAD" then return nil, "a sanitizer is preloaded" end
  return can.program "strace"
end

local cases = {
  { "sendmsg", { "EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EIO", "EMSGSIZE", "EINVAL", "EPERM", "ECONNREFUSED" } },
  { "sendmmsg", { "EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EIO", "EMSGSIZE", "EINVAL", "EPERM", "ECONNREFUSED" } },
  { "sendto", { "EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EIO", "EMSGSIZE", "EINVAL", "EPERM", "ECONNREFUSED" } },
  { "recvfrom", { "EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EIO", "ECONNREFUSED" } },
  { "recvmsg", { "EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EIO", "ECONNREFUSED" } },
  { "recvmmsg", { "EINTR", "EAGAIN", "ENOMEM" } },
  { "socket", { "EMFILE", "ENFILE", "ENOBUFS", "EACCES" } },
  { "bind", { "EADDRINUSE", "EACCES", "ENOMEM" } },
  { "connect", { "EINTR", "ENETUNREACH", "EAGAIN" } },
  { "setsockopt", { "ENOPROTOOPT", "EPERM" } },
  { "getsockopt", { "ENOPROTOOPT", "EINVAL" } },
  { "getsockname", { "ENOBUFS" } },
  { "dup2", { "EINTR", "EBUSY", "EMFILE" } },
}

-- What only files, peers that close, and peers that are not there ask for.
local rare = {
  { "getpeername", { "ENOBUFS", "ENOTCONN" } },
  { "shutdown", { "ENOBUFS", "ENOTCONN" } },
  { "flock", { "EINTR", "EAGAIN", "ENOLCK" } },
  { "fchmod", { "EPERM", "EIO" } },
  { "fchmodat", { "EPERM", "EROFS" } },
  { "unlink", { "EPERM", "ENOENT" } },
  { "recvmsg", { "EINTR", "ENOBUFS", "ECONNREFUSED" } },
  { "fcntl", { "EMFILE", "EINVAL" } },
  { "fstat", { "EIO" } },
}

describe("system calls that fail", function()
  loop.guard()

  for _, case in ipairs(cases) do
    it(case[1] .. ", the first and a later one", function()
      need(pending, can_trace())
      for _, errno in ipairs(case[2]) do
        for _, when in ipairs { "1", "3" } do check(run(case[1], errno, when)) end
      end
    end)
  end

  for _, case in ipairs(rare) do
    it(case[1] .. ", each time in a row", function()
      need(pending, can_trace())
      local wider, before = program:gsub("%-%- more", function() return more end), calls_of_start(case[1])
      for _, errno in ipairs(case[2]) do
        for _, when in ipairs { "1", "2", "1+" } do
          local which = when:gsub("%d", function(digit) return before + digit end)
          if case[1] ~= "recvmsg" or when ~= "1+" then check(run(case[1], errno, which, nil, wider)) end
        end
      end
    end)
  end

  it("are told once, and lose nothing, where the first receive of a dispatch is one", function()
    need(pending, can_trace())
    local usual = check(run("recvmsg", "EAGAIN", "1"))
    local found = check(run("recvmsg", "EIO", "1"))
    assert.same({ usual.got, usual.lone, usual.events + 1 }, { found.got, found.lone, found.events })
  end)

  it("leave no socket open that cannot be retired", function()
    need(pending, can_trace())
    for _, errno in ipairs { "EMFILE", "ENOENT" } do check(run("openat", errno, "1+", "/dev/null")) end
  end)

  it("leave a socket as it was where the buffer sizes of an adopted descriptor are refused", function()
    need(pending, can_trace())
    local source = [[
      local dgram = require "dgram"
      local made, socket = pcall(dgram.createSocket, { type = "udp4", recvBufferSize = 20000, sendBufferSize = 20000 })
      if not made then print "not made" os.exit(0) end
      local number = socket:fileno()
      local done, err = pcall(socket.bind, socket, { fd = 0 })
      if done then print "adopted" os.exit(0) end
      assert(socket:fileno() == number and err.code == "ERR_SOCKET_BUFFER_SIZE")
      socket:bindSync { address = "127.0.0.1" }
      dgram.createSocket("udp4"):bind { fd = 0 }
      print "refused"
    ]]
    local owner = peers.new()
    local refused = 0
    for when = 1, 10 do
      local process = traced(source, "setsockopt", "ENOBUFS", tostring(when), nil, owner.handle:fileno())
      assert.same({ 0, "" }, { process.status, process.err })
      if process.out == "refused\n" then refused = refused + 1 end
    end
    owner:close()
    loop.run()
    assert.equal(2, refused)
  end)

  it("leave a refused train to go as single datagrams", function()
    need(pending, can_trace())
    local socket = dgram.createSocket "udp4"
    local segments = socket:stats().gso
    socket:close()
    loop.run()
    need(pending, segments, "no segmented sends here")
    for _, errno in ipairs { "EIO", "EINVAL", "EMSGSIZE" } do
      local found = check(run("sendmsg", errno, "1"))
      assert.same({ 42, 0 }, { found.got, found.events }, errno)
    end
  end)

  it("cost no more than themselves when they go on for a while", function()
    need(pending, can_trace())
    for _, errno in ipairs { "EINTR", "EAGAIN", "ENOBUFS" } do check(run("sendmmsg,sendmsg,sendto", errno, "1..20")) end
    for _, errno in ipairs { "EINTR", "EAGAIN" } do check(run("recvmsg,recvmmsg,recvfrom", errno, "1..20")) end
  end)
end)
