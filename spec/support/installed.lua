-- SPDX-License-Identifier: MIT
-- The build that the spec runs on, installed by CMake into a prefix of its own.
local uv = require "luv"
local can = require "spec.support.can"
local child = require "spec.support.child"

local installed = {}

--- The file's content.
function installed.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

function installed.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Where CMake has built what the spec runs on, and what it says of its options; or nil and the reason.
function installed.build()
  for template in package.cpath:gmatch "[^;]+" do
    local folder = template:match "^(.*)/%?%.so$"
    if folder and uv.fs_stat(folder .. "/dgram/core.so") then
      if not uv.fs_stat(folder .. "/CMakeCache.txt") then break end
      local cache = installed.read(folder .. "/CMakeCache.txt")
      local function option(name) return cache:match("\n" .. name .. ":%w+=([^\n]*)") end
      local lua = option "DGRAM_LUA"
      local sanitizers = option "DGRAM_SANITIZE":gsub(";", ",")
      return {
        folder = folder,
        lua = lua == "luajit" and lua or "lua" .. lua, -- as pkg-config calls it
        compiler = option "CMAKE_C_COMPILER",
        flags = sanitizers ~= "" and { "-fsanitize=" .. sanitizers } or {},
      }
    end
  end
  return nil, "this dgram was not built by CMake"
end

--- Runs a program to its end, which must be a good one; returns what it wrote.
function installed.run(program, args, env)
  if not program:find "/" then program = assert(can.program(program)) end
  local process = child.start(program, args, { env = env }):wait(300)
  if process.status ~= 0 or process.signal ~= 0 then
    error(("%s %s ended with status %d, signal %d; out: %s; err: %s"):format(program, table.concat(args, " "),
      process.status, process.signal, process.out, process.err), 2)
  end
  return process.out, process.err
end

--- A new folder, which a function takes away again.
function installed.folder()
  local path = assert(uv.fs_mkdtemp((uv.os_tmpdir() or "/tmp") .. "/dgram-spec-XXXXXX"))
  return path, function() installed.run("rm", { "-rf", path }) end
end

--- Installs the build below the prefix.
function installed.install(build, prefix)
  installed.run("cmake", { "--install", build.folder, "--prefix", prefix })
end

--- Builds a CMake project against what is installed below the prefix.
function installed.make(build, prefix, source, folder, ...)
  local flags = "-DCMAKE_C_FLAGS=-g -Wall -Wextra -Werror " .. table.concat(build.flags, " ")
  installed.run("cmake", { "-S", source, "-B", folder, "-DCMAKE_PREFIX_PATH=" .. prefix,
    "-DCMAKE_C_COMPILER=" .. build.compiler, flags, ... })
  installed.run("cmake", { "--build", folder })
end

return installed
