-- SPDX-License-Identifier: MIT
-- A callback ran the loop, and in it another socket's callback ran out of memory: that socket was forgotten, with the
-- callbacks that it still had to call and its close.
local can = require "spec.support.can"
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local program = [[
  local dgram, uv = require "dgram", require "luv"
  local function new()
    local socket = dgram.createSocket "udp4"
    socket:bind(0, "127.0.0.1")
    return socket
  end
  local short
  dgram.setUncaughtHandler(function(err) short = short or tostring(err):find("memory", 1, true) end)
  local first, second, third = new(), new(), new()
  dgram.run "nowait"
  local told, closed = 0, 0
  local function callback() told = told + 1 end
  first:send("1", 9, "127.0.0.1", function() uv.run "nowait" end)
  second:send("1", 9, "127.0.0.1", function() return ("x"):rep(1500000000) end)
  for _ = 1, 3 do second:send("1", 9, "127.0.0.1", callback) end
  third:send("1", 9, "127.0.0.1", callback)
  for _, socket in ipairs { first, second, third } do socket:close(function() closed = closed + 1 end) end
  dgram.run()
  print(told, closed, short and "short of memory" or "enough")
]]

describe("a memory error in a nested loop", function()
  loop.guard()

  it("loses no other callback and no close", function()
    can.need(pending, can.native())
    can.need(pending, not os.getenv "LD_PRELOAD", "a sanitizer takes more room than this leaves")
    local process = child.lua_short_of_memory(program)
    local told, closed, memory = process.out:match "^(%d+)%s+(%d+)%s+(.-)\n$"
    assert.equal("4 3", ("%s %s"):format(told, closed), process.out .. process.err)
    assert.equal("short of memory", memory)
  end)
end)
