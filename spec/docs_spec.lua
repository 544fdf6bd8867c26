-- SPDX-License-Identifier: MIT
-- The Lua of the documents runs. Blocks are told apart by what follows "lua" at their fence:
--   lua            a program: ends by itself, and well
--   lua linux      a program of which a system may not have something: then it ends by ENOTSUP
--   lua forever    a program that goes on: it prints something, and is then ended: by Ctrl-C if it knows of "sigint"
--   lua busted     a spec
--   lua luasocket  a program for LuaSocket
--   lua fragment   only has to be Lua
-- A block "text output" that follows a program is what that prints, line by line; "..." stands for anything within a line.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local uv = require "luv"

local need = can.need

local documents = { "README.md" }
for name in uv.fs_scandir_next, assert(uv.fs_scandir "docs") do
  if name:find "%.md$" then documents[#documents + 1] = "docs/" .. name end
end
table.sort(documents)

local deadline = 20 -- seconds

--- The fenced blocks of a document that are Lua: {line, kind, code, output}.
local function blocks_of(path)
  local list, block = {}, nil
  local number = 0
  for line in assert(io.open(path)):lines() do
    number = number + 1
    local info = line:match "^```(.*)$"
    if block and info then
      block.code = table.concat(block, "\n") .. "\n"
      if block.lua then list[#list + 1] = block end
      if block.info == "text output" then
        assert(list[#list], ("%s:%d: output of no program"):format(path, block.line)).output = block.code
      end
      block = nil
    elseif block then
      block[#block + 1] = line
    elseif info then
      local kind = info:match "^lua%s*(%S*)$"
      block = { line = number + 1, lua = kind ~= nil, kind = kind, info = info }
    end
  end
  assert(not block, path .. ": a block without an end")
  return list
end

local function temporary_file(code, suffix)
  local name = os.tmpname() -- which makes the file
  local path = name .. (suffix or "")
  finally(function()
    os.remove(name)
    os.remove(path)
  end)
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  return path
end

-- Starts this Lua with the paths of dgram on the code; what it is called in tracebacks is the document's name.
local function start(block, path, before)
  local file = temporary_file((before or "") .. block.code)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  local run = ("assert(load(io.open(%q):read '*a', %q))()"):format(file, ("@%s:%d+"):format(path, block.line))
  return child.start(child.interpreter(), { "-e", paths, "-e", "load = loadstring or load", "-e", run }, { own = true })
end

local function must_have_ended(process, signal)
  if process.status ~= 0 or process.signal ~= (signal or 0) then
    error(("ended with status %d, signal %d; out: %s; err: %s"):format(
      process.status, process.signal, process.out, process.err), 0)
  end
end

--- What a program printed is what the document shows; "..." there stands for anything within a line.
local function must_have_printed(told, out)
  local pattern = told:gsub("%p", "%%%0"):gsub("%%%.%%%.%%%.", "[^\n]*")
  if not out:find("^" .. pattern .. "$") then assert.equal(told, out) end
end

local runs = {}

runs[""] = function(block, path)
  local process = start(block, path)
  process:wait(deadline)
  must_have_ended(process)
  assert.equal("", process.err)
  if block.output then must_have_printed(block.output, process.out) end
end

function runs.luasocket(block, path)
  need(pending, can.require "socket")
  runs[""](block, path)
end

function runs.linux(block, path)
  local process = start(block, path):wait(deadline)
  if process.err:find("ENOTSUP", 1, true) then pending "this system says ENOTSUP" end
  must_have_ended(process)
  assert.equal("", process.err)
end

function runs.forever(block, path)
  local process = start(block, path, "io.stdout:setvbuf 'no' ")
  process:expect("[^\n]\n", "out", deadline)
  -- without a handler the interpreter would not notice an interrupt before the loop calls some Lua
  local signal, number = "sigterm", 15
  if block.code:find "sigint" then signal, number = "sigint", 0 end
  process:kill(signal)
  process:wait(deadline)
  must_have_ended(process, number)
end

function runs.busted(block)
  local busted = need(pending, can.program "busted")
  local file = temporary_file(block.code, "_spec.lua")
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  local process = child.start(child.interpreter(),
    { "-e", paths, busted, "--output=TAP", file }, { own = true })
  process:wait(deadline)
  must_have_ended(process)
  assert.is_truthy(process.out:find "ok 1 ")
end

function runs.fragment(block, path)
  assert((rawget(_G, "loadstring") or load)(block.code, "@" .. path))
end

for _, path in ipairs(documents) do
  describe("the Lua in " .. path, function()
    loop.guard()

    local there = uv.fs_stat(path)

    it("is there", function()
      assert.is_truthy(there, "no " .. path)
    end)

    for _, block in ipairs(there and blocks_of(path) or {}) do
      it(("line %d%s"):format(block.line, block.kind ~= "" and ", " .. block.kind or ""), function()
        assert.is_function(runs[block.kind], "an unknown mark: " .. block.kind)
        runs[block.kind](block, path)
      end)
    end
  end)
end
