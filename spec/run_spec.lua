-- SPDX-License-Identifier: MIT
-- dgram.run, and errors in callbacks that it raises.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"
local dgram = require "dgram"

local expect, new = loop.expect, sockets.new

describe("dgram.run", function()
  loop.guard()

  it("returns when nothing is left to do, as uv.run does", function()
    assert.equal(uv.run(), dgram.run())
    local socket = sockets.bound("udp4", loop.never())
    socket:on("listening", expect(function() socket:close() end))
    dgram.run()
    assert.is_false(uv.loop_alive())
    loop.run()
  end)

  it("knows luv's modes", function()
    local socket, port, got = sockets.collector "udp4"
    local peer = peers.new()
    dgram.run "nowait"
    dgram.run "nowait"
    assert.equal(0, #got)
    peer:send("one", port)
    for _ = 1, 5 do
      if #got == 0 then dgram.run "once" end
    end
    assert.equal(1, #got)
    peer:send("two", port)
    for _ = 1, 5 do dgram.run "nowait" end
    assert.equal(2, #got)
    socket:close()
    peer:close()
    dgram.run "default"
    assert.is_false(uv.loop_alive())
  end)

  it("refuses a mode that there is not", function()
    for _, mode in ipairs { "sometimes", "", "once ", "once\0" } do
      faults.raised(faults.bad_value, dgram.run, mode)
    end
    for _, mode in ipairs { 7, true, {}, print } do
      faults.raised(faults.bad_type, dgram.run, mode)
    end
    faults.raised(faults.bad_value, dgram.run, "nowait", 1)
    dgram.run(nil)
  end)

  it("runs what is luv's as well", function()
    local timer = uv.new_timer()
    timer:start(0, 0, expect(function() timer:close() end))
    loop.run()
  end)

  it("stops for uv.stop, and goes on with the next call", function()
    local socket, port, got = sockets.collector "udp4"
    local peer = peers.new()
    socket:once("message", function() uv.stop() end)
    peer:send("one", port)
    dgram.run()
    assert.equal(1, #got)
    peer:send("two", port)
    loop.wait(function() return #got == 2 end)
    peer:close()
    socket:close()
    loop.run()
  end)
end)

describe("an error in a callback", function()
  loop.guard()

  local raisers = {
    message = function(socket, raise)
      socket:on("message", raise)
      socket:bind(0, "127.0.0.1")
      socket:send("x", socket:address().port)
    end,
    listening = function(socket, raise) socket:bind(0, "127.0.0.1", raise) end,
    close = function(socket, raise) socket:close(raise) end,
    send = function(socket, raise) socket:send("x", 9, "127.0.0.1", raise) end,
    ["send's failure"] = function(socket, raise) socket:send(("x"):rep(65508), 9, "127.0.0.1", raise) end,
    ["the look-up"] = function(socket, raise) socket:send("x", 9, "nohost.invalid", raise) end,
    error = function(socket, raise)
      socket:on("error", raise)
      socket:bind { address = "203.0.113.1" }
    end,
  }

  for name, start in pairs(raisers) do
    it("stops dgram.run and is raised from it: " .. name, function()
      local socket = new "udp4"
      local thrown = { "as it is" }
      start(socket, expect(function() error(thrown) end))
      local ok, err = pcall(loop.run, 20)
      assert.is_false(ok)
      assert.is_true(rawequal(thrown, err))
      if name ~= "close" then socket:close() end
      loop.run()
    end)
  end

  local function raised(value, level)
    new("udp4"):close(function()
      local function culprit() error(value, level) end
      culprit()
    end)
    local ok, err = pcall(dgram.run)
    assert.is_false(ok)
    loop.run()
    return err
  end

  it("has its traceback appended where it is a string", function()
    local err = raised("boom", 0)
    assert.equal("string", type(err))
    assert.equal("boom", err:sub(1, 4))
    assert.is_truthy(err:find("stack traceback", 1, true))
    assert.is_truthy(err:find("culprit", 1, true))
    assert.is_truthy(err:find("run_spec.lua", 1, true))
  end)

  it("has it as a field where it is an error object", function()
    local _, object = pcall(dgram.createSocket, "tcp")
    local err = raised(object)
    assert.is_true(rawequal(object, err))
    faults.check(err, { code = "ERR_SOCKET_BAD_TYPE" })
    assert.is_truthy(err.traceback:find("culprit", 1, true))
  end)

  it("is left as it is otherwise", function()
    local value = setmetatable({}, { __newindex = function() error "touched" end })
    assert.is_true(rawequal(value, raised(value)))
    assert.equal(42, raised(42, 0))
    assert.is_false(raised(false))
    if _VERSION ~= "Lua 5.5" then assert.is_nil(raised(nil)) end -- there it raises a string
  end)

  it("stops the loop: what is due later waits for the next run", function()
    local socket, port = sockets.bound "udp4"
    local got = {}
    socket:on("message", function(msg)
      got[#got + 1] = msg
      if msg == "boom" then error "boom" end
    end)
    local timer = uv.new_timer()
    local fired = false
    timer:start(3600000, 0, function() fired = true end)
    socket:send("boom", port)
    assert.is_false((pcall(loop.run)))
    assert.is_false(fired)
    socket:send("after", port)
    loop.wait(function() return #got == 2 end)
    assert.same({ "boom", "after" }, got)
    timer:close()
    socket:close()
    loop.run()
  end)
end)

describe("dgram.run inside a callback", function()
  loop.guard()

  it("ends in a result or an error, and the loop goes on", function()
    local socket, port, got = sockets.collector "udp4"
    socket:once("message", expect(function()
      pcall(dgram.run, "nowait")
      pcall(dgram.run, "nowait")
    end))
    socket:send("one", port)
    socket:send("two", port)
    loop.wait(function() return #got == 2 end)
    socket:close()
    loop.run()
    assert.equal("one", got[1].msg)
    assert.equal("two", got[2].msg)
  end)
end)

describe("dgram.run that luv refuses", function()
  loop.guard()

  local refused = { name = "Error", code = "ERR_INVALID_STATE" }

  it("raises, and says why", function()
    local run = uv.run
    finally(function() uv.run = run end)
    uv.run = function() return nil, "loop already running" end
    for _, mode in ipairs { "nowait", "once", "default" } do
      local err = faults.raised(refused, dgram.run, mode)
      assert.is_truthy(err.message:find("loop already running", 1, true), err.message)
    end
    faults.raised(refused, dgram.run)
  end)

  it("is one in a callback, where this luv does not run a loop inside of itself", function()
    local socket, port = sockets.bound "udp4"
    local ok, result, direct, reason
    socket:on("message", expect(function()
      direct, reason = uv.run "nowait"
      ok, result = pcall(dgram.run, "nowait")
      socket:close()
    end))
    socket:send("x", port)
    loop.run()
    if direct == nil then
      assert.is_false(ok)
      faults.check(result, refused)
      assert.is_truthy(result.message:find(reason, 1, true), result.message)
    else
      assert.is_true(ok)
      assert.equal("boolean", type(result))
    end
  end)
end)

describe("plain uv.run", function()
  loop.guard()

  it("serves sockets just as well", function()
    local socket, port = sockets.bound "udp4"
    local heard
    socket:on("message", expect(function(msg)
      heard = msg
      socket:close(expect())
    end))
    socket:send("hello", port)
    uv.run()
    assert.equal("hello", heard)
    loop.run()
  end)

  local raise = [[
    local dgram, uv = require "dgram", require "luv"
    local socket = dgram.createSocket "udp4"
    %s
    uv.run()
  ]]

  it("lets luv print a listener's error, with its traceback", function()
    local process = child.lua(raise, [[
      local function culprit() error "boom in a listener" end
      socket:on("message", function() culprit() end)
      socket:bind(0, "127.0.0.1")
      socket:send("x", socket:address().port)
      socket:unref()
      local timer = uv.new_timer()
      timer:start(200, 0, function() timer:close() end)
    ]])
    assert.is_truthy(process.err:find("boom in a listener", 1, true), process.err)
    assert.is_truthy(process.err:find("culprit", 1, true), process.err)
  end)

  it("lets luv print an error event that nobody listens to", function()
    local process = child.lua(raise, [[socket:bind { address = "203.0.113.1" }]])
    assert.is_truthy(process.err:find("EADDRNOTAVAIL", 1, true), process.err)
    assert.is_nil(process.err:find("(null)", 1, true), process.err)
  end)

  it("obeys the handler", function()
    local out = child.lua_ok(raise, [[
      dgram.setUncaughtHandler(function(err, trace) print("handled", err, type(trace)) end)
      socket:on("listening", function() error("boom", 0) end)
      socket:bind(0, "127.0.0.1")
      socket:on("listening", function() end)
      socket:send("last", socket:address().port, "127.0.0.1", function() socket:close() end)
    ]])
    assert.is_truthy(out:find("handled\tboom\tstring", 1, true), out)
  end)
end)
