-- SPDX-License-Identifier: MIT
-- dgram without luv: on a loop of dgram.poll's, or on any other that has the fourteen functions. Each part runs in a process
-- of its own, in which there is no luv.
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local dgram = require "dgram"

local need = can.need

local function has(module)
  return function()
    if pcall(require, module) then return true end
    return nil, "no " .. module .. " for this Lua"
  end
end

-- What dgram.poll has, and what each needs.
local makers = {
  { name = "posix", can = has "posix.poll" },
  { name = "luasocket", can = has "socket" },
  { name = "ffi", can = has "ffi" },
  { name = "any", can = function() return has "socket"() or has "ffi"() or has "posix.poll"() end },
}

local hide_luv = [[
  for _, name in ipairs { "luv", "uv" } do package.preload[name] = function() error "there is no luv here" end end
]]

--- Runs Lua source in a process without luv, in which `poll` and `dgram` are the modules and `loop` is a loop of the maker's.
local function run(maker, source)
  return child.lua_ok(hide_luv .. [[
    local poll, dgram = require "dgram.poll", require "dgram"
    local loop = poll.]] .. maker.name .. [[()
    dgram.setLoop(loop)
  ]] .. source)
end

for _, maker in ipairs(makers) do
  describe("without luv, on dgram.poll." .. maker.name .. "()", function()
    loop.guard()

    it("datagrams, events and callbacks come", function()
      need(pending, maker.can())
      assert.equal("listening\nsent nil 5\ngot hello 5\nanswer HELLO\nclosed\nclosed\nfalse\n", run(maker, [[
        local server, client
        server = dgram.createSocket("udp4", function(msg, rinfo)
          print("got " .. msg .. " " .. rinfo.size)
          server:reply(msg:upper(), rinfo)
        end)
        server:on("listening", function()
          print "listening"
          client:send("hello", server:address().port, "127.0.0.1", function(err, bytes)
            print("sent " .. tostring(err) .. " " .. bytes)
          end)
        end)
        client = dgram.createSocket("udp4", function(msg)
          print("answer " .. msg)
          client:close(function() print "closed" end)
          server:close(function() print "closed" end)
        end)
        server:bind(0, "127.0.0.1")
        print(dgram.run())
      ]]))
    end)

    it("errors of peers come", function()
      need(pending, maker.can())
      assert.equal("ECONNREFUSED\n", run(maker, [[
        local gone = dgram.createSocket "udp4"
        local port = gone:bindSync { address = "127.0.0.1" }.port
        gone:close(function()
          local socket = dgram.createSocket("udp4", function() end)
          socket:on("error", function(err) print(err.code) socket:close() end)
          socket:connect(port, "127.0.0.1", function() socket:send "x" end)
        end)
        dgram.run()
      ]]))
    end)

    it("errors of callbacks come out of dgram.run, and the loop goes on", function()
      need(pending, maker.can())
      assert.equal("not today true\ntrue\nnot today either\n", run(maker, [[
        local socket = dgram.createSocket "udp4"
        socket:bind(0, "127.0.0.1", function() error "not today" end)
        local done, err = pcall(dgram.run)
        print(err:match "not today", err:find "traceback" ~= nil)
        local timer = loop.new_timer()
        timer:start(1, 0, dgram.protect(function() timer:close() error "not today either" end))
        socket:close()
        done, err = pcall(dgram.run)
        dgram.run()
        print(socket:state().closed)
        print(err:match "not today either")
      ]]):gsub("\t", " "), nil)
    end)

    it("calls wait: outside of a coroutine, in one, and with a time-out", function()
      need(pending, maker.can())
      assert.equal("nil timeout\none\ntwo\n", run(maker, [[
        local socket, other = dgram.socketpair()
        print(socket:receive(5))
        other:send "one"
        print((socket:receive()))
        coroutine.wrap(function() print((socket:receive(5000))) socket:close() end)()
        other:send "two"
        other:close()
        dgram.run()
      ]]):gsub("\t", " "), nil)
    end)

    it("timers come in their order, again and again, and not after they were stopped", function()
      need(pending, maker.can())
      assert.equal("a b c d d d\nfalse\n", run(maker, [[
        local order, timers = {}, {}
        local function timer(name, delay, again)
          local one = loop.new_timer()
          timers[name] = one
          one:start(delay, again or 0, function() order[#order + 1] = name end)
          return one
        end
        timer("c", 12)
        timer("a", 4)
        timer("never", 5)
        timer("b", 8)
        timer("d", 20, 1)
        timer("unreferenced", 100000):unref()
        timers.never:stop()
        repeat dgram.run "once" until #order == 6
        print(table.concat(order, " "))
        for _, each in pairs(timers) do each:close() end
        print(dgram.run())
      ]]))
    end)

    it("steps wait no longer than they may", function()
      need(pending, maker.can())
      assert.equal("true\n0\nENOTSUP\n1\nfalse\n", run(maker, [[
        local got = 0
        local socket = dgram.createSocket("udp4", function() got = got + 1 end)
        socket:bind(0, "127.0.0.1")
        print(dgram.step(20))
        print(got)
        print(select(2, pcall(dgram.pollfd)).code)
        while dgram.timeout() do dgram.step() end
        socket:send("x", socket:address().port, "127.0.0.1")
        while got == 0 do dgram.step(60000) end
        print(got)
        socket:close()
        while dgram.step(1000) do end
        print(dgram.step(60000))
      ]]))
    end)

    it("a full peer is waited for, and nothing spins", function()
      need(pending, maker.can())
      assert.equal("true 2000\n", run(maker, [[
        local path = ("\0dgram-set-loop-%d"):format(require "dgram.core".pid())
        local reader, writer = dgram.createSocket "unix_dgram", dgram.createSocket "unix_dgram"
        if not pcall(reader.bindSync, reader, { path = path }) then -- no abstract names
          path = os.tmpname()
          os.remove(path)
          reader:bindSync { path = path }
        end
        for i = 1, 2000 do writer:send("number " .. i, path) end
        for _ = 1, 10 do dgram.run "nowait" end
        local waiting, got = writer:getSendQueueCount() > 0, 0
        reader:on("message", function()
          got = got + 1
          if got == 2000 then reader:close() writer:close() end
        end)
        dgram.run()
        print(waiting, got)
      ]]):gsub("\t", " "), nil)
    end)

    it("a descriptor that something else closes ends its socket's receiving, not the loop", function()
      need(pending, maker.can())
      need(pending, has "posix.unistd"())
      if maker.name == "luasocket" then pending "select(2) does not tell which descriptor is closed" end
      assert.equal("EBADF\nclosed\n", run(maker, [[
        local socket = dgram.createSocket("udp4", function() end)
        socket:bind(0, "127.0.0.1")
        dgram.run "nowait"
        require "posix.unistd".close(socket:fileno())
        socket:on("error", function(err)
          print(err.code)
          socket:close(function() print "closed" end)
        end)
        dgram.run()
      ]]))
    end)

    it("a state may end with all of it open", function()
      need(pending, maker.can())
      assert.equal("", run(maker, [[
        local socket = dgram.createSocket("udp4", function() end)
        socket:bind(0, "127.0.0.1", function() error "never" end)
        socket:send("x", socket:address().port, "127.0.0.1")
        loop.new_timer():start(1, 1, function() end)
      ]]))
    end)
  end)
end

describe("names without luv", function()
  loop.guard()

  for _, maker in ipairs { makers[1], makers[2] } do
    it("are looked up by " .. maker.name, function()
      need(pending, maker.can())
      need(pending, can.resolve_localhost "inet")
      assert.equal("ENOTFOUND\nnil\n", run(maker, [[
        local socket = dgram.createSocket "udp4"
        socket:send("x", 9, "nohost.invalid", function(err)
          print(err.code)
          socket:send("x", 9, "localhost", function(e) print(e) socket:close() end)
        end)
        dgram.run()
      ]]))
    end)
  end

  it("are an error where the loop has no way, and go by the option lookup", function()
    need(pending, has "socket"())
    assert.equal("ERR_FEATURE_UNAVAILABLE_ON_PLATFORM\nnil\n", run(makers[2], [[
      loop.getaddrinfo = nil
      local socket = dgram.createSocket "udp4"
      socket:send("x", 9, "localhost", function(err)
        print(err.code)
        socket:close()
      end)
      local other = dgram.createSocket { type = "udp4", lookup = function(_, _, cb) cb(nil, "127.0.0.1", 4) end }
      dgram.run()
      other:send("x", 9, "anything", function(err) print(err) other:close() end)
      dgram.run()
    ]]))
  end)
end)

describe("dgram.poll", function()
  loop.guard()

  it("takes any function, which gets the descriptors and the milliseconds", function()
    need(pending, has "socket"())
    assert.equal("0 0 nil nil\n1 -1 true nil\n", child.lua_ok(hide_luv .. [[
      local dgram, poll = require "dgram", require "dgram.poll"
      local loop
      loop = poll(function(fds, timeout)
        local n, events = 0, nil
        for _, entry in pairs(fds) do n, events = n + 1, entry.events end
        print(n, timeout, events and events.IN, events and events.OUT)
        if timeout < 0 then loop.stop() end
        return 0
      end)
      dgram.setLoop(loop)
      local idle = loop.new_idle()
      idle:start(function() idle:close() end)
      dgram.run()
      local socket = dgram.createSocket("udp4", function() end)
      socket:bindSync { address = "127.0.0.1" }
      dgram.run()
    ]]):gsub("\t", " "):gsub("1 0 true nil\n", ""), nil)
  end)

  it("raises what the function raises, and what poll(2) says, out of dgram.run; a signal is neither", function()
    assert.equal("broken\nENOMEM poll\nfalse\n", child.lua_ok(hide_luv .. [[
      local dgram, poll = require "dgram", require "dgram.poll"
      local answers = { function() error("broken", 0) end, function() return nil, "no memory", 12 end,
        function() return nil, "interrupted", 4 end }
      local turn = 0
      local loop = poll(function() turn = turn + 1 return answers[turn]() end)
      dgram.setLoop(loop)
      local timer = loop.new_timer()
      timer:start(0, 0, function() end)
      print(select(2, pcall(dgram.run)))
      timer:start(0, 0, function() end)
      local err = select(2, pcall(dgram.run))
      print(err.code .. " " .. err.syscall)
      timer:start(0, 0, function() end)
      print(dgram.run "nowait")
    ]]))
  end)

  it("refuses what is no function", function()
    local poll = require "dgram.poll"
    for _, value in ipairs { 1, "x", true, {}, dgram } do
      faults.raised(faults.bad_type, poll, value)
      faults.raised(faults.bad_type, poll.new, value)
    end
    faults.raised(faults.bad_type, poll)
    faults.raised(faults.bad_value, poll.new, print, 1)
    faults.raised(faults.bad_value, poll.any, 1)
  end)

  it("raises where there is nothing to wait with", function()
    assert.equal(("ERR_FEATURE_UNAVAILABLE_ON_PLATFORM\n"):rep(4), child.lua_ok [[
      local poll = require "dgram.poll"
      for _, name in ipairs { "posix.poll", "posix.sys.socket", "ffi", "socket" } do
        package.loaded[name] = nil
        package.preload[name] = function() error "not here" end
      end
      for _, name in ipairs { "any", "posix", "ffi", "luasocket" } do print(select(2, pcall(poll[name])).code) end
    ]])
  end)
end)

describe("dgram.setLoop", function()
  loop.guard()

  local names = { "new_poll", "poll_start", "poll_stop", "new_idle", "idle_start", "idle_stop", "new_timer",
    "timer_start", "close", "is_closing", "ref", "unref", "run", "stop" }

  it("takes a table with luv's fourteen functions, and needs no more", function()
    assert.equal("ENOTSUP ENOTSUP\ngot hello\ntimeout\ntrue\nfalse\n", child.lua_ok([[
      local uv = require "luv"
      local dgram = require "dgram"
      local loop = {}
      for _, name in ipairs { %s } do loop[name] = uv[name] end
      dgram.setLoop(loop)
      print(select(2, pcall(dgram.pollfd)).code .. " " .. select(2, pcall(dgram.timeout)).code)
      local socket
      socket = dgram.createSocket("udp4", function(msg) print("got " .. msg) socket:close() end)
      socket:bind(0, "127.0.0.1")
      socket:send("hello", socket:address().port, "127.0.0.1")
      dgram.run()
      local other = dgram.createSocket "udp4"
      other:bind(0, "127.0.0.1")
      print(select(2, other:receive(5)))
      print(dgram.step(5))
      other:close()
      while dgram.step(50) do end
      print(dgram.step())
    ]], '"' .. table.concat(names, '", "') .. '"'))
  end)

  it("raises what a function of the loop fails with, instead of waiting for ever", function()
    for name, call in pairs {
      idle_start = "s:send('x', port, '127.0.0.1', print)", timer_start = "dgram.step(1)",
    } do
      local out = child.lua_ok([[
        local dgram = require "dgram"
        local loop = require "dgram.poll".any()
        dgram.setLoop(loop)
        local s = dgram.createSocket "udp4"
        local port = s:bindSync({ address = "127.0.0.1" }).port
        for _ = 1, 3 do dgram.run "nowait" end
        loop.%s = function() return nil, "EINVAL: invalid argument", "EINVAL" end
        local done, err = pcall(function() return %s end)
        print(done, err.code, err.message)
      ]], name, call)
      assert.equal(("false\tEINVAL\t%s EINVAL: invalid argument\n"):format(name), out)
    end
  end)

  it("refuses another, and names what it lacks", function()
    for _, value in ipairs { 1, "x", true, print } do faults.raised(faults.bad_type, dgram.setLoop, value) end
    faults.raised(faults.bad_type, dgram.setLoop)
    faults.raised(faults.bad_type, dgram.setLoop, nil)
    for _, name in ipairs(names) do
      for _, wrong in ipairs { false, "a string" } do
        local lacking = {}
        for _, each in ipairs(names) do lacking[each] = print end
        lacking[name] = wrong or nil
        local err = faults.raised(faults.bad_value, dgram.setLoop, lacking)
        assert.is_truthy(err.message:find(name, 1, true))
      end
    end
    local complete = {}
    for _, each in ipairs(names) do complete[each] = print end
    faults.raised(faults.bad_value, dgram.setLoop, complete, 1)
  end)

  it("comes before the first socket", function()
    assert.equal("true\ntrue\nERR_INVALID_STATE\nERR_INVALID_STATE\nclosed\n", child.lua_ok [[
      local uv, dgram = require "luv", require "dgram"
      print((pcall(dgram.setLoop, uv)))
      pcall(dgram.createSocket, "udp5")
      print((pcall(dgram.setLoop, uv)))
      local socket = dgram.createSocket "udp4"
      print(select(2, pcall(dgram.setLoop, uv)).code)
      socket:bind(0, "127.0.0.1")
      socket:close(function() print "closed" end)
      local timer = uv.new_timer()
      timer:start(0, 0, function()
        timer:close()
        print(select(2, pcall(dgram.setLoop, uv)).code)
      end)
      dgram.run()
    ]])
  end)

  it("is each state's own", function()
    need(pending, has "socket"())
    assert.equal("poll: true\nluv: true\n", child.lua_ok [[
      local uv, dgram = require "luv", require "dgram"
      local paths = { package.path, package.cpath }
      local thread = uv.new_thread(string.dump(function(path, cpath)
        package.path, package.cpath = path, cpath
        local dgram = require "dgram"
        dgram.setLoop(require "dgram.poll".luasocket())
        local s
        s = dgram.createSocket("udp4", function() s:close() end)
        s:bind(0, "127.0.0.1")
        s:send("x", s:address().port)
        dgram.run()
        print("poll: " .. tostring(s:state().closed))
      end), paths[1], paths[2])
      thread:join()
      local s
      s = dgram.createSocket("udp4", function() s:close() end)
      s:bind(0, "127.0.0.1")
      s:send("x", s:address().port)
      assert(dgram.pollfd() == uv.backend_fd())
      dgram.run()
      print("luv: " .. tostring(s:state().closed))
    ]])
  end)
end)

describe("the game of the examples", function()
  loop.guard()

  it("plays at 60 frames a second without luv", function()
    need(pending, makers[4].can())
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local process = child.start(child.interpreter(), { "-e", paths .. hide_luv, "examples/hosts/game-loop.lua", "10" },
      { own = true }):wait()
    assert.equal(0, process.status, process.err)
    assert.equal("player one saw the other 10 times in 10 frames, last at 10\n" ..
      "player two saw the other 10 times in 10 frames, last at 10\n", process.out)
  end)

  it("plays in LOVE, without a window", function()
    need(pending, has "ffi"())
    local program = need(pending, can.program "love")
    local environment = { "LUA_PATH=" .. package.path, "LUA_CPATH=" .. package.cpath, "HOME=" .. os.getenv "HOME",
      "PATH=" .. os.getenv "PATH" }
    local process = child.start(program, { "examples/hosts/love", "10" }, { env = environment }):wait()
    assert.equal(0, process.status, process.err)
    assert.equal("player one saw the other 10 times in 10 frames, last at 10\n" ..
      "player two saw the other 10 times in 10 frames, last at 10\n", process.out)
  end)
end)
