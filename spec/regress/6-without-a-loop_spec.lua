-- SPDX-License-Identifier: MIT
-- Without luv nothing runs a tick: what a tick would have done must not pile up, nor be waited for.

local can = require "spec.support.can"
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local without_luv = [[
  package.preload.luv = function() error "none" end
  package.preload.uv = package.preload.luv
  local dgram = require "dgram"
  local function descriptors()
    local count = 0
    for _ in io.popen("ls /proc/self/fd"):lines() do count = count + 1 end
    return count
  end
]]

describe("without luv", function()
  loop.guard()

  it("close sends what waits, and closes within the call", function()
    can.need(pending, can.see_descriptors())
    local out = child.lua_ok(without_luv .. [[
      local receiver = dgram.createSocket "udp4"
      local port = receiver:bindSync { address = "127.0.0.1" }.port
      local before = descriptors()
      for _ = 1, 50 do
        local s = dgram.createSocket "udp4"
        s:send("hello", port, "127.0.0.1")
        s:close()
      end
      print(descriptors() == before)
    ]])
    assert.equal("true\n", out)
  end)

  it("forgotten sockets are collected", function()
    can.need(pending, can.see_descriptors())
    local out = child.lua_ok(without_luv .. [[
      local before = descriptors()
      for _ = 1, 50 do dgram.createSocket("udp4"):bindSync { address = "127.0.0.1" } end
      collectgarbage()
      collectgarbage()
      print(descriptors() == before)
    ]])
    assert.equal("true\n", out)
  end)

  it("what needs a loop raises, and changes nothing", function()
    local out = child.lua_ok(without_luv .. [[
      local s = dgram.createSocket "udp4"
      local listens = dgram.createSocket("udp4", print)
      s:bindSync()
      for _, call in ipairs {
        function() s:on("message", print) end,
        function() listens:bindSync() end,
        function() dgram.createSocket("udp4"):bind(0) end,
        dgram.run,
      } do
        local ok, err = pcall(call)
        print(ok, err.code)
      end
      print(s:listenerCount "message", (pcall(listens.address, listens)))
    ]])
    assert.equal(("false\tERR_FEATURE_UNAVAILABLE_ON_PLATFORM\n"):rep(4) .. "0\tfalse\n", out)
  end)
end)
