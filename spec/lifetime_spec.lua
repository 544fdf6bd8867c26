-- SPDX-License-Identifier: MIT
-- What ends, ends: nothing spins, the loop closes after the last socket, a Lua state ends with sockets open, and several
-- states do not meet.
local loop = require "spec.support.loop"
local c_module = require "spec.support.c_module"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"
local dgram = require "dgram"

local need, new = can.need, sockets.new

describe("nothing spins", function()
  loop.guard()

  -- Lets a fifth of a second pass: the loop must sleep through it, not turn.
  local function sleeps()
    loop.turn(5)
    local turns = 0
    local counter = uv.new_prepare()
    counter:start(function() turns = turns + 1 end)
    local before = os.clock()
    loop.pass(200)
    local used = os.clock() - before
    counter:close()
    loop.turn()
    assert.is_true(turns < 30, turns .. " turns of the loop")
    assert.is_true(used < 0.1, used .. " s of CPU")
  end

  it("while a socket listens in vain", function()
    local socket = sockets.bound("udp4", loop.never())
    sleeps()
    socket:close()
    loop.run()
  end)

  it("while datagrams wait that nobody listens to", function()
    local socket, port = sockets.bound "udp4"
    local peer = peers.new()
    for _ = 1, 10 do peer:send("hello", port) end
    sleeps()
    local got = 0
    socket:on("message", function() got = got + 1 end)
    loop.wait(function() return got == 10 end)
    socket:removeAllListeners "message"
    peer:send("hello", port)
    sleeps()
    peer:close()
    socket:close()
    loop.run()
  end)

  it("while the kernel's buffer is full and nobody listens", function()
    local socket, port = sockets.bound "udp4"
    local peer = peers.new()
    for _ = 1, 1000 do peer:send("hello", port) end
    sleeps()
    peer:close()
    socket:close()
    loop.run()
  end)

  it("after everything was sent and told", function()
    local socket, port, got = sockets.collector "udp4"
    for i = 1, 100 do socket:send("number " .. i, port, "127.0.0.1", function() end) end
    loop.wait(function() return #got == 100 end)
    sleeps()
    socket:close()
    loop.run()
  end)

  it("after errors", function()
    local socket = sockets.bound("udp4", loop.never())
    socket:on("error", function() end)
    socket:send(("x"):rep(65508), 9)
    socket:send("x", 9) -- nobody is there
    sleeps()
    socket:close()
    loop.run()
  end)

  it("while sockets are unbound or unref'd", function()
    local a, b = new("udp4", function() end), sockets.bound "udp4"
    b:unref()
    sleeps()
    sockets.close_all(a, b)
    loop.run()
  end)

  it("while a connected socket's peer refuses, and an error waits that nobody sends behind", function()
    local dead, port = sockets.bound "udp4"
    dead:close()
    loop.turn()
    local socket = sockets.new "udp4"
    local refused = 0
    socket:on("error", function(err)
      assert.equal("ECONNREFUSED", err.code)
      refused = refused + 1
    end)
    socket:on("message", loop.never())
    socket:connect(port, "127.0.0.1")
    for _ = 1, 3 do
      socket:send "anybody?"
      loop.turn(5)
    end
    sleeps()
    assert.is_true(refused >= 1 and refused <= 3, refused)
    socket:close()
    loop.run()
  end)
end)

describe("after the last socket has closed", function()
  loop.guard()

  local program = [[
    local first, second = %q, %q
    require(first) require(second)
    local dgram, uv = require "dgram", require "luv"
    %s
    uv.run()
    local left = 0
    uv.walk(function() left = left + 1 end)
    print("left", left)
    print("closed", uv.loop_close())
    io.stdout:flush()
    os.exit(0)
  ]]

  local ways = {
    ["a socket that did nothing"] = [[dgram.createSocket("udp4"):close()]],
    ["one that sent and received"] = [[
      local s = dgram.createSocket("udp4", function(_, _) end)
      s:once("message", function() s:close() end)
      s:bind(0, "127.0.0.1")
      s:send("hello", s:address().port)
    ]],
    ["one that sent by name"] = [[
      local s = dgram.createSocket "udp4"
      s:send("hello", 9, "localhost", function() end)
      s:close()
    ]],
    ["one whose bind failed"] = [[
      local s = dgram.createSocket "udp4"
      s:on("error", function() s:close() end)
      s:bind { address = "203.0.113.1" }
    ]],
    ["many, closed in each other's callbacks"] = [[
      local list = {}
      for i = 1, 20 do list[i] = dgram.createSocket("udp4", function() end):bind(0, "127.0.0.1") end
      for i = 1, 19 do list[i]:on("close", function() list[i + 1]:close() end) end
      list[1]:close()
    ]],
    ["one that was collected"] = [[
      dgram.createSocket("udp4"):bind(0, "127.0.0.1")
      dgram.createSocket("udp4")
      for _ = 1, 5 do uv.run "nowait" end -- what was due is told
      collectgarbage() collectgarbage()
    ]],
    ["one that was raised about"] = [[
      dgram.setUncaughtHandler(function() end)
      local s = dgram.createSocket "udp4"
      s:close(function() error "boom" end)
    ]],
  }

  for name, code in pairs(ways) do
    it("uv.loop_close() succeeds: " .. name, function()
      for _, order in ipairs { { "dgram", "luv" }, { "luv", "dgram" } } do
        local out = child.lua_ok(program, order[1], order[2], code)
        assert.equal("left\t0\nclosed\t0\n", out)
      end
    end)
  end
end)

describe("a state that ends", function()
  loop.guard()

  local endings = {
    ["with sockets open"] = [[
      a = dgram.createSocket "udp4"
      b = dgram.createSocket("udp4", print)
      b:bind(0, "127.0.0.1")
      c = dgram.createSocket "udp4"
      c:bind(0, "127.0.0.1")
    ]],
    ["with sends queued"] = [[
      a = dgram.createSocket "udp4"
      for i = 1, 100 do a:send("hello", 9, "127.0.0.1", print) end
    ]],
    ["with events due"] = [[
      a = dgram.createSocket "udp4"
      a:bind(0, "127.0.0.1", print)
      dgram.createSocket("udp4"):close(print)
    ]],
    ["inside a listener"] = [[
      a = dgram.createSocket("udp4", function() os.exit(0, true) end)
      a:bind(0, "127.0.0.1")
      a:send("hello", a:address().port)
      uv.run()
    ]],
    ["after the loop ran, with sockets open"] = [[
      a = dgram.createSocket("udp4", print)
      a:bind(0, "127.0.0.1")
      for i = 1, 10 do uv.run "nowait" end
      a:send("hello", 9)
    ]],
    -- luv 1.44 crashes at the end of a state in which a handle was closed and its loop did not run again
    ["right after close"] = [[
      a = dgram.createSocket("udp4", print):bind(0, "127.0.0.1")
      for i = 1, 10 do uv.run "nowait" end
      b = dgram.createSocket("udp4", print):bind(0, "127.0.0.1")
      b:close()
      a:close()
    ]],
    ["inside the callback of close"] = [[
      a = dgram.createSocket("udp4", print):bind(0, "127.0.0.1")
      a:close(function() os.exit(0, true) end)
      uv.run()
    ]],
    ["in an error of a callback"] = [[
      a = dgram.createSocket("udp4", print)
      a:bind(0, "127.0.0.1", function() a:close() error "boom" end)
      pcall(dgram.run)
    ]],
    ["after sockets were collected"] = [[
      for i = 1, 3 do dgram.createSocket("udp4"):bind(0, "127.0.0.1") end
      for i = 1, 10 do uv.run "nowait" end
      collectgarbage()
    ]],
    ["with receivers waiting, and sends queued"] = [[
      a, b = dgram.createSocket "udp4", dgram.createSocket "udp4"
      for _, s in ipairs { a, b } do
        s:bind(0, "127.0.0.1")
        coroutine.wrap(function() s:receive() error "not to be resumed" end)()
        coroutine.wrap(function() s:receive(60000) error "not to be resumed" end)()
      end
      for i = 1, 3 do uv.run "nowait" end
      for i = 1, 100 do a:send("hello", b:address().port, "127.0.0.1", print) end
    ]],
    ["inside a coroutine that has received, with others waiting"] = [[
      a = dgram.createSocket "udp4"
      a:bind(0, "127.0.0.1")
      coroutine.wrap(function() a:receive() os.exit(0, true) end)()
      coroutine.wrap(function() a:receive(60000) end)()
      for i = 1, 10 do a:send("hello", a:address().port, "127.0.0.1") end
      dgram.run()
    ]],
    ["with sends that wait for room in a peer's queue"] = [[
      a, b = dgram.socketpair()
      for i = 1, 2000 do a:send("datagram " .. i, print) end
      coroutine.wrap(function() a:receive() error "not to be resumed" end)()
      for i = 1, 3 do uv.run "nowait" end
    ]],
    -- luv's own finalizer runs the loop until their callbacks have come. Lua 5.1 and LuaJIT may have closed dgram's module
    -- before, so it has to stay where it is (CMakeLists.txt: nodelete).
    ["with look-ups under way"] = [[
      a = dgram.createSocket "udp4"
      for i = 1, 10 do a:send("hello", 9, i % 2 == 0 and "localhost" or "127.0.0.1.", error) end
      b = dgram.createSocket "udp4"
      b:bind(0, "localhost")
      c = dgram.createSocket "udp4"
      c:connect(9, "localhost")
      uv.getaddrinfo("localhost", nil, nil, function() pcall(a.send, a, "hello", 9, "127.0.0.1") end)
    ]],
    -- No function of luv's may be called after it: there is no loop any more, and luv crashes.
    ["after uv.loop_close()"] = [[
      a = dgram.createSocket "udp4"
      b = dgram.createSocket "udp4"
      b:bind(0, "127.0.0.1")
      b:close()
      dgram.run()
      assert(uv.loop_close() == 0)
    ]],
  }

  -- The end of the program, and os.exit with the request to close the state, which plain Lua 5.1 does not have.
  local ends = { "" }
  if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then ends[2] = "os.exit(true, true)" end

  for name, code in pairs(endings) do
    it(name .. " ends quietly", function()
      for _, order in ipairs { { "dgram", "luv" }, { "luv", "dgram" } } do
        for _, last in ipairs(ends) do
          local source = ([[require %q require %q local dgram, uv = require "dgram", require "luv" %s %s]])
            :format(order[1], order[2], code, last)
          local process = child.lua(source)
          assert.same({ 0, 0, "" }, { process.status, process.signal, process.err })
        end
      end
    end)
  end

  it("has its loop as long as a socket is bound: uv.loop_close() is refused, and changes nothing", function()
    assert.equal("EBUSY\nhello\n0\n", child.lua_ok [[
      local dgram, uv = require "dgram", require "luv"
      local s
      s = dgram.createSocket("udp4", function(msg) print(msg) s:close() end)
      s:bind(0, "127.0.0.1")
      print((select(3, uv.loop_close())))
      s:send("hello", s:address().port, "127.0.0.1")
      dgram.run()
      print((uv.loop_close()))
    ]])
  end)
end)

describe("several Lua states", function()
  loop.guard()

  local function entry(async, path, cpath, total, leave_open)
    package.path, package.cpath = path, cpath
    local ok, result = pcall(function()
      local here = require "dgram"
      local seen, sent = 0, 0
      local socket
      local function next_one()
        sent = sent + 1
        socket:send("number " .. sent, socket:address().port)
      end
      socket = here.createSocket("udp4", function(msg)
        seen = seen + 1
        if msg ~= "number " .. seen then error("got " .. msg .. " as number " .. seen) end
        if seen % 100 == 0 then collectgarbage() end
        if seen < total then next_one() elseif not leave_open then socket:close() else socket:unref() end
      end)
      socket:bind(0, "127.0.0.1")
      next_one()
      here.run()
      return "seen " .. seen
    end)
    async:send(tostring(result))
    return ok
  end

  for _, leave_open in ipairs { false, true } do
    it("work at once, and end " .. (leave_open and "with sockets open" or "clean"), function()
      local total, results = 3000, {}
      local threads, asyncs = {}, {}
      local code = string.dump(entry) -- luv itself dumps it wrongly on 32 bits, and on Lua 5.5
      for i = 1, 2 do
        asyncs[i] = uv.new_async(function(result)
          results[#results + 1] = result
          asyncs[i]:close()
        end)
        threads[i] = assert(uv.new_thread(code, asyncs[i], package.path, package.cpath, total, leave_open))
      end
      -- this state does the same in the meantime
      local socket, port, got = sockets.collector "udp4"
      socket:on("message", function() if #got < total then socket:send("x", port) end end)
      socket:send("x", port)
      loop.wait(function() return #got == total and #results == 2 end, 60)
      for i = 1, 2 do threads[i]:join() end
      assert.same({ "seen " .. total, "seen " .. total }, results)
      socket:close()
      loop.run()
    end)
  end

  -- A server here, a client in another state: their loops take turns.
  local prelude = [[
    local dgram = require "dgram"
    local states = %s
    local on_message
    local server = dgram.createSocket("udp4", function(...) on_message(...) end)
    local port = server:bindSync({ address = "127.0.0.1" }).port
    function on_message(msg, rinfo) server:reply(msg, rinfo) end

    local other = states.new()
    other:run(("package.path, package.cpath, port = %%q, %%q, %%d"):format(package.path, package.cpath, port))
    other:run [=[
      dgram, got = require "dgram", 0
      client = dgram.createSocket("udp4", function()
        got = got + 1
        client:send("again", port, "127.0.0.1")
      end)
      client:bind(0, "127.0.0.1")
      client:send("first", port, "127.0.0.1")
    ]=]
    local function busy()
      other:run [=[
        waiting = dgram.createSocket "udp4"
        waiting:bind(0, "127.0.0.1")
        coroutine.wrap(function() waiting:receive() end)()
        coroutine.wrap(function() waiting:receive(60000) end)()
        dgram.step()
        for _ = 1, 100 do client:send("queued", port, "127.0.0.1", function() end) end
        client:send("to a name", port, "localhost")
      ]=]
    end
  ]]

  it("share a thread, and one goes on where the other one ends in the midst of it", function()
    local load_it = need(pending, c_module.expression "states")
    assert.equal("here\n", child.lua_ok("%s", prelude:format(load_it) .. [[
      repeat
        dgram.step(1)
        local got = tonumber(other:run "dgram.step(1) return got")
      until got >= 20
      busy()
      other:close()
      collectgarbage()
      local last = dgram.createSocket "udp4"
      function on_message(msg)
        if msg == "here" then print(msg) server:close() end
      end
      last:send("here", port, "127.0.0.1", function() last:close() end)
      dgram.run()
    ]]))
  end)

  it("run their loops, and end, in each other's listeners", function()
    local load_it = need(pending, c_module.expression "states")
    assert.equal("ended inside\n", child.lua_ok("%s", prelude:format(load_it) .. [[
      function on_message(msg, rinfo)
        server:reply(msg, rinfo)
        if not other then return end
        if tonumber(other:run "dgram.step() return got") < 5 then return end
        busy()
        other:close()
        other = nil
        print "ended inside"
        server:close()
      end
      local timer = require("luv").new_timer()
      timer:start(1, 1, function()
        if other then other:run "dgram.step()" else timer:close() end
      end)
      dgram.run()
    ]]))
  end)
end)

describe("any call in any order with any argument", function()
  loop.guard()

  it("ends in a result or an error object", function()
    local seed = 20240601
    local function random(n) -- the same everywhere
      seed = (seed * 16807) % 2147483647
      return seed % n + 1
    end
    local names = { "bind", "send", "send", "sendto", "close", "address", "fileno", "ref", "unref", "setBroadcast",
      "setTTL", "setMulticastTTL", "setMulticastLoopback", "setMulticastInterface", "addMembership", "dropMembership",
      "addSourceSpecificMembership", "dropSourceSpecificMembership", "getRecvBufferSize", "setRecvBufferSize",
      "setSendBufferSize", "getSendQueueSize", "on", "once", "off", "removeAllListeners", "listenerCount" }
    local values = { 0, 1, 9, 2, 5, -1, 1.5, 65536, "127.0.0.1", "::1", "", "hello", ("x"):rep(3000), "localhost",
      "127.255.255.255", "message", "error", "close", true, false, {}, { "a", "b" },
      { port = 0, address = "127.0.0.1" }, io.stdout }
    local list = {}
    local poke
    values[#values + 1] = function() poke(3) end
    values[#values + 1] = function() collectgarbage() end
    values[#values + 1] = function() error "boom" end
    local depth = 0

    function poke(times)
      if depth > 2 then return end
      depth = depth + 1
      for _ = 1, times do
        local k = random(6)
        if not list[k] or random(40) == 1 then list[k] = dgram.createSocket "udp4" end
        local socket, name, n = list[k], names[random(#names)], random(6) - 1
        local given = {}
        for i = 1, n do given[i] = random(4) > 1 and values[random(#values)] or nil end
        if name == "close" and random(4) > 1 then name = "address" end
        local ok, err = pcall(socket[name], socket, (table.unpack or unpack)(given, 1, n))
        if not ok and type(err) == "string" then
          depth = depth - 1
          error(name .. " raised a bare string: " .. err, 0)
        end
      end
      depth = depth - 1
    end

    local strings = {}
    dgram.setUncaughtHandler(function(err)
      if type(err) == "string" and err:find "bare string" then strings[#strings + 1] = err end
    end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    for _ = 1, 200 do
      poke(20)
      dgram.run "nowait"
    end
    for k = 1, 6 do
      if list[k] then
        list[k]:removeAllListeners()
        pcall(list[k].close, list[k])
      end
    end
    list = {}
    for _ = 1, 3 do
      collectgarbage()
      loop.turn()
    end
    assert.same({}, strings)
    for _, handle in ipairs(loop.handles()) do assert.is_nil(handle, "left open") end
    loop.run(20)
    faults.raised({ code = "ERR_SOCKET_BAD_TYPE" }, dgram.createSocket) -- still of sound mind
  end)
end)
