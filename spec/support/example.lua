-- SPDX-License-Identifier: MIT
-- The programs in examples/, each in a process of its own.

local uv = require "luv"
local can = require "spec.support.can"
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local example = {}

--- Starts a program: its name without ".lua", and its arguments. `variables` are added to its environment. It may run in a
-- network namespace, `space`.
function example.start(name, args, variables, space)
  local environment = {}
  for key, value in pairs(uv.os_environ()) do
    if not (variables and variables[key]) then environment[#environment + 1] = key .. "=" .. value end
  end
  for key, value in pairs(variables or {}) do environment[#environment + 1] = key .. "=" .. value end
  local words = { "-e", ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath),
    "examples/" .. name .. ".lua" }
  for _, word in ipairs(args or {}) do words[#words + 1] = tostring(word) end
  local file = child.interpreter()
  if space then
    for i, word in ipairs { "netns", "exec", space.name, file } do table.insert(words, i, word) end
    file = assert(can.program "ip")
  end
  return child.start(file, words, { own = true, env = environment })
end

--- Runs one to its end.
function example.run(name, args, variables)
  return example.start(name, args, variables):wait(30)
end

--- Starts a server, and waits until it listens. Returns the process and the port.
function example.serve(name, args)
  local process = example.start(name, args)
  return process, tonumber(process:expect "listening on %S+ port (%d+)")
end

--- Ends a program by Ctrl-C: it must end well, and have nothing to complain about. Returns what it printed.
function example.interrupt(process)
  process:kill "sigint"
  process:wait()
  if process.status ~= 0 or process.signal ~= 0 or process.err ~= "" then
    error(("ended with status %d, signal %d; out: %s; err: %s"):format(
      process.status, process.signal, process.out, process.err), 2)
  end
  return process.out
end

--- As can.program, for servers, too: users have no sbin in their PATH.
function example.peer(name)
  local found, reason = can.program(name)
  return found or can.program("../sbin/" .. name), reason
end

--- A UDP port that was free a moment ago, for programs that take no port 0.
function example.free_port()
  local handle = uv.new_udp()
  assert(handle:bind("127.0.0.1", 0))
  local port = handle:getsockname().port
  handle:close()
  loop.turn()
  return port
end

return example
