-- SPDX-License-Identifier: MIT
-- Where another module has the name dgram, and luv the name uv, as in luvit.
local child = require "spec.support.child"
local loop = require "spec.support.loop"

describe("beside another module of that name", function()
  loop.guard()

  it("dgram is loaded by its file, and finds luv as uv", function()
    local out = child.lua_ok [[
      local uv = require "luv"
      package.loaded.luv = nil
      package.preload.luv = function() error "not by this name" end
      package.loaded.uv = uv
      package.loaded.dgram = { createSocket = function() error "the other one" end }
      local path
      for template in package.path:gmatch "[^;]+" do
        local name = template:gsub("%?", "dgram")
        local file = not path and io.open(name)
        if file then
          path = name
          file:close()
        end
      end
      local dgram = dofile(path)
      local s = dgram.createSocket "udp4"
      s:on("message", function(msg)
        print(msg)
        s:close()
      end)
      s:bind(0, "127.0.0.1")
      s:send("heard", s:address().port, "127.0.0.1")
      uv.run()
      print(pcall(require("dgram").createSocket))
    ]]
    assert.equal("heard\nfalse\t", out:sub(1, 12))
  end)
end)
