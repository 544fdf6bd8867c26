-- SPDX-License-Identifier: MIT
-- Lua can raise anything. What goes to luv under plain uv.run is the text of it.

local child = require "spec.support.child"
local loop = require "spec.support.loop"

describe("an error that is no table, under uv.run", function()
  loop.guard()

  -- error(nil) raises a string in Lua 5.5.
  local of_nil = _VERSION == "Lua 5.5" and "<no error object>" or "nil"
  for raised, text in pairs { ["nil"] = of_nil, ["true"] = "true", ["print"] = "function:" } do
    it("reaches luv: " .. raised, function()
      local process = child.lua(([[
        local dgram = require "dgram"
        local uv = require "luv"
        local s = dgram.createSocket("udp4", function() error(%s) end)
        s:bind(0, "127.0.0.1")
        s:send("x", s:address().port, "127.0.0.1")
        uv.run()
      ]]):format(raised))
      assert.is_truthy(process.err:find(text, 1, true), process.err)
      assert.is_nil(process.err:find("attempt to index", 1, true), process.err)
    end)
  end
end)
