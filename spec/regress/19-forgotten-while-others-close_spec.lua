-- SPDX-License-Identifier: MIT
-- The collector may finalize a socket while dgram closes the handles of others: inside of luv's `close`.

local child = require "spec.support.child"
local loop = require "spec.support.loop"

describe("a socket that is finalized while the handles of others are closed", function()
  loop.guard()

  it("gives back its handle and its descriptor", function()
    local out = child.lua_ok [[
      local dgram, uv = require "dgram", require "luv"
      local function open()
        local socket = dgram.createSocket "udp4"
        socket:bind(0, "127.0.0.1")
        return socket
      end
      local closed, forgotten = open(), open()
      local number = forgotten:fileno()
      dgram.run "nowait"
      local close = uv.close
      function uv.close(...)
        forgotten = nil
        collectgarbage()
        collectgarbage()
        return close(...)
      end
      closed:close()
      closed = nil
      dgram.run()
      uv.close = close
      local polls = 0
      uv.walk(function(handle) if handle:get_type() == "poll" then polls = polls + 1 end end)
      local again = {}
      for i = 1, 3 do again[i] = open():fileno() end
      print(polls, number <= math.max(again[1], again[2], again[3]))
    ]]
    assert.equal("0\ttrue\n", out)
  end)
end)
