-- SPDX-License-Identifier: MIT
-- busyPoll: the kernel is asked again and again before the loop sleeps. What shows it is that one turn of the loop delivers
-- several datagrams, each of which is sent when the one before was answered; and CPU time, which waiting takes here: a machine
-- that is busy otherwise only takes some of it away.
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local dgram, uv = require "dgram", require "luv"

local need, new, bound = can.need, sockets.new, sockets.bound
local LONG = 1000000 -- microseconds: the wait then takes what the turn has left, 5 ms
local ROUNDS = 40

-- A client in another process: so many datagrams, each when the last one was answered; lost ones again after a second.
local client = [[
  local uv = require "luv"
  local port, left = %d, %d
  local socket, again = uv.new_udp(), uv.new_timer()
  local function send()
    socket:try_send("question", "127.0.0.1", port)
    again:start(1000, 0, send)
  end
  assert(socket:bind("127.0.0.1", 0))
  socket:recv_start(function(_, data)
    if not data then return end
    left = left - 1
    if left > 0 then return send() end
    socket:close()
    again:close()
  end)
  send()
  uv.run()
]]

local function start_client(port, trips)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  return child.start(child.interpreter(), { "-e", paths, "-e", client:format(port, trips) }, { own = true })
end

-- How many turns of the loop an echo server took for how many datagrams of such a client. start(socket) makes it answer.
local function echo_turns(options, start)
  local socket, port = bound(options)
  start(socket)
  local trips = 400
  local process = start_client(port, trips)
  loop.wait(function() return socket:stats().messagesReceived > 0 end, 20)
  local count = loop.count_turns()
  process:wait(60)
  local turns, got = count() + 1, socket:stats().messagesReceived -- the turn of the first one may have had them all
  socket:close()
  loop.run()
  assert.equal(0, process.status, process.err)
  return turns, got
end

local function answer(socket)
  socket:on("message", function(msg, rinfo) socket:send(msg, rinfo.port, rinfo.address) end)
end

-- CPU seconds that ROUNDS rounds take, in each of which the socket is sent a datagram, and act() may follow.
local function cost(socket, port, act)
  local peer, used = peers.new(), os.clock()
  for _ = 1, ROUNDS do
    local before = socket:stats().messagesReceived
    peer:send("x", port)
    if act then
      act()
    else
      loop.wait(function() return socket:stats().messagesReceived > before end)
    end
  end
  used = os.clock() - used
  peer:close()
  return used
end

local function quiet_cost(listener, options)
  options = options or {}
  options.type, options.busyPoll = "udp4", LONG
  local socket, port = bound(options)
  socket:on("message", function() listener(socket) end)
  local used = cost(socket, port)
  return used, socket
end

