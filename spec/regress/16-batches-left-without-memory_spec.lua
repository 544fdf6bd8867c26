-- SPDX-License-Identifier: MIT
-- A listener ran out of memory: what else had come with its datagram stayed where it was until the next one came.
local can = require "spec.support.can"
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local program = [[
  local dgram, uv = require "dgram", require "luv"
  local got, short = {}, false
  dgram.setUncaughtHandler(function(err) short = short or tostring(err):find("memory", 1, true) ~= nil end)
  local socket = dgram.createSocket("udp4", function(msg)
    got[#got + 1] = msg
    local text = ("x"):rep(1000000)
    while msg == "1" do text = text .. text end
  end)
  socket:bind(0, "127.0.0.1")
  local peer = uv.new_udp()
  for i = 1, 3 do assert(peer:try_send(tostring(i), "127.0.0.1", socket:address().port)) end
  peer:close()
  for _ = 1, 10 do dgram.run "nowait" end
  socket:close()
  dgram.run()
  print(table.concat(got, " "), short and "short of memory" or "enough")
]]

describe("a memory error in a listener", function()
  loop.guard()

  it("leaves the rest of the batch to the next turn", function()
    can.need(pending, can.native())
    can.need(pending, not os.getenv "LD_PRELOAD", "a sanitizer takes more room than this leaves")
    local process = child.lua_short_of_memory(program)
    assert.equal("1 2 3\tshort of memory\n", process.out, process.err)
  end)
end)
