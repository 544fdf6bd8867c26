-- SPDX-License-Identifier: MIT
-- What each thread of dgram-host runs: a socket on the port that all share, and a handler from a file, which SIGHUP reads
-- anew. The socket stays open, and what the kernel or dgram holds by then goes to the new handler: nothing is lost.
--
--   dgram-host THREADS PORT server.lua HANDLER [ADDRESS]
local number, port, path, address = ...
local dgram, uv = require "dgram", require "luv"

local messages, errors, reloads = 0, 0, 0

local function say(...)
  io.stdout:write(("worker %d: %s\n"):format(number, string.format(...)))
  io.stdout:flush()
end

--- The function that the file returns. Raises what is wrong with it.
local function load_handler()
  local handler = assert(loadfile(path))()
  assert(type(handler) == "function", path .. " returns no function")
  return handler
end

local handler = load_handler()
local socket = dgram.createSocket { type = "udp4", reusePort = true }

socket:on("message", function(msg, rinfo)
  messages = messages + 1
  handler(socket, msg, rinfo)
end)
socket:on("error", function(err)
  errors = errors + 1
  say("%s", tostring(err))
end)
-- What a handler raises ends that datagram's treatment, and no thread.
dgram.setUncaughtHandler(function(err)
  errors = errors + 1
  say("%s", tostring(err))
end)
socket:bindSync { port = port, address = address or "127.0.0.1" }

local worker = { port = socket:address().port }

--- A file that is no good changes nothing.
function worker.reload()
  local loaded, new = pcall(load_handler)
  if not loaded then return say("not reloaded: %s", new) end
  handler, reloads = new, reloads + 1
  say("reloaded")
end

function worker.report()
  say("%d messages, %d answers, %d errors, %d reloads", messages, socket:stats().messagesSent, errors, reloads)
end

--- What was sent still leaves; then the loop ends, whatever timers the handler has.
function worker.stop()
  socket:close(function() uv.stop() end)
end

return worker
