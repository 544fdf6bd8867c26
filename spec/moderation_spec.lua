-- SPDX-License-Identifier: MIT
-- A socket that asks for it is received from at intervals where it wakes the loop up often. An interval is long here, so
-- that slow machines, too, have two wake-ups in it.
local can = require "spec.support.can"
local dgram = require "dgram"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local polls = require "spec.support.polls"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local expect, need, new = loop.expect, can.need, sockets.new

local INTERVAL = 20000 -- microseconds

local function have_timer()
  local s = new "udp4"
  local there = s:stats().moderated ~= nil
  s:close()
  loop.turn()
  if there then return true end
  return nil, "no timer of microseconds"
end

-- Runs the loop as a program does, where it goes on until it is stopped.
local function run_until(condition, seconds)
  local late, timer, look = false, uv.new_timer(), uv.new_prepare()
  timer:start((seconds or loop.deadline) * 1000, 0, function()
    late = true
    uv.stop()
  end)
  timer:unref()
  look:start(function() if condition() then uv.stop() end end)
  look:unref()
  local ok, err = pcall(dgram.run)
  timer:close()
  look:close()
  if not ok then error(err, 0) end
  assert.is_false(late, "still waiting")
  assert.is_true(condition())
end

-- A socket, and a peer that sends it a number each millisecond, beginning with 1, until stream.stop().
-- stream.heard lists what was heard; stream.on_message, if it is set, is called with each.
local function streamed(options)
  need(pending, have_timer())
  options = options or {}
  options.type = options.type or "udp4"
  if options.moderation == nil then options.moderation = INTERVAL end
  local s, port = sockets.bound(options)
  local address = options.type == "udp6" and "::1" or "127.0.0.1"
  local peer, feed = peers.new(address), uv.new_timer()
  local stream = { socket = s, peer = peer, port = port, sent = 0, heard = {}, batch = 1, period = 1 }
  s:on("message", function(msg, rinfo)
    stream.heard[#stream.heard + 1] = tonumber(msg)
    if stream.on_message then stream.on_message(msg, rinfo) end
  end)
  function stream.send(n)
    for _ = 1, n do
      stream.sent = stream.sent + 1
      peer:send(tostring(stream.sent), port)
    end
  end
  function stream.start()
    feed:start(1, stream.period, function() stream.send(stream.batch) end)
  end
  function stream.stop() feed:stop() end
  function stream.moderated() return s:stats().moderated end
  function stream.engage()
    stream.start()
    run_until(stream.moderated)
    stream.stop()
  end
  function stream.all_heard() return #stream.heard == stream.sent end
  function stream.check()
    for i = 1, stream.sent do assert.equal(i, stream.heard[i]) end
    assert.equal(stream.sent, #stream.heard)
  end
  function stream.close()
    stream.stop()
    feed:close()
    peer:close()
    pcall(s.close, s)
  end
  function stream.finish()
    stream.close()
    loop.run()
  end
  return stream
end

-- Turns of the loop with a stream that must not be moderated.
local function not_moderated(stream)
  local enough = #stream.heard + 200 * stream.batch
  stream.start()
  run_until(function() return stream.moderated() or #stream.heard >= enough end)
  stream.stop()
  assert.is_false(stream.moderated())
end

describe("a socket with many wake-ups", function()
  loop.guard()

  for _, type in ipairs { "udp4", "udp6" } do
    it("is looked at in intervals, which lose nothing: " .. type, function()
      local stream = streamed { type = type }
      stream.engage()
      run_until(stream.all_heard)
      local before, dispatches, turns, heard_in = stream.socket:stats(), 0, 0, nil
      local idle, check = uv.new_idle(), uv.new_check() -- the loop does not sleep
      idle:start(function() end)
      check:start(function()
        turns = turns + 1
        if turns <= 10 then stream.send(1) end
      end)
      stream.on_message = function()
        dispatches = dispatches + (turns ~= heard_in and 1 or 0)
        heard_in = turns
      end
      local began = uv.hrtime()
      run_until(function() return turns >= 10 and stream.all_heard() end)
      local intervals = math.ceil((uv.hrtime() - began) / 1000 / INTERVAL) -- mostly one, but not on a busy machine
      idle:close()
      check:close()
      stream.check()
      assert.is_true(dispatches <= 1 + intervals)
      assert.is_true(stream.socket:stats().receiveCalls - before.receiveCalls <= 3 + intervals)
      stream.finish()
    end)
  end

  it("is not without the option", function()
    need(pending, have_timer())
    local s, port = sockets.bound "udp4"
    local peer, check, idle, heard = peers.new(), uv.new_check(), uv.new_idle(), 0
    s:on("message", function() heard = heard + 1 end)
    idle:start(function() end) -- the loop does not sleep
    check:start(function() peer:send("x", port) end)
    run_until(function() return heard >= 500 end)
    assert.is_false(s:stats().moderated)
    sockets.close_all(s, peer, check, idle)
    loop.run()
  end)

  it("has a shorter interval, or none, when the receive buffer could overflow", function()
    local stream = streamed { recvBufferSize = 32768 }
    stream.batch = 8
    stream.engage()
    run_until(stream.all_heard)
    for _ = 1, 20 do
      stream.send(14)
      run_until(stream.all_heard)
    end
    stream.check()
    stream.finish()
  end)

  it("is woken up again when an interval found nothing", function()
    local stream = streamed()
    stream.engage()
    run_until(function() return not stream.moderated() end)
    stream.check()
    for _ = 1, 5 do
      stream.send(1)
      run_until(stream.all_heard)
    end
    stream.finish()
  end)

  it("is so again and again", function()
    local stream = streamed { moderation = 5000 }
    for _ = 1, 5 do
      stream.engage()
      run_until(function() return not stream.moderated() end)
    end
    stream.check()
    stream.finish()
  end)

  it("is not if it does not keep the loop alive", function()
    local stream = streamed()
    stream.socket:unref()
    not_moderated(stream)
    stream.finish()
  end)

  it("may refuse that", function()
    local stream = streamed { moderation = false }
    not_moderated(stream)
    run_until(stream.all_heard)
    stream.check()
    stream.finish()
  end)

  it("and a Unix socket, whose peers would have to wait, is not either", function()
    local path = os.tmpname()
    os.remove(path)
    local s, heard = new { type = "unix_dgram", moderation = INTERVAL }, 0
    s:bind(path)
    s:on("message", function() heard = heard + 1 end)
    local thread = uv.new_thread(string.dump(function(to)
      local peer = require "dgram".createSocket "unix_dgram"
      for _ = 1, 300 do peer:send("x", to) end
      peer:close()
      require "luv".run()
    end), path)
    local moderated = false
    run_until(function()
      moderated = moderated or s:stats().moderated
      return heard == 300
    end)
    thread:join()
    assert.falsy(moderated)
    s:close()
    loop.run()
  end)

  it("may close in its listener", function()
    local stream = streamed()
    stream.engage()
    stream.on_message = function()
      stream.socket:close(expect())
      stream.on_message = loop.never()
    end
    for _ = 1, 3 do stream.peer:send("0", stream.port) end
    loop.run()
    stream.finish()
  end)

  it("may close outside", function()
    local stream = streamed()
    stream.engage()
    stream.socket:close(expect())
    loop.run()
    stream.finish()
  end)

  it("may raise, and the rest comes", function()
    local caught = 0
    dgram.setUncaughtHandler(function() caught = caught + 1 end)
    local stream = streamed()
    stream.engage()
    stream.on_message = function() error "on purpose" end
    stream.send(10)
    run_until(stream.all_heard)
    stream.check()
    assert.is_true(caught >= 10)
    stream.finish()
    dgram.setUncaughtHandler(nil)
  end)

  it("may pause and resume", function()
    local stream = streamed()
    stream.engage()
    run_until(stream.all_heard)
    stream.socket:pause()
    stream.send(1)
    run_until(function() return not stream.moderated() end)
    assert.equal(stream.sent - 1, #stream.heard)
    stream.socket:resume()
    run_until(stream.all_heard)
    stream.check()
    stream.finish()
  end)

  it("may lose its listeners, and get others", function()
    local stream = streamed()
    stream.engage()
    run_until(stream.all_heard)
    stream.socket:removeAllListeners "message"
    run_until(function() return not stream.moderated() end)
    stream.peer:send("late", stream.port)
    local heard
    stream.socket:once("message", function(msg) heard = msg end)
    run_until(function() return heard ~= nil end)
    assert.equal("late", heard)
    stream.finish()
  end)

  it("does not keep the loop alive once it must not", function()
    local stream = streamed()
    stream.engage()
    stream.socket:unref()
    loop.run() -- returns
    stream.socket:ref()
    stream.send(1)
    run_until(stream.all_heard)
    stream.check()
    stream.finish()
  end)

  it("does keep it alive else", function()
    local stream = streamed { moderation = 5000 }
    stream.engage()
    run_until(function() return not stream.moderated() end)
    loop.pass(50) -- the timer has fired once more, and found nobody
    stream.engage()
    local timer = uv.new_timer()
    timer:start(200, 0, expect(function() stream.socket:close() end))
    timer:unref()
    loop.run() -- does not return before that
    timer:close()
    stream.finish()
  end)

  it("may run the loop in its listener", function()
    local stream = streamed()
    stream.engage()
    stream.on_message = function() pcall(uv.run, "nowait") end
    stream.send(20)
    run_until(stream.all_heard)
    stream.check()
    stream.finish()
  end)

  it("may be one of many", function()
    local streams = {}
    for i = 1, 12 do
      streams[i] = streamed()
      streams[i].start()
    end
    local function moderated()
      local n = 0
      for _, stream in ipairs(streams) do n = n + (stream.moderated() and 1 or 0) end
      return n
    end
    run_until(function() return moderated() == 8 end)
    for _, stream in ipairs(streams) do stream.stop() end
    run_until(function()
      for _, stream in ipairs(streams) do
        if not stream.all_heard() then return false end
      end
      return true
    end)
    for i, stream in ipairs(streams) do
      stream.check()
      if i % 3 == 0 then stream.socket:close() end
    end
    run_until(function() return moderated() == 0 end)
    for _, stream in ipairs(streams) do stream.close() end
    loop.run()
  end)

  it("may leave others that are", function()
    local first, second = streamed(), streamed()
    first.start()
    second.start()
    run_until(function() return first.moderated() and second.moderated() end)
    first.stop()
    second.stop()
    run_until(function() return first.all_heard() and second.all_heard() end)
    first.on_message = function()
      first.on_message = nil
      first.socket:pause()
    end
    first.send(3)
    second.send(3)
    run_until(function() return second.all_heard() and first.on_message == nil end)
    assert.is_false(first.moderated())
    first.socket:resume()
    run_until(first.all_heard)
    first.check()
    second.check()
    first.close()
    second.close()
    loop.run()
  end)

  it("does not wait for the longer interval of another one", function()
    local slow, fast = streamed { moderation = 1000000 }, streamed()
    slow.period = 9
    slow.engage()
    fast.engage()
    fast.send(1)
    local passed, timer = false, uv.new_timer()
    timer:start(500, 0, function() passed = true end)
    run_until(fast.all_heard)
    timer:close()
    assert.is_false(passed)
    slow.close()
    fast.close()
    loop.run()
  end)

  it("survives a program that closes every handle it finds", function()
    local stream, another = streamed(), streamed()
    stream.engage()
    uv.walk(function(handle)
      if tostring(handle):find "^uv_poll" and not handle:is_closing() then handle:close() end
    end)
    loop.turn()
    another.close()
    another = streamed()
    another.engage()
    another.send(1) -- only the new timer keeps the loop alive until this comes
    run_until(another.all_heard)
    another.check()
    another.close()
    stream.finish()
  end)

  it("survives that its descriptor is closed by somebody else", function()
    local stream = streamed()
    local failed
    stream.socket:on("error", function(err) failed = err end)
    stream.engage()
    uv.fs_close(stream.socket:fileno())
    run_until(function() return failed ~= nil end)
    assert.equal("EBADF", failed.code)
    loop.pass(50)
    stream.finish()
  end)

  -- As finalizers do that run while luv allocates.
  for _, place in ipairs { "new_poll", "poll_start" } do
    it("may be closed, as the last one, while the timer is made: in " .. place, function()
      local stream, new_poll, start, closed = streamed(), uv.new_poll, uv.poll_start, false
      run_until(stream.all_heard)
      local function close()
        uv.new_poll, uv.poll_start = new_poll, start
        closed = true
        stream.stop()
        stream.socket:close()
        for _ = 1, 3 do uv.run "nowait" end
      end
      uv.new_poll = function(...)
        local handle = new_poll(...)
        if place == "new_poll" then
          close()
        else
          uv.poll_start = function(...)
            close()
            return start(...)
          end
        end
        return handle
      end
      stream.start()
      run_until(function() return closed end)
      uv.new_poll, uv.poll_start = new_poll, start
      loop.run()
      stream.finish()
    end)
  end

  it("goes on if luv fails when it is to begin", function()
    local stream = streamed()
    polls.without(function() not_moderated(stream) end)
    stream.engage()
    run_until(stream.all_heard)
    stream.check()
    stream.finish()
  end)

  it("goes on at intervals if luv fails when that is to end", function()
    local stream = streamed { moderation = 5000 }
    stream.engage()
    polls.without(function()
      loop.pass(100)
      stream.send(1)
      run_until(stream.all_heard)
      assert.is_true(stream.moderated())
      stream.socket:unref()
      stream.socket:ref()
      stream.send(1)
      run_until(stream.all_heard)
    end)
    run_until(function() return not stream.moderated() end)
    stream.send(1)
    run_until(stream.all_heard)
    stream.check()
    stream.finish()
  end)

  it("is received from at intervals even if the block list refuses it all", function()
    local list = dgram.BlockList()
    list:addAddress("127.0.0.1", "ipv4")
    local stream = streamed { receiveBlockList = list }
    stream.engage()
    run_until(function() return stream.socket:stats().blocked == stream.sent end)
    assert.equal(0, #stream.heard)
    stream.finish()
  end)

  it("takes an interval, and nothing else", function()
    for _, wrong in ipairs { "often", true, {}, function() end } do
      faults.raised({ code = "ERR_INVALID_ARG_TYPE" }, dgram.createSocket, { type = "udp4", moderation = wrong })
    end
    for _, wrong in ipairs { 0, -1, 1.5, 1000001, 0 / 0, math.huge } do
      faults.raised({ code = "ERR_OUT_OF_RANGE" }, dgram.createSocket, { type = "udp4", moderation = wrong })
    end
    for _, right in ipairs { false, 1, 1000000 } do
      dgram.createSocket({ type = "udp4", moderation = right }):close()
    end
    loop.run()
  end)
end)
