-- SPDX-License-Identifier: MIT
-- Descriptors come back: at the latest when there is no other, those of closed sockets are used again, whether or not the
-- loop has run. Each program has 256 of them, or fewer.
local loop = require "spec.support.loop"
local child = require "spec.support.child"

local prelude = [[
local dgram, uv = require "dgram", require "luv"
local closed = 0
local function count() closed = closed + 1 end
local function number_of_descriptors()
  local n, scan = 0, uv.fs_scandir "/proc/self/fd"
  while scan and uv.fs_scandir_next(scan) do n = n + 1 end
  return n
end
-- Sends through the socket and hears it: what took over a closed one's handle has to be as good as new.
local function works(socket, port)
  local heard
  local other = dgram.createSocket("udp4", function(msg) heard = msg end)
  other:bindSync { address = "127.0.0.1" }
  local echo
  socket:removeAllListeners "message"
  socket:on("message", function(msg, rinfo) socket:send(msg, rinfo.port, rinfo.address) end)
  other:send("echo", port or socket:address().port, "127.0.0.1")
  local timer, late = uv.new_timer(), false
  timer:start(20000, 0, function() late = true end)
  while not heard and not late do dgram.run "once" end
  timer:close()
  other:close(count)
  assert(heard == "echo", "nothing was heard")
end
local function finish(wanted)
  dgram.run()
  assert(closed == wanted, closed .. " close events of " .. wanted)
  dgram.run()
  assert(uv.loop_close() == 0 or uv.loop_close == nil)
  io.stdout:write "ok\n"
end
]]

local function program(source, limit)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  local process = child.start("/bin/sh", { "-c", ('ulimit -n %d; exec "$@"'):format(limit or 256), "sh",
    child.interpreter(), "-e", paths, "-e", prelude .. source }, { own = true }):wait(60)
  if process.out ~= "ok\n" or process.status ~= 0 then
    error(("status %d; out: %s; err: %s"):format(process.status, process.out, process.err), 2)
  end
  assert.equal("", process.err)
end

