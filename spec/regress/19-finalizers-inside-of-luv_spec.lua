-- SPDX-License-Identifier: MIT
-- The collector may run inside of luv's functions, and finalizers may make, close and forget sockets, or run the loop. Here luv's
-- functions do that themselves, once.

local child = require "spec.support.child"
local loop = require "spec.support.loop"

local prelude = [[
  local dgram, uv = require "dgram", require "luv"
  local function open()
    local socket = dgram.createSocket "udp4"
    socket:bind(0, "127.0.0.1")
    return socket
  end
  -- Has luv's function do something first, at call number `at`.
  local function intrude(name, at, body)
    local original, calls = uv[name], 0
    uv[name] = function(...)
      calls = calls + 1
      if calls == at then body() end
      return original(...)
    end
    return function() uv[name] = original end
  end
  local function file_of(number) return uv.fs_readlink("/proc/self/fd/" .. number) end
  local function polls()
    local count = 0
    uv.walk(function(handle) if handle:get_type() == "poll" then count = count + 1 end end)
    return count
  end
]]

describe("inside of luv's functions", function()
  loop.guard()

  it("a socket that is finalized in close gives back its handle and its descriptor", function()
    assert.equal("0\ttrue\n", child.lua_ok(prelude .. [[
      local closed, forgotten = open(), open()
      local number = forgotten:fileno()
      dgram.run "nowait"
      local restore = intrude("close", 1, function()
        forgotten = nil
        collectgarbage()
        collectgarbage()
      end)
      closed:close()
      closed = nil
      dgram.run()
      restore()
      local left, again = polls(), {}
      for i = 1, 3 do again[i] = open():fileno() end
      print(left, number <= math.max(again[1], again[2], again[3]))
    ]]))
  end)

  it("handles that are made in new_poll have their places in the close queue", function()
    for _, before in ipairs { 6, 7, 8, 15, 16 } do
      assert.equal("0\n", child.lua_ok(("local before = %d\n"):format(before) .. prelude .. [[
        local all = {}
        local function add()
          local socket = open()
          all[#all + 1] = socket
        end
        for _ = 1, before do add() end
        local restore = intrude("new_poll", 1, add)
        add()
        restore()
        for _, socket in ipairs(all) do socket:close() end
        dgram.run()
        print(polls())
      ]]))
    end
  end)

  it("what takes the number of a closing socket in poll_stop keeps it", function()
    assert.equal("file\tsocket\n", child.lua_ok(prelude .. [[
      local function try(take)
        local taken
        local socket = open()
        dgram.run "nowait"
        local restore = intrude("poll_stop", 1, function() taken = take() end)
        socket:close()
        restore()
        return taken
      end
      local file = try(function()
        dgram.run "nowait"
        return assert(uv.fs_open("/proc/self/status", "r", 0))
      end)
      local socket = try(open)
      print(file_of(file):find "status" and "file", file_of(socket:fileno()):find "socket" and "socket")
      socket:close()
      dgram.run()
    ]]))
  end)

  it("a handle that is closed while it is looked at is not used again", function()
    assert.equal("true\ttrue\ttrue\ttrue\n", child.lua_ok(prelude .. [[
      local files = {}
      local waiting = { open(), open(), open() }
      for _, socket in ipairs(waiting) do socket:close() end
      local restore = intrude("is_closing", 1, function()
        dgram.run "nowait"
        for i = 1, 3 do files[i] = assert(io.open "/proc/self/status") end
      end)
      local socket = dgram.createSocket "udp4"
      restore()
      local read = {}
      for i = 1, 3 do read[i] = files[i]:read "*l" ~= nil end
      socket:bind(0, "127.0.0.1")
      print(read[1], read[2], read[3], socket:address().port > 0)
      socket:close()
      dgram.run()
    ]]))
  end)

  it("a handle that the program has closed and the collector has taken is no error", function()
    assert.equal("true\n", child.lua_ok(prelude .. [[
      local function forget()
        local number = open():fileno()
        uv.walk(function(handle) if handle:get_type() == "poll" and not handle:is_closing() then handle:close() end end)
        return number
      end
      local number = forget()
      for _ = 1, 6 do
        collectgarbage()
        dgram.run "nowait"
      end
      print(file_of(number) == nil)
    ]]))
  end)
end)
