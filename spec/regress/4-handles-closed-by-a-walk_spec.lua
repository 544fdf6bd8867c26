-- SPDX-License-Identifier: MIT
-- Programs clean up by closing every handle that uv.walk shows them, ours included. libuv aborts when such a handle is used.

local child = require "spec.support.child"
local loop = require "spec.support.loop"

describe("a socket whose handles were closed by the program", function()
  loop.guard()

  for _, call in ipairs { "s:close()", "s:pause()", "s:send('x', 9)", "s:ref():unref()", "s:removeAllListeners()" } do
    it("survives " .. call, function()
      local out = child.lua_ok(([[
        local dgram = require "dgram"
        local uv = require "luv"
        local s = dgram.createSocket("udp4", print)
        s:bind(0, "127.0.0.1")
        dgram.run "nowait"
        uv.walk(function(handle) if not handle:is_closing() then handle:close() end end)
        dgram.run()
        %s
        dgram.run()
        print "well"
      ]]):format(call))
      assert.equal("well\n", out)
    end)
  end
end)
