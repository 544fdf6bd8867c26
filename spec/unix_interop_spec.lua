-- SPDX-License-Identifier: MIT
-- Real peers of unix_dgram sockets: syslog's client, and socat both ways.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"

local need, new = can.need, sockets.new

local function ends_well(process)
  process:wait()
  assert.same({ 0, 0 }, { process.status, process.signal }, process.err)
end

describe("beside other programs, unix_dgram", function()
  loop.guard()

  it("serves logger", function()
    local logger = need(pending, can.program "logger")
    local server, path, got = unix.collector()
    ends_well(child.start(logger, { "-u", path, "-t", "dgram-spec", "-p", "user.notice", "hello from logger" }))
    loop.wait(function() return #got == 1 end, 20)
    assert.is_truthy(got[1].msg:find "^<13>.*dgram%-spec.*: hello from logger", got[1].msg)
    assert.same({ address = "", family = "unix", size = #got[1].msg }, got[1].rinfo)
    server:close()
    loop.run()
  end)

  it("serves logger line by line", function()
    local logger = need(pending, can.program "logger")
    local server, path, got = unix.collector()
    local process = child.start(logger, { "-u", path, "-t", "dgram-spec" })
    local lines = {}
    for i = 1, 100 do lines[i] = ("line %d of many"):format(i) end
    process:write(table.concat(lines, "\n") .. "\n")
    process:end_input()
    ends_well(process)
    loop.wait(function() return #got == 100 end, 20)
    for i = 1, 100 do assert.is_truthy(got[i].msg:find(lines[i], 1, true), got[i].msg) end
    server:close()
    loop.run()
  end)

  it("hears socat, whose sender has no name", function()
    local socat = need(pending, can.program "socat")
    local server, path, got = unix.collector()
    local process = child.start(socat, { "-u", "-", "UNIX-SENDTO:" .. path })
    process:write "hello from socat"
    process:end_input()
    loop.wait(function() return #got == 1 end, 20)
    assert.equal("hello from socat", got[1].msg)
    assert.same({ address = "", family = "unix", size = 16 }, got[1].rinfo)
    ends_well(process)
    server:close()
    loop.run()
  end)

  it("answers socat at its path", function()
    local socat = need(pending, can.program "socat")
    local server, path, got
    server, path, got = unix.collector()
    server:on("message", function(msg, rinfo) server:send("echo: " .. msg, rinfo.address) end)
    local here = unix.path "client"
    local process = child.start(socat, { "-", ("UNIX-SENDTO:%s,bind=%s"):format(path, here) })
    process:write "hello"
    process:expect "echo: hello"
    assert.equal(here, got[1].rinfo.address)
    process:stop()
    server:close()
    loop.run()
  end)

  it("answers socat at its abstract name", function()
    local socat = need(pending, can.program "socat")
    need(pending, unix.has_abstract())
    local name = unix.abstract()
    local server, _, got
    server, _, got = unix.collector(name)
    server:on("message", function(msg, rinfo) server:send("echo: " .. msg, rinfo.address) end)
    local there = unix.abstract()
    local process = child.start(socat,
      { "-", ("ABSTRACT-SENDTO:%s,bind=%s"):format(name:sub(2), there:sub(2)) })
    process:write "hello"
    process:expect "echo: hello"
    assert.same({ address = there, family = "unix", size = 5 }, got[1].rinfo)
    process:stop()
    server:close()
    loop.run()
  end)

  -- a socat that receives tells when it is ready
  local function receiving(socat, path)
    local process = child.start(socat, { "-d", "-d", "-u", "UNIX-RECV:" .. path, "-" })
    process:expect("starting data transfer loop", "err")
    return process
  end

  for how, connected in pairs { ["by path"] = false, connected = true } do
    it("sends to socat " .. how, function()
      local socat = need(pending, can.program "socat")
      local path = unix.path()
      local process = receiving(socat, path)
      local socket = new "unix_dgram"
      if connected then socket:connect(path) end
      local sent = 0
      local wanted = {}
      -- far more than its queue holds
      for i = 1, 200 do
        wanted[i] = ("message %03d;"):format(i)
        local function cb(err)
          assert.is_nil(err)
          sent = sent + 1
        end
        if connected then socket:send(wanted[i], cb) else socket:send(wanted[i], path, cb) end
      end
      wanted = table.concat(wanted)
      loop.wait(function() return #process.out >= #wanted and sent == 200 end, 20)
      assert.equal(wanted, process.out)
      process:stop()
      socket:close()
      loop.run()
    end)
  end

  it("waits for a socat that was stopped, and loses nothing", function()
    local socat = need(pending, can.program "socat")
    local path = unix.path()
    local process = receiving(socat, path)
    process:kill "sigstop"
    local socket = new "unix_dgram"
    local wanted = {}
    for i = 1, 500 do
      wanted[i] = ("message %03d;"):format(i)
      socket:send(wanted[i], path)
    end
    loop.pass(50)
    assert.is_true(socket:getSendQueueCount() > 0)
    process:kill "sigcont"
    wanted = table.concat(wanted)
    loop.wait(function() return #process.out >= #wanted end, 20)
    assert.equal(wanted, process.out)
    assert.equal(0, socket:getSendQueueCount())
    process:stop()
    socket:close()
    loop.run()
  end)

  it("is served by socat", function()
    local socat = need(pending, can.program "socat")
    local path = unix.path()
    -- each datagram goes to a program of its own, whose output goes back to the sender
    local process = child.start(socat, { "-d", "-d", ("UNIX-RECVFROM:%s,fork"):format(path), "EXEC:cat" })
    process:expect("receiving on AF=1", "err")
    local socket, _, got = unix.collector()
    for i = 1, 3 do
      socket:send("number " .. i, path)
      loop.wait(function() return #got == i end, 20)
      assert.equal("number " .. i, got[i].msg)
    end
    process:stop()
    socket:close()
    loop.run()
  end)

  it("between two Lua programs", function()
    local server, path
    local got = 0
    server, path = unix.bound(function(msg, rinfo)
      got = got + 1
      server:send("echo: " .. msg, rinfo.address)
    end)
    local process = child.start(child.interpreter(), { "-e",
      ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath), "-e", ([[
      local dgram = require "dgram"
      local s = dgram.createSocket "unix_dgram"
      local n = 0
      s:on("message", function(msg)
        assert(msg == "echo: number " .. n)
        n = n + 1
        if n > 20 then s:close() else s:send("number " .. n) end
      end)
      s:connect(%q, function() s:send "number 0" end)
      dgram.run()
      print(n)
    ]]):format(path) }, { own = true })
    process:expect "21\n"
    ends_well(process)
    assert.equal(21, got)
    server:close()
    loop.run()
  end)
end)
