-- SPDX-License-Identifier: MIT
-- Unix peers that do not read: each holds back what is for it, and nothing else; what waits can be given up; a close ends
-- whatever closing sockets have for each other.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local finalized = require "spec.support.finalized"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram = require "dgram"

local need, expect, new = can.need, loop.expect, sockets.new

-- A bound reader that does not read until it is told to; what it got then.
local function idle(name)
  local reader, path = unix.bound(nil, name)
  local got = {}
  return {
    socket = reader, path = path, got = got,
    read = function() reader:on("message", function(msg) got[#got + 1] = { msg = msg } end) end,
  }
end

local function close(...)
  sockets.close_all(...)
  loop.run(20)
end

local function numbered(sender, path, total, report)
  for i = 1, total do sender:send("number " .. i, path, report and report(i)) end
end

describe("a Unix peer that does not read", function()
  loop.guard()

  it("holds back nobody else, whatever order the sends had", function()
    local stuck, sender = { idle(), idle(), idle() }, new "unix_dgram"
    local free, path, got = unix.collector()
    for i = 1, 60 do
      for _, each in ipairs(stuck) do sender:send("number " .. i, each.path) end
      sender:send("number " .. i, path)
    end
    loop.wait(function() return #got == 60 end)
    unix.check_filled(got, 60)
    assert.is_true(sender:getSendQueueCount() >= 3 * 30)
    for _, each in ipairs(stuck) do
      each.read()
      loop.wait(function() return #each.got == 60 end)
      unix.check_filled(each.got, 60)
    end
    assert.same({ 0, 0 }, { sender:getSendQueueCount(), sender:getSendQueueSize() })
    close(sender, free, stuck[1].socket, stuck[2].socket, stuck[3].socket)
  end)

  it("has its callbacks in order, and others theirs", function()
    local stuck, sender = idle(), new "unix_dgram"
    local free, path, got = unix.collector()
    local told = { stuck = {}, free = {} }
    local function report(who)
      return function(i)
        return function(err, bytes)
          assert.is_nil(err)
          assert.equal(#("number " .. i), bytes)
          table.insert(told[who], i)
        end
      end
    end
    numbered(sender, stuck.path, 60, report "stuck")
    numbered(sender, path, 60, report "free")
    loop.wait(function() return #got == 60 and #told.free == 60 end)
    assert.is_true(#told.stuck < 60)
    stuck.read()
    loop.wait(function() return #stuck.got == 60 and #told.stuck == 60 end)
    for i = 1, 60 do assert.same({ i, i }, { told.stuck[i], told.free[i] }) end
    unix.check_filled(stuck.got, 60)
    close(sender, free, stuck.socket)
  end)

  it("is counted, by datagrams and by bytes, and drain comes when all has gone", function()
    local stuck, sender = idle(), new { type = "unix_dgram", sendQueueLimit = 20000 }
    local drained, refused = 0, 0
    sender:on("drain", function()
      drained = drained + 1
      assert.equal(0, sender:getSendQueueCount())
    end)
    sender:on("error", function(err)
      faults.system(err, { code = "ENOBUFS", syscall = "send" })
      refused = refused + 1
    end)
    local answers = {}
    for _ = 1, 100 do
      sender:send(("x"):rep(1000), stuck.path)
      loop.turn(1)
      answers[#answers + 1] = sender:getSendQueueSize()
      assert.equal(1000 * sender:getSendQueueCount(), sender:getSendQueueSize())
    end
    loop.turn()
    local waiting = sender:getSendQueueCount()
    assert.equal(math.floor(20000 / 1064), waiting)
    local first = 100 - waiting - refused
    assert.equal(0, drained)
    stuck.read()
    loop.wait(function() return #stuck.got == first + waiting and drained > 0 end)
    loop.turn()
    assert.equal(1, drained)
    close(sender, stuck.socket)
  end)

  it("gets at once what is sent to it once it has read everything", function()
    for _, report in ipairs { false, function() end } do
      local stuck, sender = idle(), new "unix_dgram"
      for i = 1, 60 do sender:send("number " .. i, stuck.path, report or nil) end
      loop.turn()
      stuck.read()
      loop.wait(function() return #stuck.got == 60 and sender:getSendQueueCount() == 0 end)
      loop.turn(5)
      sender:send("number 61", stuck.path)
      assert.equal(0, sender:getSendQueueCount())
      loop.wait(function() return #stuck.got == 61 end)
      unix.check_filled(stuck.got, 61)
      close(sender, stuck.socket)
    end
  end)

  it("keeps its order when the sender is connected to it, and disconnected, meanwhile", function()
    local stuck, sender = idle(), new "unix_dgram"
    numbered(sender, stuck.path, 60)
    loop.turn()
    sender:connect(stuck.path)
    for i = 61, 90 do sender:send("number " .. i) end
    loop.turn()
    sender:disconnect()
    for i = 91, 120 do sender:send("number " .. i, stuck.path) end
    loop.turn()
    stuck.read()
    loop.wait(function() return #stuck.got == 120 end)
    unix.check_filled(stuck.got, 120)
    close(sender, stuck.socket)
  end)

  it("keeps its order when it had been the connected peer before", function()
    local stuck, sender = idle(), new "unix_dgram"
    sender:connect(stuck.path)
    for i = 1, 60 do sender:send("number " .. i) end
    loop.turn()
    sender:disconnect()
    for i = 61, 90 do sender:send("number " .. i, stuck.path) end
    loop.turn()
    stuck.read()
    loop.wait(function() return #stuck.got == 90 end)
    unix.check_filled(stuck.got, 90)
    close(sender, stuck.socket)
  end)

  it("that dies fails what waits for it, and nothing else", function()
    need(pending, unix.has_abstract()) -- a file would go with it: ENOENT
    local stuck, other, sender = idle(unix.abstract()), idle(), new "unix_dgram"
    local failed, sent = 0, 0
    local function report()
      return function(err)
        if not err then
          sent = sent + 1
          return
        end
        faults.system(err, { code = "ECONNREFUSED", syscall = "send", address = stuck.path })
        failed = failed + 1
      end
    end
    numbered(sender, stuck.path, 60, report)
    numbered(sender, other.path, 60)
    loop.turn()
    local before = sent
    stuck.socket:close()
    loop.wait(function() return failed + sent == 60 end)
    assert.is_true(before >= 1 and sent == before)
    other.read()
    loop.wait(function() return #other.got == 60 end)
    unix.check_filled(other.got, 60)
    close(sender, other.socket)
  end)

  it("that dies, and whose sends have no callback, is as many error events", function()
    need(pending, unix.has_abstract())
    local stuck, sender = idle(unix.abstract()), new "unix_dgram"
    local errors = 0
    sender:on("error", function(err)
      faults.system(err, { code = "ECONNREFUSED", syscall = "send", address = stuck.path })
      errors = errors + 1
    end)
    numbered(sender, stuck.path, 60)
    loop.turn()
    local waiting = sender:getSendQueueCount()
    stuck.socket:close()
    loop.wait(function() return errors == waiting end)
    close(sender)
    assert.equal(waiting, sender:stats().sendErrors)
  end)

  it("holds back the rest of a list, whose callback comes once, when all has gone", function()
    local stuck, sender, list, told = idle(), new "unix_dgram", {}, {}
    for i = 1, 60 do list[i] = "number " .. i end
    sender:sendMany(list, stuck.path, function(err, count)
      assert.is_nil(err)
      told[#told + 1] = count
    end)
    loop.turn()
    assert.same({}, told)
    assert.is_true(sender:getSendQueueCount() > 0)
    stuck.read()
    loop.wait(function() return #stuck.got == 60 and told[1] end)
    loop.turn()
    assert.same({ 60 }, told)
    unix.check_filled(stuck.got, 60)
    close(sender, stuck.socket)
  end)

  it("costs nothing while it does not read, among many", function()
    local sender, stuck = new "unix_dgram", {}
    for i = 1, 50 do
      stuck[i] = idle()
      numbered(sender, stuck[i].path, 30)
    end
    loop.turn()
    loop.pass(150) -- the pauses between two tries grow
    local turns = loop.count_turns()
    loop.pass(300)
    turns = turns()
    sender:discard()
    for _, each in ipairs(stuck) do each.socket:close() end
    close(sender)
    assert.is_true(turns < 60, turns .. " turns of the loop")
  end)

  it("leaves nothing behind: thousands of destinations, one after the other", function()
    local sender = new "unix_dgram"
    local function one()
      local stuck = idle()
      for i = 1, 15 do sender:send("number " .. i, stuck.path, function() end) end
      loop.turn()
      assert.is_true(sender:getSendQueueCount() > 0)
      stuck.read()
      loop.wait(function() return #stuck.got == 15 and sender:getSendQueueCount() == 0 end)
      stuck.socket:close()
      loop.turn()
    end
    for _ = 1, 20 do one() end
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 200 do one() end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 60, "memory grows")
    close(sender)
  end)

  it("is forgotten by callbacks and finalizers that send, run the loop, close", function()
    for round = 1, 80 do
      local stuck, sender = idle(), new "unix_dgram"
      local told, sent = 0, 0
      stuck.socket:on("message", function() end)
      stuck.socket:pause()
      local function send()
        sent = sent + 1
        sender:send("x", stuck.path, function()
          told = told + 1
          return sent
        end)
      end
      for i = 1, 10 + round do
        send()
        if i % 7 == 0 then loop.turn(1) end
      end
      finalized(function()
        stuck.socket:resume()
        for _ = 1, 100 do
          dgram.run "nowait"
          if sender:getSendQueueCount() == 0 then break end
        end
        if round % 4 == 0 then sender:close() end
      end)
      collectgarbage "stop"
      collectgarbage "restart"
      for _ = 1, 20 do pcall(send) end
      collectgarbage()
      stuck.socket:resume()
      pcall(sender.close, sender)
      loop.wait(function() return sender:getSendQueueCount() == 0 end)
      loop.turn()
      stuck.socket:close()
      loop.turn()
      assert.is_true(told <= sent)
    end
  end)
end)

describe("discard", function()
  loop.guard()

  it("gives up what waits: how many, ECANCELED for each callback, in order, drain", function()
    local stuck, sender = { idle(), idle() }, new { type = "unix_dgram", sendQueueLimit = 6000 }
    local told, drained = {}, 0
    sender:on("error", loop.never())
    sender:on("drain", function() drained = drained + 1 end)
    for i = 1, 80 do
      sender:send("x", stuck[i % 2 + 1].path, i % 4 < 2 and function(err, bytes)
        if err then
          faults.system(err, { code = "ECANCELED", syscall = "send" })
          assert.equal(1, bytes)
          told[#told + 1] = i
        end
      end or nil)
    end
    loop.turn()
    local waiting = sender:getSendQueueCount()
    assert.equal(waiting, sender:discard())
    assert.same({ 0, 0 }, { sender:getSendQueueCount(), sender:getSendQueueSize() })
    assert.same({}, told)
    assert.equal(0, sender:discard())
    loop.turn()
    assert.is_true(#told > 10 and #told < waiting)
    assert.equal(1, drained)
    assert.equal(waiting, sender:stats().sendErrors)
    local closed = false
    sender:close(function() closed = true end)
    loop.turn()
    assert.is_true(closed)
    assert.equal(0, sender:discard())
    close(stuck[1].socket, stuck[2].socket)
  end)

  it("ends a close that waits for a living peer", function()
    local stuck, sender = idle(), new "unix_dgram"
    local closed, failed = false, 0
    numbered(sender, stuck.path, 60, function()
      return function(err) if err then failed = failed + 1 end end
    end)
    sender:close(function() closed = true end)
    loop.pass(20)
    assert.is_false(closed)
    local waiting = sender:getSendQueueCount()
    assert.equal(waiting, sender:discard())
    loop.turn()
    assert.is_true(closed)
    assert.equal(waiting, failed)
    assert.equal(0, sender:discard())
    close(stuck.socket)
  end)

  it("gives up what waits for look-ups and for a bind", function()
    local answers, told = {}, {}
    local sender = new { type = "udp4", lookup = function(_, _, cb) answers[#answers + 1] = cb end }
    local function report(err) told[#told + 1] = err and err.code or "sent" end
    sender:bind { address = "bind.test" }
    sender:send("x", 9, "127.0.0.1", report)
    sender:send("x", 9, "send.test", report)
    sender:sendMany({ "x", "x" }, 9, "send.test", report)
    sender:send("x", 9, "send.test")
    assert.equal(5, sender:getSendQueueCount())
    assert.equal(5, sender:discard())
    assert.equal(0, sender:getSendQueueCount())
    loop.turn()
    table.sort(told)
    assert.same({ "ECANCELED", "ECANCELED", "ECANCELED" }, told)
    for _, cb in ipairs(answers) do cb(nil, "127.0.0.1", 4) end
    loop.turn()
    assert.equal(3, #told)
    assert.equal(5, sender:stats().sendErrors)
    assert.equal(0, sender:stats().messagesSent)
    close(sender)
  end)

  it("of a list partly stuck is one callback with how many went", function()
    local stuck, sender, list, told = idle(), new "unix_dgram", {}, {}
    for i = 1, 60 do list[i] = "number " .. i end
    sender:sendMany(list, stuck.path, function(err, count) told[#told + 1] = { err.code, count } end)
    loop.turn()
    local waiting = sender:discard()
    loop.turn()
    assert.same({ { "ECANCELED", 60 - waiting } }, told)
    stuck.read()
    loop.wait(function() return #stuck.got == 60 - waiting end)
    unix.check_filled(stuck.got, 60 - waiting)
    close(sender, stuck.socket)
  end)

  it("within a callback that it causes, and beside sends there, loses and repeats nothing", function()
    local stuck, sender = idle(), new "unix_dgram"
    local calls, sent = {}, 0
    local function send()
      sent = sent + 1
      local number = sent
      sender:send("x", stuck.path, function()
        calls[number] = (calls[number] or 0) + 1
        if sent < 200 then send() end
        sender:discard()
      end)
    end
    for _ = 1, 40 do send() end
    loop.wait(function() return sender:discard() == 0 and #calls == sent end)
    loop.turn()
    assert.equal(sent, #calls)
    for i = 1, sent do assert.equal(1, calls[i]) end
    close(sender, stuck.socket)
  end)

  it("has the peer's queue as it is: what is sent next goes when there is room", function()
    local stuck, sender = idle(), new "unix_dgram"
    numbered(sender, stuck.path, 60)
    loop.turn()
    local first = 60 - sender:discard()
    for i = first + 1, first + 30 do sender:send("number " .. i, stuck.path) end
    loop.turn()
    stuck.read()
    loop.wait(function() return #stuck.got == first + 30 end)
    unix.check_filled(stuck.got, first + 30)
    close(sender, stuck.socket)
  end)

  it("takes no argument", function()
    local socket = new "udp4"
    faults.raised(faults.bad_value, socket.discard, socket, 1)
    assert.equal(0, socket:discard())
    close(socket)
    assert.equal(0, socket:discard())
  end)
end)

describe("close of Unix sockets", function()
  loop.guard()

  for what, payload in pairs { ["datagrams"] = "x", ["empty datagrams"] = "" } do
    it(("that have %s for each other and for themselves ends"):format(what), function()
      local list, closed, told, sent = {}, 0, 0, 0
      for i = 1, 4 do list[i] = unix.bound() end
      local function report() told = told + 1 end
      for i = 1, 60 do
        for _, from in ipairs(list) do
          for _, to in ipairs(list) do
            sent = sent + 1
            from:send(i % 3 == 0 and "" or payload, to:address().address, report)
          end
        end
      end
      for _, socket in ipairs(list) do socket:close(function() closed = closed + 1 end) end
      loop.run(20)
      assert.same({ 4, sent }, { closed, told })
    end)
  end

  it("that are connected to each other ends", function()
    local a, there = unix.bound()
    local b, here = unix.bound()
    local told = 0
    a:connect(here)
    b:connect(there)
    for _ = 1, 60 do
      a:send("x", function() told = told + 1 end)
      b:send("", function() told = told + 1 end)
    end
    a:close(expect())
    b:close(expect())
    loop.run(20)
    assert.equal(120, told)
  end)

  it("within a callback of theirs ends, too", function()
    local a, there = unix.bound()
    local b, here = unix.bound()
    local told, closed = 0, 0
    local function report()
      told = told + 1
      if told ~= 5 then return end
      for _, socket in ipairs { a, b } do socket:close(function() closed = closed + 1 end) end
    end
    for _ = 1, 60 do
      a:send("x", here, report)
      b:send("x", there, report)
    end
    loop.run(20)
    assert.same({ 2, 120 }, { closed, told })
  end)

  it("waits for a peer that may still read, and delivers", function()
    local stuck, sender = idle(), unix.bound()
    numbered(sender, stuck.path, 60)
    for i = 1, 60 do stuck.socket:send("back " .. i, sender:address().address, function() end) end
    local closed = false
    sender:close(function() closed = true end)
    loop.pass(20)
    assert.is_false(closed)
    stuck.read()
    loop.wait(function() return closed and #stuck.got == 60 end)
    unix.check_filled(stuck.got, 60)
    close(stuck.socket)
  end)

  it("in two processes that send to each other ends in both", function()
    local here, there = unix.path(), unix.path()
    local source = [[
      local dgram, uv = require "dgram", require "luv"
      local socket, told = dgram.createSocket "unix_dgram", 0
      socket:bind(%q)
      io.stdout:write "ready\n" io.stdout:flush()
      io.stdin:read "*l"
      for i = 1, 60 do socket:send(i %% 3 == 0 and "" or "x", %q, function() told = told + 1 end) end
      dgram.run "nowait"
      socket:close()
      dgram.run()
      io.stdout:write("told ", told, "\n")
    ]]
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local pair = {}
    for i = 1, 2 do
      local code = source:format(i == 1 and here or there, i == 1 and there or here)
      pair[i] = child.start(child.interpreter(), { "-e", paths, "-e", code }, { own = true })
      pair[i]:expect "ready\n"
    end
    for i = 1, 2 do pair[i]:write "go\n" end
    for i = 1, 2 do
      pair[i]:expect "told 60\n"
      pair[i]:wait()
      assert.same({ 0, "" }, { pair[i].status, pair[i].err })
    end
  end)
end)

-- A descriptor that others may have, too: its reading side is nobody's to shut.
describe("close of a Unix socket whose descriptor others have", function()
  loop.guard()

  local function start(source, descriptor)
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    return child.start(child.interpreter(), { "-e", paths, "-e", source }, { own = true, stdin = descriptor })
  end

  -- A function `use(socket)`, of which other processes have the text: it sends to a peer that does not read, closes, and
  -- returns how many datagrams were sent, and how many failed with ECANCELED when the loop had run out.
  local use = [[
    local dgram = require "dgram"
    local function use(socket, path)
      local sent, failed, closed = 0, 0, false
      for _ = 1, 60 do
        socket:send("x", path, function(err)
          if not err then sent = sent + 1 elseif err.code == "ECANCELED" then failed = failed + 1 end
        end)
      end
      socket:flush()
      socket:close(function() closed = true end)
      for _ = 1, 10 do dgram.run "nowait" end
      return closed and sent or -1, failed
    end
  ]]
  local use_here = assert((loadstring or load)(use .. " return use"))()

  local function check(sent, failed)
    assert.equal(60, sent + failed)
    assert.is_true(sent > 0 and failed > 0, ("%d sent, %d failed"):format(sent, failed))
  end

  it("that was adopted", function()
    local stuck, client = idle(), new "unix_dgram"
    local maker, path, got = unix.collector()
    maker:pause()
    client:send("before", path)
    local process = start(use .. ([[
      local socket = dgram.createSocket "unix_dgram"
      socket:bind { fd = 0 }
      print("used", use(socket, %q))
    ]]):format(stuck.path), maker:fileno())
    local sent, failed = process:expect "used%s+(%-?%d+)%s+(%d+)"
    process:wait()
    check(tonumber(sent), tonumber(failed))
    client:send("after", path)
    maker:resume()
    loop.wait(function() return #got == 2 end)
    assert.same({ "before", "after" }, sockets.messages(got))
    close(client, stuck.socket, maker)
  end)

  it("that fileno() handed out", function()
    need(pending, unix.has_abstract()) -- a file would go with the socket
    local stuck, client = idle(), new "unix_dgram"
    local sender, path = unix.bound(nil, unix.abstract())
    local heir = start([[
      local dgram = require "dgram"
      local socket = dgram.createSocket "unix_dgram"
      socket:bind { fd = 0 }
      print "ready" io.stdout:flush()
      socket:on("message", function(msg)
        print(msg) io.stdout:flush()
        if msg == "after" then socket:close() end
      end)
      dgram.run()
    ]], sender:fileno())
    heir:expect "ready"
    sender:pause()
    check(use_here(sender, stuck.path))
    client:send("after", path)
    heir:expect "after"
    heir:wait()
    close(client, stuck.socket)
  end)

  it("that a forked child has", function()
    if not rawget(_G, "jit") then pending "only LuaJIT can fork" end
    local stuck = idle()
    local out = child.lua_ok(use .. [[
      local ffi = require "ffi"
      ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int); long recv(int, void *, size_t, int);"
      local socket, client = dgram.createSocket "unix_dgram", dgram.createSocket "unix_dgram"
      local path = socket:bindSync().address
      client:send("before", path) client:flush()
      if ffi.C.fork() == 0 then
        local sent, failed = use(socket, %q)
        ffi.C._exit((sent > 0 and failed > 0 and sent + failed == 60) and 60 or 1)
      end
      local status = ffi.new "int[1]"
      ffi.C.waitpid(-1, status, 0)
      client:send("after", path) client:flush()
      local buffer = ffi.new "char[100]"
      local n = {}
      for i = 1, 2 do n[i] = tonumber(ffi.C.recv(socket:fileno(), buffer, 100, 0x40)) end
      print(status[0] / 256, n[1], n[2])
    ]], stuck.path)
    assert.equal("60\t6\t5\n", out)
    close(stuck.socket)
  end)
end)
