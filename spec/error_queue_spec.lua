-- SPDX-License-Identifier: MIT
-- Descriptors whose errors are queued (ip(7), IP_RECVERR): the loop is told of a queue until it is empty, so it is emptied.
-- And errors together with data: libuv stops a poll with an error that it cannot tell, and luv prints then.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"

local need = can.need

local prelude = [[
local dgram, uv = require "dgram", require "luv"
local errors, got = {}, {}
local function watch(socket)
  socket:on("error", function(err) errors[#errors + 1] = err.code end)
  socket:on("message", function(msg) got[#got + 1] = msg end)
end
-- Runs for some milliseconds; how many turns of the loop that were.
local function pass(milliseconds)
  local turns, check, timer = 0, uv.new_check(), uv.new_timer()
  check:start(function() turns = turns + 1 end)
  timer:start(milliseconds, 0, function()
    timer:close()
    check:close()
    uv.stop()
  end)
  dgram.run()
  return turns
end
local function report(turns)
  print(#errors, turns < 60 and "quiet" or turns .. " turns", table.concat(errors, ","), table.concat(got, ","))
end
]]

-- Runs the program with a descriptor that Python made as its standard input; returns its words. It must print nothing
-- else.
local function with_descriptor(family, address, options, source)
  local python = need(pending, can.program "python3")
  local maker = ([[
import os, socket, sys
s = socket.socket(socket.%s, socket.SOCK_DGRAM)
for level, name, value in %s: s.setsockopt(level, name, value)
s.bind(("%s", 0))
os.dup2(s.fileno(), 0)
os.environ["LD_PRELOAD"] = "%s" # what Python itself does not get
os.execvp(sys.argv[1], sys.argv[1:])]]):format(family, options, address, os.getenv "LD_PRELOAD" or "")
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  local words = { "-c", maker, child.interpreter(), "-e", paths, "-e", prelude .. source }
  local process = child.start(python, words):wait(60)
  if process.err:find "setsockopt" then pending("the kernel has no such option: " .. process.err) end
  assert.same({ 0, "" }, { process.status, process.err })
  return process.out
end

local function with_sockets(source)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  local process = child.start(child.interpreter(), { "-e", paths, "-e", prelude .. source }, { own = true }):wait(60)
  assert.same({ 0, "" }, { process.status, process.err })
  return process.out
end

local kinds = {
  { "udp4", "AF_INET", "127.0.0.1", "[(0, 11, 1)]" },
  { "udp6", "AF_INET6", "::1", "[(41, 25, 1)]" },
}

describe("an adopted descriptor with an error queue", function()
  loop.guard()

  for _, kind in ipairs(kinds) do
    local name, family, address, options = kind[1], kind[2], kind[3], kind[4]
    local function start(source)
      if name == "udp6" then need(pending, can.ipv6()) end
      return with_descriptor(family, address, options, (source:gsub("KIND", name):gsub("ADDRESS", address)))
    end

    it(("tells of a refusal once, and costs nothing: %s"):format(name), function()
      assert.equal("1\tquiet\tECONNREFUSED\t\n", start [[
        local s = dgram.createSocket "KIND"
        watch(s)
        s:bind { fd = 0 }
        s:send("x", 9, "ADDRESS")
        local turns = pass(200)
        s:close()
        dgram.run()
        report(turns)
      ]])
    end)

    it(("with data and errors pending together loses no datagram and prints nothing: %s"):format(name), function()
      assert.equal("quiet\ta,b,c\n", start [[
        local s, other = dgram.createSocket "KIND", dgram.createSocket "KIND"
        watch(s)
        s:bind { fd = 0 }
        s:send("x", 9, "ADDRESS")
        s:flush()
        for _, msg in ipairs { "a", "b", "c" } do
          other:send(msg, s:address().port, "ADDRESS")
          other:flush()
          s:send("x", 9, "ADDRESS", function() end)
          s:flush()
        end
        local turns = pass(200)
        s:close() other:close()
        dgram.run()
        for _, code in ipairs(errors) do assert(code == "ECONNREFUSED", code) end
        print(turns < 60 and "quiet" or turns, table.concat(got, ","))
      ]])
    end)

    it(("with hundreds of errors is empty in the end: %s"):format(name), function()
      assert.equal("quiet\theard\n", start [[
        local s, other = dgram.createSocket "KIND", dgram.createSocket "KIND"
        watch(s)
        s:bind { fd = 0 }
        for i = 1, 300 do
          s:send("x", 9, "ADDRESS", function() end)
          s:flush()
        end
        pass(50)
        local turns = pass(200)
        other:send("heard", s:address().port, "ADDRESS")
        pass(50)
        s:close() other:close()
        dgram.run()
        for _, code in ipairs(errors) do assert(code == "ECONNREFUSED", code) end
        print(turns < 60 and "quiet" or turns, got[1])
      ]])
    end)

    it(("costs nothing without a listener, paused, or while nobody sends: %s"):format(name), function()
      assert.equal("quiet\n", start [[
        local s = dgram.createSocket "KIND"
        s:on("error", function() end)
        s:bind { fd = 0 }
        s:send("x", 9, "ADDRESS")
        local turns = pass(100)
        s:on("message", function() end)
        s:pause()
        s:send("x", 9, "ADDRESS")
        turns = turns + pass(100)
        s:close()
        dgram.run()
        print(turns < 60 and "quiet" or turns)
      ]])
    end)
  end

  it("of time stamps for what is sent costs nothing, and is no error", function()
    -- SO_TIMESTAMPING: TX_SOFTWARE, SOFTWARE
    assert.equal("0\tquiet\t\theard\n", with_descriptor("AF_INET", "127.0.0.1", "[(1, 37, 2 | 16)]", [[
      local s, other = dgram.createSocket "udp4", dgram.createSocket "udp4"
      watch(s)
      s:bind { fd = 0 }
      other:bindSync { address = "127.0.0.1" }
      for _ = 1, 10 do
        s:send("x", other:address().port, "127.0.0.1")
        s:flush()
      end
      local turns = pass(200)
      other:send("heard", s:address().port, "127.0.0.1")
      pass(50)
      s:close() other:close()
      dgram.run()
      report(turns)
    ]]))
  end)
end)

describe("an ICMP error beside data", function()
  loop.guard()

  it("is told once, the data is delivered, nothing is printed", function()
    assert.equal("1\tquiet\tECONNREFUSED\tdata\n", with_sockets [[
      local a, b = dgram.createSocket "udp4", dgram.createSocket "udp4"
      b:bindSync { address = "127.0.0.1" }
      a:bindSync { address = "127.0.0.1" }
      a:connectSync(b:address().port, "127.0.0.1")
      watch(a)
      b:send("data", a:address().port, "127.0.0.1")
      b:flush() b:close()
      a:send "x" a:flush()
      local turns = pass(200)
      a:close()
      dgram.run()
      report(turns)
    ]])
  end)

  it("while nobody listens for messages is told once, and the data waits", function()
    assert.equal("1\tquiet\tECONNREFUSED\tdata\n", with_sockets [[
      local a, b = dgram.createSocket "udp4", dgram.createSocket "udp4"
      b:bindSync { address = "127.0.0.1" }
      a:bindSync { address = "127.0.0.1" }
      a:connectSync(b:address().port, "127.0.0.1")
      a:on("error", function(err) errors[#errors + 1] = err.code end)
      b:send("data", a:address().port, "127.0.0.1")
      b:flush() b:close()
      a:send "x" a:flush()
      local turns = pass(200)
      a:on("message", function(msg) got[#got + 1] = msg end)
      turns = turns + pass(50)
      a:close()
      dgram.run()
      report(turns)
    ]])
  end)
end)
