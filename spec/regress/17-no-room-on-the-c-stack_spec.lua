-- SPDX-License-Identifier: MIT
-- A listener that runs the loop, in which it is called again, and so on: where C's stack had no room for the next dispatch,
-- that was tried again for ever.
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local program = [[
  local dgram, uv = require "dgram", require "luv"
  local handled, calls, depth, deepest = 0, 0, 0, 0
  dgram.setUncaughtHandler(function() handled = handled + 1 end)
  local nested = true -- whether this luv runs a loop inside of itself
  local timer = uv.new_timer()
  timer:start(0, 0, function() nested = uv.run "nowait" ~= nil end)
  uv.run()
  timer:close()
  local socket = dgram.createSocket "udp4"
  socket:bind(0, "127.0.0.1")
  local port = socket:address().port
  socket:on("message", function()
    calls, depth = calls + 1, depth + 1
    deepest = math.max(deepest, depth)
    if deepest < 250 and calls < 500 then
      pcall(function()
        socket:send("again", port, "127.0.0.1")
        socket:flush()
        uv.run "nowait"
      end)
    end
    depth = depth - 1
  end)
  socket:send("once", port, "127.0.0.1")
  for _ = 1, 2000 do
    uv.run "nowait"
    if depth == 0 and socket:stats().messagesSent == calls then break end
  end
  local refused = not nested and deepest == 1
  local how = deepest == 250 and "deep" or handled > 0 and "told" or refused and "refused" or "neither"
  print(depth, socket:stats().messagesSent - calls, how)
  socket:close()
  uv.run()
]]

describe("a dispatch for which the C stack has no room", function()
  loop.guard()

  it("is told, and its datagrams come later", function()
    local process = child.lua(program)
    local depth, missing, how = process.out:match "^(%-?%d+)%s+(%-?%d+)%s+(%a+)\n$"
    assert.same({ "0", "0" }, { depth, missing }, process.out .. process.err)
    assert.is_true(how == "deep" or how == "told" or how == "refused", how)
    assert.equal(0, process.status)
  end)
end)
