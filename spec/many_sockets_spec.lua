-- SPDX-License-Identifier: MIT
-- Thousands of sockets that are readable at once, in a process that may have as many descriptors. Where a turn is used up,
-- those that were not served wait for the next one, and luv reports each of them once or twice, not all of them dozens of
-- times. What is counted is luv's callbacks.
local child = require "spec.support.child"

local SOCKETS, DESCRIPTORS = 3000, 3100

local program = [[
local dgram, uv = require "dgram", require "luv"
local how, count = %q, %d

local reports, start = 0, uv.poll_start
uv.poll_start = function(handle, events, callback)
  return start(handle, events, function(...)
    reports = reports + 1
    return callback(...)
  end)
end

local got, ports, sockets = {}, {}, {}
local function burn(milliseconds)
  local till = uv.hrtime() + milliseconds * 1e6
  while uv.hrtime() < till do end
end
local function served(i, msg)
  assert(msg == tostring(i) and not got[i])
  got[i] = true
  got[0] = (got[0] or 0) + 1
  if got[0] %% 500 == 1 then burn(10) end -- two turns' time
  sockets[i]:close()
end

for i = 1, count do
  local socket = dgram.createSocket "udp4"
  sockets[i] = socket
  socket:bindSync { port = 0, address = "127.0.0.1" }
  ports[i] = socket:address().port
  if how == "listeners" then
    socket:on("message", function(msg) served(i, msg) end)
  else
    coroutine.wrap(function() served(i, (assert(socket:receive()))) end)()
  end
end
dgram.run "nowait"
local sender = dgram.createSocket "udp4"
for i = 1, count do sender:send(tostring(i), ports[i], "127.0.0.1") end
sender:close()
reports = 0
dgram.run()
assert(got[0] == count, got[0])
print(reports)
]]

describe("thousands of sockets", function()
  local function run(how)
    local process = child.start("/bin/sh", { "-c", 'ulimit -n "$0" || exit 77; exec "$@"', tostring(DESCRIPTORS),
      child.interpreter(), "-e", ("package.path, package.cpath = %q, %q"):format(package.path, package.cpath), "-e",
      program:format(how, SOCKETS) }, { own = true }):wait(120)
    if process.status == 77 then pending "this process may not have so many descriptors" end
    assert.same({ "", 0, 0 }, { process.err, process.status, process.signal })
    return tonumber(process.out)
  end

  for _, how in ipairs { "listeners", "coroutines" } do
    it("with something to read are each reported a few times, and served: " .. how, function()
      assert.is_true(run(how) <= 4 * SOCKETS)
    end)
  end
end)
