-- SPDX-License-Identifier: MIT
-- luv is loaded, and its loop made, on first need: a process that forks must not have one before.
local can = require "spec.support.can"
local child = require "spec.support.child"
local fork = require "spec.support.fork"
local loop = require "spec.support.loop"

local need = can.need

-- A program that tells whether luv is loaded, and whether there is a loop's descriptor.
local prelude = [[
  local dgram = require "dgram"
  local function loaded() return package.loaded.luv ~= nil end
  local function has_epoll()
    local list = io.popen "ls -l /proc/self/fd /proc/$PPID/fd 2>/dev/null"
    local text = list:read "*a"
    list:close()
    return text:find("eventpoll", 1, true) ~= nil
  end
  local function bound(kind)
    local socket = dgram.createSocket(kind or "udp4")
    local at = socket:bindSync(kind ~= "unix_dgram" and { address = "127.0.0.1" } or nil)
    return socket, at.port or at.address
  end
]]

local function runs(source)
  return child.lua_ok("%s", prelude .. source)
end

describe("no loop is made", function()
  loop.guard()

  it("by what a process does before it forks", function()
    assert.equal("false\tfalse\n", runs [[
      local receiver, port = bound()
      receiver:setRecvBufferSize(100000)
      local sender = dgram.createSocket { type = "udp4", sendBufferSize = 100000 }
      sender:setTTL(3)
      sender:send("implied bind", port, "127.0.0.1")
      sender:sendMany({ "a", "b" }, port, "127.0.0.1")
      assert(sender:flush())
      local connected = dgram.createSocket "udp4"
      connected:connectSync(port, "127.0.0.1")
      connected:send "peer"
      connected:disconnect()
      local logged = dgram.createSocket "udp4"
      logged:on("error", print)
      logged:on("message", print)
      receiver:on("error", print)
      local first, second = dgram.socketpair()
      first:send "to the second"
      local path = bound "unix_dgram"
      path:close()
      second:pause():resume():ref():unref()
      assert(receiver:receive(0) == "implied bind" and #receiver:receiveMany() == 3)
      assert(receiver:receive(0) == nil)
      local fd = receiver:detach()
      assert(type(fd) == "number" and receiver:state().closed)
      sender:close()
      package.loaded.uv = {} -- whatever it is
      dgram.createSocket("udp4"):bindSync()
      print(loaded(), has_epoll())
    ]])
  end)
end)

describe("the loop is made, and all is as if it had been there,", function()
  loop.guard()

  -- each: what needs it. `s` is bound and nobody listens, `u` is not bound, `port` hears nothing.
  local needs = {
    ["a message listener on a bound socket"] = 's:on("message", print)',
    ["a bind with a message listener"] = 'u:on("message", print) u:bindSync()',
    ["a bind that somebody listens for"] = 'u:on("listening", print) u:bindSync()',
    ["bind"] = 'u:bind(0, "127.0.0.1")',
    ["connect"] = 'u:connect(port, "127.0.0.1")',
    ["a close that somebody listens for"] = "s:close(print)",
    ["a listener that comes after the bind"] = 's:on("listening", print)',
    ["a callback of send"] = 'u:send("x", port, "127.0.0.1", print)',
    ["a callback of sendMany"] = 'u:sendMany({ "x" }, port, "127.0.0.1", print)',
    ["a name"] = 'u:send("x", port, "localhost")',
    ["a send that fails"] = 'u:on("error", print) u:send(("x"):rep(65530), port, "127.0.0.1")',
    ["dgram.run"] = 'dgram.run "nowait"',
  }

  for what, source in pairs(needs) do
    it("by " .. what, function()
      assert.equal("false\ntrue\n", (runs(([[
        local s, port = bound()
        local u = dgram.createSocket "udp4"
        do
          local print = function() end
          _G.print(loaded())
          %s
          _G.print(loaded())
        end
        os.exit(0)
      ]]):format(source))))
    end)
  end

  it("also under plain uv.run: events come to those who listened before, and after", function()
    assert.equal("connect 2\nhello\nlistening 1\nlistening 2\nclose\n", runs [[
      local s, port = bound()
      local early, came = dgram.createSocket "udp4", {}
      local finish
      local function note(what)
        came[#came + 1] = what
        if #came == 4 then finish() end
      end
      early:on("listening", function() note "listening 1" end)
      early:bindSync { address = "127.0.0.1" }
      local late = dgram.createSocket "udp4"
      late:connectSync(port, "127.0.0.1")
      late:on("listening", function() note "listening 2" end)
      late:on("connect", function() note "connect 2" end)
      late:send "hello"
      s:on("message", note)
      function finish()
        table.sort(came)
        print(table.concat(came, "\n"))
        s:close() early:close() late:close()
      end
      s:on("close", function() print "close" end)
      require("luv").run()
    ]])
  end)

  it("for a callback and for a close event under plain uv.run", function()
    assert.equal("sent\t1\nclosed\n", runs [[
      local s = bound()
      s:close()
      local u = dgram.createSocket "udp4"
      u:send("x", 9, "127.0.0.1", function(err, bytes) print(err or "sent", bytes) u:close() end)
      s:on("close", function() print "closed" end)
      require("luv").run()
    ]]:gsub("^(closed\n)(.*)$", "%2%1"), nil)
  end)

  it("when the program loads luv itself: the next call of any method sees it", function()
    assert.equal("uv_poll\t1\n", runs [[
      local s, port = bound()
      local uv = require "luv"
      dgram.createSocket("udp4"):send("x", port, "127.0.0.1")
      local polls = 0
      uv.walk(function(handle) if tostring(handle):find "^uv_poll" then polls = polls + 1 end end)
      print("uv_poll", polls >= 1 and 1 or 0)
      os.exit(0)
    ]])
  end)

  it("what waits for room in a peer's queue goes when there is", function()
    assert.equal("true\ttrue\n", runs [[
      local stuck, path = bound "unix_dgram"
      local sender = dgram.createSocket "unix_dgram"
      for i = 1, 1000 do sender:send("datagram " .. i, path) end
      local waits, got = loaded(), 0
      stuck:on("message", function()
        got = got + 1
        if got == 1000 then stuck:close() sender:close() end
      end)
      require("luv").run()
      print(waits, got == 1000)
    ]])
  end)

  it("once there is memory again, if there was none", function()
    assert.equal("listening\n", runs [[
      local s = bound()
      local uv = require "luv"
      local new_poll = uv.new_poll
      uv.new_poll = function() error("not enough memory", 0) end
      assert(not pcall(s.ref, s))
      uv.new_poll = new_poll
      s:on("listening", function() print "listening" s:close() end)
      uv.run()
    ]])
  end)
end)

describe("after fork(2)", function()
  loop.guard()

  -- Two children serve the master's port: each answers with its number. The first one that is asked ends, with its loop,
  -- and the other one goes on.
  local function serves(make_socket)
    local forks = need(pending, fork.prelude())
    assert.equal("true\ttrue\ttrue\ttrue\n", runs(forks .. [[
      local master = dgram.createSocket "udp4"
      local port = master:bindSync({ address = "127.0.0.1" }).port
      local from_master = dgram.createSocket "udp4"
      from_master:send("sent before", port, "127.0.0.1")
      from_master:close() -- in a child it would keep the loop alive, like every bound socket
      ]] .. make_socket .. [[
      local pids = {}
      for number = 1, 2 do
        pids[number] = in_child(function()
          assert(not loaded())
          local s = take()
          s:on("message", function(msg, rinfo)
            s:send(tostring(number), rinfo.port, rinfo.address)
            if msg ~= "sent before" then s:close() end
          end)
          dgram.run()
          return number
        end)
      end
      local answers = {}
      local client = dgram.createSocket("udp4", function(msg) answers[#answers + 1] = msg end)
      client:bind(0, "127.0.0.1")
      for n = 1, 2 do
        client:send("end", port, "127.0.0.1")
        while #answers < n do dgram.run "once" end
      end
      local one, two = wait(pids[1]), wait(pids[2])
      client:close()
      if not master:state().closed then master:close() end
      dgram.run()
      table.sort(answers)
      print(answers[1] == "1", answers[2] == "2", one == 1, two == 2)
    ]]))
  end

  it("children adopt what the master has detached", function()
    serves [[
      local fd = master:detach()
      local function take()
        local s = dgram.createSocket "udp4"
        s:bind { fd = fd }
        return s
      end
    ]]
  end)

  it("children use the master's own socket", function()
    serves "local function take() return master end"
  end)

  local conversation = [[
    local function converse()
      local got, one, two = 0, dgram.createSocket "udp4", dgram.createSocket "udp4"
      one:on("message", function(msg, rinfo) one:reply(msg, rinfo) end)
      two:on("message", function()
        got = got + 1
        if got == 3 then one:close() two:close() end
      end)
      one:bind(0, "127.0.0.1", function()
        for i = 1, 3 do two:send("number " .. i, one:address().port, "127.0.0.1") end
      end)
      dgram.run()
      return got
    end
  ]]

  it("that comes before the first bind, each process has a loop of its own", function()
    local forks = need(pending, fork.prelude())
    assert.equal("3\t3\t3\n", runs(forks .. conversation .. [[
      local first, second = in_child(converse), in_child(converse)
      print(converse(), wait(first), wait(second))
    ]]))
  end)

  it("of a process with a loop, a child that only ends, or runs another program, takes nothing from it", function()
    local forks = need(pending, fork.prelude())
    assert.equal("0\nheard\n", runs(forks .. [[
      local s
      s = dgram.createSocket("udp4", function(msg) print(msg) s:close() end)
      s:bind(0, "127.0.0.1")
      for _ = 1, 3 do dgram.run "nowait" end
      assert(has_epoll()) -- by io.popen, which starts a program
      print(wait(in_child(function() return 0 end))) -- by _exit(2)
      s:send("heard", s:address().port, "127.0.0.1")
      dgram.run()
    ]]))
  end)
end)