describe("with few descriptors", function()
  loop.guard()

  it("thousands of sockets are used and closed without a turn of the loop", function()
    program [[
      for i = 1, 3000 do
        local socket = dgram.createSocket "udp4"
        socket:bindSync { address = "127.0.0.1" }
        socket:send("metric", 9, "127.0.0.1")
        socket:close(count)
      end
      finish(3000)
    ]]
  end)

  it("and with listeners, names and callbacks", function()
    program [[
      local told = 0
      for i = 1, 2000 do
        local socket = dgram.createSocket("udp4", function() end)
        socket:bind(0, "127.0.0.1")
        socket:send("metric", 9, "127.0.0.1", function() told = told + 1 end)
        socket:close(count)
      end
      finish(2000)
      assert(told == 2000)
    ]]
  end)

  it("and of all kinds by turns", function()
    program [[
      local kinds = { "udp4", "unix_dgram", "udp6", "unix_dgram" }
      for i = 1, 2000 do
        local socket = dgram.createSocket(kinds[i % 4 + 1])
        socket:on("message", function() end)
        pcall(socket.bindSync, socket)
        socket:close(count)
      end
      finish(2000)
    ]]
  end)

  it("and inside of one callback", function()
    program [[
      local socket = dgram.createSocket "udp4"
      socket:send("x", 9, "127.0.0.1", function()
        for i = 1, 2000 do
          local each = dgram.createSocket("udp4", function() end)
          each:bindSync { address = "127.0.0.1" }
          each:close(count)
        end
        socket:close(count)
      end)
      finish(2001)
    ]]
  end)

  it("and inside of one callback of luv's", function()
    program [[
      local timer = uv.new_timer()
      timer:start(0, 0, function()
        timer:close()
        for i = 1, 2000 do
          local each = dgram.createSocket("udp4", function() end)
          each:bindSync { address = "127.0.0.1" }
          each:close(count)
        end
      end)
      finish(2000)
    ]]
  end)

  it("those that nobody closed but the collector come back, too", function()
    program [[
      for i = 1, 2000 do
        local done, socket = pcall(dgram.createSocket, "udp4")
        if not done then
          dgram.run "nowait" -- `listening` is to be told
          collectgarbage()
          collectgarbage()
          socket = dgram.createSocket "udp4"
        end
        socket:bindSync { address = "127.0.0.1" }
      end
      dgram.run "nowait"
      collectgarbage()
      collectgarbage()
      finish(0)
    ]]
  end)

  it("a socket that uses a closed one's handle receives and sends", function()
    program [[
      local used
      for i = 1, 600 do
        local socket = dgram.createSocket("udp4", function() end)
        socket:bindSync { address = "127.0.0.1" }
        if i % 100 == 0 then
          used = socket
          break
        end
        socket:close(count)
      end
      works(used)
      used:close(count)
      for i = 1, 300 do
        local socket = dgram.createSocket "udp4"
        socket:bindSync { address = "127.0.0.1" }
        if i % 50 == 0 then works(socket) end
        socket:close(count)
      end
      finish(99 + 1 + 1 + 300 + 6)
    ]]
  end)

  it("when all are taken, the closed ones' are used; then there are none; then there are again", function()
    program [[
      local open, err = {}, nil
      for i = 1, 60 do
        local socket = dgram.createSocket("udp4", function() end)
        socket:bindSync { address = "127.0.0.1" }
        socket:close(count)
      end
      while true do
        local done, socket = pcall(dgram.createSocket, "udp4")
        if not done then
          err = socket
          break
        end
        local bound, why = pcall(socket.bindSync, socket, { address = "127.0.0.1" })
        open[#open + 1] = socket
        if not bound then
          err = why
          break
        end
      end
      assert(err.code == "EMFILE", tostring(err))
      assert(#open > 20, #open)
      local last = table.remove(open)
      last:close(count)
      last = dgram.createSocket "udp4"
      last:close(count)
      for _, socket in ipairs(open) do socket:close(count) end
      finish(60 + 2 + #open)
    ]]
  end, 100)

  it("adopted ones have their numbers, and what they leave is used again", function()
    program [[
      for i = 1, 1000 do
        local closing = dgram.createSocket("udp4", function() end)
        closing:bindSync { address = "127.0.0.1" }
        closing:close(count)
        local donor, heir = uv.new_udp(), dgram.createSocket("udp4", function() end)
        donor:bind("127.0.0.1", 0)
        local fd = donor:fileno()
        heir:bind { fd = fd }
        assert(heir:fileno() == fd)
        heir:close(count)
        donor:close()
        uv.run "nowait"
      end
      finish(2000)
    ]]
  end)

  it("one that took over a handle adopts a descriptor, and works", function()
    program [[
      for round = 1, 50 do
        for i = 1, 5 do
          local closing = dgram.createSocket("udp4", function() end)
          closing:bindSync { address = "127.0.0.1" }
          closing:close(count)
        end
        local donor = dgram.createSocket "udp4"
        local at = donor:bindSync { address = "127.0.0.1" }
        local heir = dgram.createSocket("udp4", function() end)
        local pairs = uv.socketpair and uv.socketpair("dgram", nil, { nonblock = true }, { nonblock = true })
        if pairs then
          heir:bind { fd = pairs[1] }
          local heard
          heir:removeAllListeners "message"
          heir:on("message", function(msg) heard = msg end)
          local other = dgram.createSocket "unix_dgram"
          other:bind { fd = pairs[2] }
          other:send "x"
          for _ = 1, 1000 do if not heard then dgram.run "nowait" end end
          assert(heard == "x", "nothing was heard")
          other:close(count)
        else
          closed = closed + 1
        end
        heir:close(count)
        donor:close(count)
      end
      finish(50 * 8)
    ]]
  end)

  it("handles that somebody else closed are not used again", function()
    program [[
      for round = 1, 20 do
        for i = 1, 5 do
          local closing = dgram.createSocket("udp4", function() end)
          closing:bindSync { address = "127.0.0.1" }
          closing:close(count)
        end
        uv.walk(function(handle) if not handle:is_closing() then handle:close() end end)
        local socket = dgram.createSocket "udp4"
        socket:bindSync { address = "127.0.0.1" }
        works(socket)
        socket:close(count)
      end
      finish(20 * 7)
    ]]
  end)

  it("sockets with something to send to a peer that does not read keep theirs until they are closed", function()
    program [[
      local reader = dgram.createSocket "unix_dgram"
      local path = reader:bindSync().address
      for round = 1, 20 do
        local list = {}
        for i = 1, 20 do
          list[i] = dgram.createSocket "unix_dgram"
          for _ = 1, 20 do list[i]:send("x", path) end
          list[i]:close(count)
        end
        for _, socket in ipairs(list) do socket:discard() end
      end
      reader:close(count)
      finish(401)
    ]]
  end)

  it("nothing is lost: as many are open at the end as at the beginning", function()
    program [[
      local first = dgram.createSocket("udp4", function() end)
      first:bind(0, "127.0.0.1")
      first:close(count)
      dgram.run()
      local before = number_of_descriptors()
      for round = 1, 5 do
        for i = 1, 500 do
          local socket = dgram.createSocket("udp4", function() end)
          socket:bind(0, "127.0.0.1")
          socket:close(count)
        end
        dgram.run()
      end
      assert(number_of_descriptors() == before, number_of_descriptors() .. " descriptors, " .. before .. " before")
      finish(2501)
    ]]
  end)
end)
