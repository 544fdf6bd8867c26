-- SPDX-License-Identifier: MIT
-- Asks the kernel, beside dgram, for the value of a socket option: in this process where LuaJIT's ffi can,
-- else through a LuaJIT or Python process that inherits the descriptor as its standard input.

local can = require "spec.support.can"
local child = require "spec.support.child"

local sockopt = {}

-- {level, name} on Linux
sockopt.SO_REUSEADDR = { 1, 2 }
sockopt.SO_BROADCAST = { 1, 6 }
sockopt.SO_SNDBUF = { 1, 7 }
sockopt.SO_RCVBUF = { 1, 8 }
sockopt.SO_REUSEPORT = { 1, 15 }
sockopt.IP_TOS = { 0, 1 }
sockopt.IP_TTL = { 0, 2 }
sockopt.IP_MTU_DISCOVER = { 0, 10 }
sockopt.IP_MULTICAST_IF = { 0, 32 }
sockopt.IP_MULTICAST_TTL = { 0, 33 }
sockopt.IP_MULTICAST_LOOP = { 0, 34 }
sockopt.IPV6_UNICAST_HOPS = { 41, 16 }
sockopt.IPV6_MULTICAST_IF = { 41, 17 }
sockopt.IPV6_MULTICAST_HOPS = { 41, 18 }
sockopt.IPV6_MULTICAST_LOOP = { 41, 19 }
sockopt.IPV6_MTU_DISCOVER = { 41, 23 }
sockopt.IPV6_V6ONLY = { 41, 26 }
sockopt.IPV6_DONTFRAG = { 41, 62 }
sockopt.IPV6_TCLASS = { 41, 67 }

local with_ffi = [[
local ffi = require "ffi"
ffi.cdef "int getsockopt(int, int, int, void *, unsigned *);"
local function ask(fd, level, name)
  local value, size = ffi.new("int[1]"), ffi.new("unsigned[1]", 4)
  if ffi.C.getsockopt(fd, level, name, value, size) ~= 0 then return "errno " .. ffi.errno() end
  return value[0]
end
]]

local with_python = "import socket,sys; print(socket.socket(fileno=0).getsockopt(%d, %d))"

local ask

local function linux()
  return require("luv").os_uname().sysname == "Linux"
end

--- Whether asking is possible here.
function sockopt.readable()
  if not linux() then return nil, "the numbers of the options are known for Linux only" end
  if rawget(_G, "jit") or can.program "luajit" or can.program "python3" then return true end
  return nil, "neither LuaJIT nor Python is here to read socket options"
end

--- The command of a process that sets an integer option of its standard input; nil where there is none.
function sockopt.setter(level, name, value)
  if can.program "python3" then
    return ("python3 -c 'import socket; socket.socket(fileno=0).setsockopt(%d, %d, %d)'"):format(level, name, value)
  end
  local cdef = "int setsockopt(int, int, int, const void *, unsigned);"
  return can.program "luajit" and ([[luajit -e 'local ffi = require "ffi"; ffi.cdef "%s"
    os.exit(ffi.C.setsockopt(0, %d, %d, ffi.new("int[1]", %d), 4))']]):format(cdef, level, name, value)
end

local function in_child(file, args, fd)
  local process = child.start(file, args, { stdin = fd }):wait()
  return tonumber(process.out) or error("getsockopt: " .. process.out .. process.err)
end

--- The integer value of an option, named as above.
function sockopt.get(socket, name)
  local level, number = sockopt[name][1], sockopt[name][2]
  if rawget(_G, "jit") then
    ask = ask or assert(load(with_ffi .. "return ask"))()
    return ask(socket:fileno(), level, number)
  end
  local luajit = can.program "luajit"
  if luajit then
    local code = with_ffi .. ("io.write(tostring(ask(0, %d, %d)))"):format(level, number)
    return in_child(luajit, { "-e", code }, socket:fileno())
  end
  return in_child(can.program "python3", { "-c", with_python:format(level, number) }, socket:fileno())
end

return sockopt
