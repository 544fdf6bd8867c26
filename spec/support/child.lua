-- SPDX-License-Identifier: MIT
-- Other processes: other programs, and Lua itself in a state of its own. Each is ended by its own id.

local uv = require "luv"
local loop = require "spec.support.loop"

local child = {}
child.__index = child

local alive = {}

loop.leftover(function()
  for process in pairs(alive) do process:kill "sigkill" end
end)

--- The interpreter that runs the specs, or what calls the emulator that runs it (scripts/emulated.sh).
function child.interpreter()
  local path = os.getenv "DGRAM_INTERPRETER" or uv.exepath()
  if path then return path end
  local n = 0
  while arg[n - 1] do n = n - 1 end
  return arg[n]
end

-- A preloaded sanitizer is for our own code: other programs need not bear it.
local function foreign_environment()
  local list = {}
  for name, value in pairs(uv.os_environ()) do
    if name ~= "LD_PRELOAD" then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

local function collect(process, name)
  local pipe = uv.new_pipe(false)
  process.open = process.open + 1
  process[name] = ""
  return pipe, function()
    pipe:read_start(function(err, data)
      if err then error(err, 0) end
      if data then
        process[name] = process[name] .. data
      else
        pipe:close()
        process.open = process.open - 1
      end
    end)
  end
end

--- Starts a program; `out` and `err` grow as it writes.
--- options: env, own (true: the program is this Lua), stdin (a descriptor).
function child.start(file, args, options)
  options = options or {}
  local process = setmetatable({ open = 1 }, child)
  local out, read_out = collect(process, "out")
  local err, read_err = collect(process, "err")
  local input = not options.stdin and uv.new_pipe(false) or nil
  local handle, pid
  handle, pid = uv.spawn(file, {
    args = args,
    env = options.env or (not options.own and foreign_environment()) or nil,
    stdio = { input or options.stdin, out, err },
  }, function(status, signal)
    process.status, process.signal = status, signal
    process.open = process.open - 1
    alive[process] = nil
    handle:close()
    if input and not input:is_closing() then input:close() end
  end)
  if not handle then error(("cannot start %s: %s"):format(file, tostring(pid))) end
  process.handle, process.pid, process.input = handle, pid, input
  alive[process] = true
  read_out()
  read_err()
  return process
end

function child:write(data)
  self.input:write(data)
end

function child:end_input()
  if not self.input:is_closing() then self.input:close() end
end

function child:kill(signal)
  if alive[self] then self.handle:kill(signal or "sigterm") end
end

--- Waits until it has ended and all that it wrote has been read.
function child:wait(seconds)
  loop.wait(function() return self.open == 0 end, seconds or 20)
  return self
end

--- Waits until it has written what the pattern finds, on stdout or the named stream; returns the captures.
function child:expect(pattern, stream, seconds)
  stream = stream or "out"
  loop.wait(function() return self[stream]:find(pattern) ~= nil or self.open == 0 end, seconds or 20)
  if not self[stream]:find(pattern) then
    error(("no %q on %s; out: %s; err: %s"):format(pattern, stream, self.out, self.err), 2)
  end
  return self[stream]:match(pattern)
end

--- Ends it and waits for it.
function child:stop()
  self:kill()
  return self:wait()
end

local function with_paths()
  return ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
end

--- Runs Lua source in a new process, with the paths of this one, to its end.
function child.lua(source, ...)
  local paths = with_paths()
  local code = select("#", ...) > 0 and source:format(...) or source
  return child.start(child.interpreter(), { "-e", paths, "-e", code }, { own = true }):wait(60)
end

--- The same with a gigabyte of memory. A sanitizer takes more than that.
function child.lua_short_of_memory(source)
  return child.start("/bin/sh", { "-c", 'ulimit -v 1000000; exec "$@"', "sh", child.interpreter(), "-e", with_paths(),
    "-e", source }):wait(20)
end

--- As child.lua; it must end well. Returns what it printed.
function child.lua_ok(source, ...)
  local process = child.lua(source, ...)
  if process.status ~= 0 or process.signal ~= 0 then
    error(("the child ended with status %d, signal %d; out: %s; err: %s"):format(
      process.status, process.signal, process.out, process.err), 2)
  end
  return process.out, process.err
end

-- libuv keeps a descriptor that its first process made; that is no leak of the spec that happens to start it.
if not os.getenv "DGRAM_LOOP" then child.start(child.interpreter(), { "-v" }):wait() end

return child
