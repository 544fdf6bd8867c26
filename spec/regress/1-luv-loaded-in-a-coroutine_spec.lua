-- SPDX-License-Identifier: MIT
-- luv calls back on the thread that it was loaded from. dgram loads it when it is first needed, which may be in a coroutine.

local child = require "spec.support.child"
local loop = require "spec.support.loop"

local quirk = [[
  local uv
  coroutine.wrap(function() uv = require "luv" end)()
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    print(select(2, coroutine.running()) == false and "a coroutine" or "the main thread")
    timer:close()
  end)
  uv.run()
]]

local program = [[
  local dgram = require "dgram"
  local main = coroutine.wrap(function()
    local socket = dgram.createSocket "udp4"
    socket:bind(0, "127.0.0.1")
    socket:send("hello", socket:address().port, "127.0.0.1")
    local running = coroutine.running()
    socket:once("message", function(msg) assert(coroutine.resume(running, msg)) end)
    print(coroutine.yield())
    socket:close()
  end)
  main()
  dgram.run()
]]

describe("luv loaded in a coroutine", function()
  loop.guard()

  it("calls back there, where this luv still does", function()
    if _VERSION == "Lua 5.1" then pending "coroutine.running does not tell the main thread here" end
    local where = child.lua_ok(quirk)
    if where == "the main thread\n" then pending "this luv calls back on the main thread" end
    assert.equal("a coroutine\n", where)
  end)

  it("is loaded from the main thread by dgram, so that coroutines can be resumed from listeners", function()
    assert.equal("hello\n", child.lua_ok(program))
  end)
end)
