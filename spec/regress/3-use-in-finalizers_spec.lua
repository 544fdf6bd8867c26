-- SPDX-License-Identifier: MIT
-- Finalizers of the program's own objects use sockets: while a state is closed, and inside of dgram's own allocations.

local child = require "spec.support.child"
local loop = require "spec.support.loop"

-- An object whose finalizer calls fn: a table has none in Lua 5.1.
local finalized = [[
  local function finalized(fn)
    if _VERSION ~= "Lua 5.1" then return setmetatable({}, { __gc = fn }) end
    local object = newproxy(true)
    getmetatable(object).__gc = fn
    return object
  end
]]

local function ends_well(code, ...)
  return child.lua_ok(finalized .. code, ...)
end

describe("a socket in a finalizer", function()
  loop.guard()

  it("is closed at the end of the state, by an object that is older than its handle", function()
    for _, call in ipairs { "s:close()", "s:pause()", "s:send('x', 9)", "s:unref()", "s:connect(9)" } do
      local out = ends_well(([[
        local dgram = require "dgram"
        local s = dgram.createSocket("udp4", print)
        keep = finalized(function() pcall(function() %s end) print "done" end)
        s:bind(0, "127.0.0.1")
        dgram.run "nowait"
      ]]):format(call))
      assert.equal("done\n", out)
    end
  end)

  it("sends from inside a send: each datagram whole, each callback once", function()
    local out = ends_well [[
      local dgram = require "dgram"
      local server = dgram.createSocket("udp4", function(msg)
        assert(msg == ("o"):rep(40) or msg == ("i"):rep(40), msg)
      end)
      server:bind(0, "127.0.0.1")
      local port = server:address().port
      local s = dgram.createSocket "udp4"
      local sent, told, open = 0, 0, true
      local function send(byte)
        sent = sent + 1
        s:send(byte:rep(40), port, "127.0.0.1", function() told = told + 1 end)
      end
      require "spec.support.collector"(1, 1000)
      collectgarbage() -- a pause counts from the end of a collection
      for round = 1, 300 do
        finalized(function() if open and sent < 2000 then send "i" end end)
        send "o"
        if round % 20 == 0 then dgram.run "nowait" end
      end
      for _ = 1, 1000 do
        if told == sent then break end
        dgram.run "nowait"
      end
      print(sent > 300, told == sent)
      open = false -- some may be collected only now, and LuaJIT raises what a finalizer raises
      s:close()
      server:close()
      dgram.run()
    ]]
    assert.equal("true\ttrue\n", out)
  end)
end)