describe("busyPoll", function()
  loop.guard()

  it("has several questions answered in one turn, each sent after the answer to the last", function()
    local turns, got = echo_turns({ type = "udp4", busyPoll = 5000 }, answer)
    assert.is_true(turns < got, ("%d turns for %d datagrams"):format(turns, got))
    turns, got = echo_turns({ type = "udp4" }, answer)
    assert.is_true(turns >= got, ("%d turns for %d datagrams without it"):format(turns, got))
  end)

  it("does so for batch, and for calls of receive", function()
    local turns, got = echo_turns({ type = "udp4", busyPoll = 5000 }, function(socket)
      socket:on("batch", function(messages, rinfos)
        for i = 1, #messages do socket:reply(messages[i], rinfos[i]) end
      end)
    end)
    assert.is_true(turns < got, ("%d turns for %d datagrams"):format(turns, got))
    turns, got = echo_turns({ type = "udp4", busyPoll = 5000 }, function(socket)
      coroutine.wrap(function()
        while true do
          local msg, rinfo = socket:receive()
          if not msg then return end
          socket:reply(msg, rinfo)
        end
      end)()
    end)
    assert.is_true(turns < got, ("%d turns for %d datagrams"):format(turns, got))
  end)

  it("asks for the socket alone where the loop shows no descriptor", function()
    local backend_fd = uv.backend_fd
    uv.backend_fd = nil
    finally(function() uv.backend_fd = backend_fd end)
    local turns, got = echo_turns({ type = "udp4", busyPoll = 5000 }, answer)
    assert.is_true(turns < got, ("%d turns for %d datagrams"):format(turns, got))
  end)

  it("leaves the loop's timers their turn", function()
    local socket, port = bound { type = "udp4", busyPoll = LONG }
    answer(socket)
    local process, ticks, timer = start_client(port, 1000000000), 0, uv.new_timer()
    loop.wait(function() return socket:stats().messagesReceived > 0 end, 20)
    timer:start(1, 1, function() ticks = ticks + 1 end)
    local before = socket:stats().messagesReceived
    loop.wait(function() return ticks >= 20 and socket:stats().messagesReceived > before + 20 end, 20)
    timer:close()
    process:stop()
    socket:close()
    loop.run()
  end)

  it("takes CPU time, but none while another socket is due, work is deferred, or nobody takes the next one", function()
    local waiting, socket = quiet_cost(function() end)
    socket:close()
    local other, other_port = bound("udp4", function() end)
    local peer, extra = peers.new(), nil
    local silent = {
      ["another socket is due"] = function() peer:send("y", other_port) end,
      ["a handle waits to be closed"] = function() new("udp4", function() end):bind(0, "127.0.0.1"):close() end,
      ["an event makes an event"] = function()
        extra = new "udp4"
        extra:bind(0, "127.0.0.1", function() extra:close() end)
      end,
      ["it is paused"] = function(s)
        s:pause()
        uv.timer_start(extra, 1, 0, function() s:resume() end)
      end,
    }
    for name, act in pairs(silent) do
      extra = name == "it is paused" and uv.new_timer() or nil
      local used, busy = quiet_cost(act)
      assert.is_true(used < waiting / 2, ("%s: %.3f s beside %.3f s"):format(name, used, waiting))
      busy:close()
      if name == "it is paused" then extra:close() end
      loop.turn()
    end
    sockets.close_all(other, peer)
    loop.run()
  end)

  it("does not hold up a call of receive in the main program", function()
    local waiting, socket = quiet_cost(function() end)
    socket:close()
    local port
    socket, port = bound { type = "udp4", busyPoll = LONG }
    local used = cost(socket, port, function() assert.equal("x", (socket:receive())) end)
    assert.is_true(used < waiting / 2, ("%.3f s beside %.3f s"):format(used, waiting))
    socket:close()
    loop.run()
  end)

  it("waits once after what was delivered, and not for a socket that only had errors", function()
    local used, socket = quiet_cost(function() end)
    local before = os.clock()
    loop.turn(200)
    assert.is_true(os.clock() - before < used, "it waited in turns that delivered nothing")
    socket:close()
    loop.run()
  end)

  it("reports what comes as an error meanwhile, once", function()
    local dead = peers.new()
    local errors, closed = {}, dead.port
    dead:close()
    loop.turn()
    local socket, port = bound { type = "udp4", busyPoll = LONG }
    local peer = peers.new()
    socket:connectSync(peer.port, "127.0.0.1")
    socket:on("error", function(err) errors[#errors + 1] = err.code end)
    local told = {}
    socket:on("message", function()
      if #told > 0 then return end
      told[1] = true
      socket:disconnect()
      socket:connectSync(closed, "127.0.0.1")
      socket:send "to nobody"
    end)
    peer:send("x", port)
    loop.wait(function() return #errors > 0 end)
    loop.turn(5)
    assert.same({ "ECONNREFUSED" }, errors)
    sockets.close_all(peer, socket)
    loop.run()
  end)

  it("loses nothing where a listener raises, closes, or runs the loop", function()
    need(pending, can.nest())
    local raised = 0
    dgram.setUncaughtHandler(function(err)
      assert(tostring(err):find("on purpose", 1, true), err)
      raised = raised + 1
    end)
    finally(function() dgram.setUncaughtHandler(nil) end)
    local socket, port = bound { type = "udp4", busyPoll = LONG }
    local peer, got = peers.new(), {}
    socket:on("message", function(msg)
      got[#got + 1] = msg
      if msg == "run" then
        peer:send("inner", port)
        while got[#got] ~= "inner" do dgram.run "nowait" end
      elseif msg == "close" then
        socket:close()
      else
        error("on purpose", 0)
      end
    end)
    for _, msg in ipairs { "1", "2", "run", "3" } do peer:send(msg, port) end
    loop.wait(function() return #got == 5 end)
    peer:send("close", port)
    peer:send("never", port)
    loop.wait(function() return got[#got] == "close" end)
    peer:close()
    loop.run()
    table.sort(got)
    assert.same({ "1", "2", "3", "close", "inner", "run" }, got)
    assert.equal(4, raised)
  end)

  it("is for Unix sockets, too, and is no reason to stay", function()
    local path = unix.path()
    local socket = new { type = "unix_dgram", busyPoll = 100 }
    local got = {}
    socket:on("message", function(msg) got[#got + 1] = msg end)
    socket:bind(path)
    local sender = new { type = "unix_dgram", busyPoll = 100 }
    sender:send("one", path)
    loop.wait(function() return #got == 1 end)
    socket:unref()
    sender:close()
    loop.run()
    socket:close()
    loop.run()
  end)

  it("takes microseconds or false", function()
    for _, value in ipairs { 1, 50, LONG, false } do
      local socket = new { type = "udp4", busyPoll = value }
      socket:close()
    end
    for _, value in ipairs { "50", true, {}, print } do
      faults.raised(faults.bad_type, dgram.createSocket, { type = "udp4", busyPoll = value })
    end
    for _, value in ipairs { 0, -1, LONG + 1, 0.5, 0 / 0, 1 / 0, 2 ^ 53, -2 ^ 63 } do
      faults.raised(faults.out_of_range, dgram.createSocket, { type = "unix_dgram", busyPoll = value })
    end
    loop.run()
  end)
end)
