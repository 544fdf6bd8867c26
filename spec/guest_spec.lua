-- SPDX-License-Identifier: MIT
-- dgram's loop as a guest in a host's: pollfd, events, timeout, step and onDue.
local busted = require "busted"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"
local uv = require "luv"

local need = can.need

--- Steps as a host does until the condition holds: it waits no longer than dgram allows.
local function host(condition)
  local deadline = uv.hrtime() + loop.deadline * 1e9
  while not condition() do
    assert(uv.hrtime() < deadline, "still waiting")
    local timeout = dgram.timeout()
    dgram.step(math.min(timeout and timeout * 1000 or 1000, 1000))
  end
end

local function settle()
  repeat dgram.step() until dgram.timeout() ~= 0
end

describe("dgram as a guest", function()
  loop.guard()
  busted.after_each(function() dgram.onDue(nil) end)

  it("waits for a descriptor, to be readable", function()
    assert.equal(uv.backend_fd(), dgram.pollfd())
    assert.equal("r", dgram.events())
  end)

  it("ignores what hosts pass besides", function()
    assert.equal(dgram.pollfd(), dgram.pollfd(dgram, 1, {}))
    assert.equal("r", dgram.events(dgram, 1))
    assert.has_no.errors(function() dgram.timeout(dgram, "x") end)
    assert.is_false(dgram.step(0, dgram, "x"))
    dgram.onDue(nil, dgram, "x")
  end)

  it("has no limit where nothing is to do", function()
    settle()
    assert.is_nil(dgram.timeout())
    assert.is_false(dgram.step())
    assert.is_false(dgram.step(1e9))
  end)

  it("says in seconds how long the host may wait, by the clock of now", function()
    settle()
    local timer = uv.new_timer()
    timer:start(60000, 0, function() end)
    local first = dgram.timeout()
    assert.is_true(first > 0 and first <= 60, tostring(first))
    local begun = uv.hrtime()
    repeat until uv.hrtime() - begun > 20e6
    assert.is_true(dgram.timeout() <= first - 0.015)
    timer:close()
    dgram.step()
  end)

  it("carries datagrams, events and callbacks by steps alone", function()
    local got, sent, closed = {}, 0, 0
    local socket, port = sockets.bound("udp4", function(msg) got[#got + 1] = msg end)
    local peer = dgram.createSocket "udp4"
    for i = 1, 10 do
      peer:send(tostring(i), port, "127.0.0.1", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    host(function() return #got == 10 and sent == 10 end)
    peer:close(function() closed = closed + 1 end)
    socket:close(function() closed = closed + 1 end)
    host(function() return closed == 2 end)
    assert.is_false(dgram.step())
    assert.same({ "1", "2", "3", "4", "5", "6", "7", "8", "9", "10" }, got)
  end)

  it("says whether anything is left to do", function()
    local socket = sockets.bound "udp4"
    assert.is_true(dgram.step())
    socket:close()
    local turns = 0
    while dgram.step() do turns = turns + 1 end
    assert.is_true(turns < 10)
  end)

  it("waits at most so long, and no longer than something takes to come", function()
    local socket, port = sockets.bound("udp4", function() end)
    settle()
    local begun = uv.hrtime()
    assert.is_true(dgram.step(30))
    assert.is_true(uv.hrtime() - begun >= 29e6)
    local came = false
    socket:on("message", function() came = true end)
    settle()
    local peer = peers.new()
    peer:send("hello", port)
    begun = uv.hrtime()
    dgram.step(60000)
    assert.is_true(came)
    assert.is_true(uv.hrtime() - begun < 30e9)
    peer:close()
    socket:close()
    loop.run()
  end)

  it("takes fractions, waiting no shorter, and no limit", function()
    local socket = sockets.bound "udp4"
    settle()
    local begun = uv.hrtime()
    dgram.step(0.5)
    assert.is_true(uv.hrtime() - begun >= 0.4e6)
    local timer = uv.new_timer()
    timer:start(1, 1, function() end) -- again and again: the turn may begin with it, and then wait
    dgram.step(math.huge)
    timer:close()
    socket:close()
    loop.run()
  end)

  it("leaves no handle behind, where it waited without a socket, either", function()
    local timer = uv.new_timer()
    timer:start(1, 0, function() end)
    dgram.step(50)
    timer:close()
    dgram.step()
    assert.same({}, loop.handles())
    local socket = sockets.bound "udp4"
    dgram.step(1)
    socket:close()
    loop.run()
    assert.same({}, loop.handles())
  end)

  it("serves sockets that do not keep the loop running, and does not keep the host busy for them", function()
    local got = 0
    local socket, port = sockets.bound("udp4", function() got = got + 1 end)
    socket:unref()
    settle()
    assert.is_nil(dgram.timeout())
    local peer = peers.new()
    peer.handle:unref()
    peer:send("hello", port)
    assert.is_false(dgram.step())
    assert.equal(1, got)
    assert.is_nil(dgram.timeout())
    assert.is_false(dgram.step(60000))
    peer:close()
    socket:close()
    loop.run()
  end)

  describe("raises", function()
    it("what a listener raised, and goes on with the next step", function()
      local got = {}
      local socket, port = sockets.bound("udp4", function(msg)
        got[#got + 1] = msg
        if msg == "1" then error "not today" end
      end)
      local peer = peers.new()
      peer:send("1", port)
      peer:send("2", port)
      local raised
      host(function()
        local done, err = pcall(dgram.step, 100)
        raised = raised or (not done and err)
        return raised
      end)
      assert.is_truthy(raised:find "not today")
      assert.is_truthy(raised:find "traceback")
      host(function() return #got == 2 end)
      peer:close()
      socket:close()
      loop.run()
    end)

    it("what nobody listens to, unless there is a handler", function()
      local socket = sockets.new "udp4"
      socket:send(("x"):rep(65508), 9, "127.0.0.1")
      local done, err = pcall(host, function() return false end)
      assert.is_false(done)
      assert.equal("EMSGSIZE", err.code)
      local caught
      dgram.setUncaughtHandler(function(e) caught = e end)
      finally(function() dgram.setUncaughtHandler(nil) end)
      socket:send(("x"):rep(65508), 9, "127.0.0.1")
      host(function() return caught end)
      assert.equal("EMSGSIZE", caught.code)
      socket:close()
      loop.run()
    end)

    it("inside of the loop", function()
      local codes = {}
      local socket, port = sockets.bound("udp4", function()
        local done, err = pcall(dgram.step)
        codes[#codes + 1] = not done and err.code
        done, err = pcall(dgram.step, 10)
        codes[#codes + 1] = not done and err.code
      end)
      local timer = uv.new_timer()
      timer:start(0, 0, function()
        local done, err = pcall(dgram.step)
        codes[#codes + 1] = not done and err.code
        timer:close()
      end)
      local peer = peers.new()
      peer:send("hello", port)
      peer:close()
      host(function() return #codes == 3 end)
      assert.same({ "ERR_INVALID_STATE", "ERR_INVALID_STATE", "ERR_INVALID_STATE" }, codes)
      socket:close()
      loop.run()
    end)

    it("for wrong arguments", function()
      for _, value in ipairs { "1", true, {}, dgram, function() end } do
        faults.raised(faults.bad_type, dgram.step, value)
      end
      for _, value in ipairs { -1, -0.5, 0 / 0, -math.huge } do
        faults.raised(faults.out_of_range, dgram.step, value)
      end
      for _, value in ipairs { 1, true, {}, "x", dgram } do
        faults.raised(faults.bad_type, dgram.onDue, value)
      end
    end)
  end)

  it("closes sockets in its steps", function()
    local socket, port
    socket, port = sockets.bound("udp4", function() socket:close() end)
    local other = sockets.bound("udp4", function() end)
    settle()
    local fd = dgram.pollfd()
    local peer = peers.new()
    for _ = 1, 3 do peer:send("hello", port) end
    peer:close()
    host(function() return socket:state().closed end)
    assert.equal(fd, dgram.pollfd())
    other:close()
    loop.run()
  end)

  describe("tells by onDue", function()
    local calls
    before_each(function()
      calls = 0
      settle()
      dgram.onDue(function() calls = calls + 1 end)
    end)

    it("a bind, a send, a listener, a close from outside: once each, until the next step", function()
      local socket, port = sockets.bound "udp4"
      assert.equal(1, calls)
      assert.equal(0, dgram.timeout())
      settle()
      local peer = sockets.bound "udp4"
      settle()
      calls = 0
      peer:send("one", port, "127.0.0.1", function() end)
      peer:send("two", port, "127.0.0.1", function() end)
      assert.equal(1, calls)
      assert.equal(0, dgram.timeout())
      settle()
      local got = 0
      socket:on("message", function() got = got + 1 end)
      assert.equal(2, calls)
      assert.equal(0, dgram.timeout())
      host(function() return got == 2 end)
      settle()
      calls = 0
      peer:close()
      assert.equal(1, calls)
      settle()
      socket:close()
      assert.equal(2, calls)
      loop.run()
    end)

    it("a call that waits with a time-out", function()
      local socket = sockets.bound "udp4"
      settle()
      calls = 0
      local result
      coroutine.wrap(function() result = select(2, socket:receive(5)) end)()
      assert.equal(1, calls)
      host(function() return result end)
      assert.equal("timeout", result)
      socket:close()
      loop.run()
    end)

    it("nothing that happens within a step, whose host asks how long it may wait", function()
      local second
      local first, port = sockets.bound("udp4", function()
        second = sockets.bound("udp4", function() end)
        second:send("hello", second:address().port, "127.0.0.1")
      end)
      settle()
      local peer = peers.new()
      peer:send("hello", port)
      calls = 0
      dgram.step(5000)
      assert.is_truthy(second)
      assert.equal(0, calls)
      assert.equal(0, dgram.timeout()) -- the second one is not watched before the next turn
      peer:close()
      first:close()
      second:close()
      loop.run()
    end)

    it("what is not a function's own error: that one comes out of the next step", function()
      dgram.onDue(function() error "cannot wake" end)
      local socket = sockets.bound "udp4"
      local done, err = pcall(dgram.step)
      assert.is_false(done)
      assert.is_truthy(err:find "cannot wake")
      local caught
      dgram.setUncaughtHandler(function(e) caught = e end)
      finally(function() dgram.setUncaughtHandler(nil) end)
      settle()
      socket:close()
      assert.is_truthy(caught:find "cannot wake")
      dgram.onDue(nil)
      loop.run()
    end)

    it("a function that must not run the loop", function()
      local codes = {}
      dgram.onDue(function()
        for i, call in ipairs { dgram.step, dgram.run } do
          local done, err = pcall(call)
          codes[i] = not done and err.code
        end
      end)
      local socket = sockets.bound "udp4"
      assert.same({ "ERR_INVALID_STATE", "ERR_INVALID_STATE" }, codes)
      dgram.onDue(nil)
      socket:close()
      loop.run()
    end)

    it("a function that sends and closes, as any may", function()
      local socket, other = sockets.new "udp4", sockets.new "udp4"
      dgram.onDue(function()
        dgram.onDue(nil)
        other:send("hello", 9, "127.0.0.1")
        socket:close()
      end)
      pcall(socket.bind, socket, 0, "127.0.0.1")
      settle()
      assert.is_true(socket:state().closed)
      other:close()
      loop.run()
    end)

    it("nothing any more after nil", function()
      dgram.onDue(nil)
      local socket = sockets.bound "udp4"
      socket:close()
      assert.equal(0, calls)
      loop.run()
    end)
  end)

  it("is each state's own", function()
    local out = child.lua_ok [[
      local uv, dgram = require "luv", require "dgram"
      local calls = 0
      dgram.onDue(function() calls = calls + 1 end)
      local paths = { package.path, package.cpath }
      local thread = uv.new_thread(string.dump(function(path, cpath)
        package.path, package.cpath = path, cpath
        local dgram = require "dgram"
        local calls, got = 0, 0
        dgram.onDue(function() calls = calls + 1 end)
        local s = dgram.createSocket("udp4", function() got = got + 1 end)
        s:bind(0, "127.0.0.1")
        for _ = 1, 20 do
          s:send("x", s:address().port)
          dgram.step(1000)
        end
        while got < 20 do dgram.step(1000) end
        s:close()
        while dgram.step(1000) do end
        assert(calls > 0)
      end), paths[1], paths[2])
      thread:join()
      print(calls)
      local s = dgram.createSocket "udp4"
      s:bind(0, "127.0.0.1")
      print(calls)
      s:close()
      while dgram.step(1000) do end
    ]]
    assert.equal("0\n1\n", out)
  end)

  it("lets a state end between its steps", function()
    child.lua_ok [[
      local dgram = require "dgram"
      dgram.onDue(function() end)
      local s = dgram.createSocket("udp4", function() end)
      s:bind(0, "127.0.0.1")
      dgram.step(1)
      s:send("x", s:address().port)
    ]]
  end)
end)

local function try(module)
  if pcall(require, module) then return true end
  return nil, "no " .. module .. " for this Lua"
end

local function example(name, ...)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  return child.start(child.interpreter(), { "-e", paths, "examples/hosts/" .. name .. ".lua", ... }, { own = true })
end

local function finished(process)
  process:wait()
  assert.equal(0, process.status, process.err)
  assert.equal("", process.err)
  return process.out
end

describe("the example", function()
  loop.guard()

  it("in cqueues has a server and a client in its coroutines", function()
    need(pending, try "cqueues")
    assert.equal("you said hello 1\nyou said hello 2\n", finished(example("cqueues", "2")))
  end)

  it("in copas is a gateway from TCP to datagrams", function()
    need(pending, try "copas")
    assert.equal("ONE\nTWO\nTHREE\n", finished(example("copas", "one", "two", "three")))
  end)

  it("in a loop of lua-posix' poll has the standard input beside", function()
    need(pending, try "posix.poll")
    local process = example "poll"
    local port = tonumber(process:expect "port (%d+)")
    local peer = peers.new():listen()
    peer:send("hello", port)
    peer:wait(1)
    assert.equal("you said hello", peer.got[1].msg)
    process:write "a line\n"
    process:expect "line: a line"
    process:end_input()
    assert.equal(("port %d\ndatagram: hello\nline: a line\n"):format(port), finished(process))
    peer:close()
    loop.run()
  end)
end)

describe("cqueues", function()
  loop.guard()

  it("is woken by a send and a new listener of another coroutine, and outlives closed descriptors", function()
    need(pending, try "cqueues")
    local out = child.lua_ok [[
      local cqueues, condition, dgram = require "cqueues", require "cqueues.condition", require "dgram"
      local controller, due = cqueues.new(), condition.new()
      dgram.onDue(function() due:signal() end)
      local server = dgram.createSocket("udp4")
      server:bind(0, "127.0.0.1")
      local times, sent, got = {}, 0, 0
      controller:wrap(function()
        cqueues.sleep(0.05) -- by now the guest waits, without a limit
        local client = dgram.createSocket "udp4"
        for i = 1, 20 do
          local begun = cqueues.monotime()
          client:send("x", server:address().port, "127.0.0.1", function()
            sent = sent + 1
            times[i] = cqueues.monotime() - begun
          end)
          cqueues.sleep(0.002)
        end
        server:on("message", function() got = got + 1 end)
        cqueues.sleep(0.05)
        print("sent", sent)
        print("got", got)
        for _ = 1, 20 do -- descriptors come and go under cqueues' poll
          local s = dgram.createSocket("udp4", function() end)
          s:bind(0, "127.0.0.1")
          cqueues.sleep(0)
          s:close()
          cqueues.sleep(0)
        end
        client:close()
        server:close()
      end)
      controller:wrap(function() while dgram.step() do cqueues.poll(dgram, due) end end)
      assert(controller:loop(20))
      table.sort(times)
      print(#times, times[1] < 0.001)
    ]]
    assert.equal("sent\t20\ngot\t20\n20\ttrue\n", out)
  end)

  it("is woken for a socket that is received from at intervals", function()
    need(pending, try "cqueues")
    need(pending, try "socket")
    local out = child.lua_ok [[
      local cqueues, luasocket, dgram = require "cqueues", require "socket", require "dgram"
      local got, late = 0, 0
      local server = dgram.createSocket({ type = "udp4", moderation = 5000 }, function() got = got + 1 end)
      server:bind(0, "127.0.0.1")
      local peer = luasocket.udp()
      peer:setpeername("127.0.0.1", server:address().port)
      local controller = cqueues.new()
      controller:wrap(function()
        for i = 1, 120 do -- after 64 of them in a row it is
          peer:send "x"
          while got < i do
            if cqueues.poll(dgram, 20) == 20 then late = late + 1 end
            dgram.step()
          end
        end
        server:close()
        while dgram.step() do cqueues.poll(dgram) end
      end)
      assert(controller:loop())
      print(got, late)
    ]]
    assert.equal("120\t0\n", out)
  end)
end)
