-- SPDX-License-Identifier: MIT
-- What `cmake --install` puts below an empty prefix: the module, and the static library for programs in C, which are built
-- here as docs/install.md says.
local uv = require "luv"
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local installed = require "spec.support.installed"

local need = can.need
local build, reason = installed.build()

-- A script for spec/support/static_host.c: an echo over the loopback, and where errors are said to come from.
local script = [[
  if open_dgram then package.preload.dgram = open_dgram end
  local dgram = require "dgram"
  assert(not open_dgram or dgram == open_dgram())
  assert(require "dgram.emitter")
  local server, client = dgram.createSocket "udp4", dgram.createSocket "udp4"
  server:on("message", function(msg, rinfo) server:reply("echo: " .. msg, rinfo) end)
  client:on("message", function(msg)
    print(msg)
    server:close()
    client:close()
    error "of the program"
  end)
  server:bind(0, "127.0.0.1", function() client:send("hello", server:address().port, "127.0.0.1") end)
  print(select(2, pcall(dgram.run)))
  local lost = dgram.createSocket "udp4"
  lost:bind { address = "203.0.113.1" }
  dgram.setUncaughtHandler(function(err) print(err) end)
  dgram.run()
]]

-- The environment of a program that finds luv, and no file of dgram's.
local function without_dgram()
  local luv
  for template in package.cpath:gmatch "[^;]+" do
    local file = template:gsub("%?", "luv")
    if uv.fs_stat(file) then
      luv = template
      break
    end
  end
  local list = { "LUA_PATH=/nowhere/?.lua", "LUA_CPATH=" .. luv }
  for name, value in pairs(uv.os_environ()) do
    if name ~= "LD_PRELOAD" and not name:find "^LUA_" then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

describe("an installed dgram", function()
  loop.guard()

  local prefix, remove_prefix

  setup(function()
    if not build then return end
    prefix, remove_prefix = installed.folder()
    installed.install(build, prefix .. "/usr")
    installed.write(prefix .. "/script.lua", script)
  end)

  teardown(function()
    if prefix then remove_prefix() end
  end)

  local function works(host)
    local out = installed.run(host, { prefix .. "/script.lua" }, without_dgram())
    local echo, raised, lost = out:match "^([^\n]*)\n([^\n]*)\n.-(bind [^\n]*)"
    assert.equal("echo: hello", echo, out)
    assert.is_truthy(raised:find("script.lua:11: of the program", 1, true), out)
    assert.is_truthy(lost:find "EADDRNOTAVAIL", out)
    assert.is_nil(out:find("[dgram]", 1, true), out)
  end

  it("is found by find_package, in the project of docs/install.md", function()
    need(pending, build, reason)
    local text = installed.read "docs/install.md"
    local source = prefix .. "/documented"
    assert(uv.fs_mkdir(source, 448))
    installed.write(source .. "/main.c", assert(text:match "\n```c\n(.-)```"))
    local project = assert(text:match "\n```cmake\n(.-)```")
    installed.write(source .. "/CMakeLists.txt", (project:gsub("lua5%.4", build.lua)))
    installed.make(build, prefix .. "/usr", source, source .. "/build")
    works(source .. "/build/program")
  end)

  it("is found by find_package without a component", function()
    need(pending, build, reason)
    local source = prefix .. "/plain"
    assert(uv.fs_mkdir(source, 448))
    installed.write(source .. "/CMakeLists.txt", ([[
      cmake_minimum_required(VERSION 3.18)
      project(host LANGUAGES C)
      find_package(dgram 0.1 REQUIRED)
      find_package(PkgConfig REQUIRED)
      pkg_check_modules(lua REQUIRED IMPORTED_TARGET %s)
      add_executable(host "%s/spec/support/static_host.c")
      target_link_libraries(host dgram::dgram PkgConfig::lua)
    ]]):format(build.lua, uv.cwd()))
    installed.make(build, prefix .. "/usr", source, source .. "/build")
    works(source .. "/build/host")
  end)

  it("says which Luas it is installed for", function()
    need(pending, build, reason)
    local source = prefix .. "/other"
    assert(uv.fs_mkdir(source, 448))
    installed.write(source .. "/CMakeLists.txt", [[
      cmake_minimum_required(VERSION 3.18)
      project(host LANGUAGES C)
      find_package(dgram REQUIRED COMPONENTS lua4.0)
    ]])
    local made, err = pcall(installed.make, build, prefix .. "/usr", source, source .. "/build")
    assert.is_false(made)
    local sentence = ("dgram is installed for %s, and not for lua4.0"):format(build.lua)
    assert.is_truthy(err:gsub("%s+", " "):find(sentence, 1, true), err)
  end)

  it("is found by pkg-config", function()
    need(pending, build, reason)
    local words = { "-o", prefix .. "/host", "spec/support/static_host.c", build.flags[1] }
    local folder = prefix .. "/usr/lib/pkgconfig"
    local out = installed.run("env", { "PKG_CONFIG_PATH=" .. folder, "pkg-config", "--cflags", "--libs",
      build.lua .. "-dgram", build.lua })
    for word in out:gmatch "%S+" do words[#words + 1] = word end
    installed.run(build.compiler, words)
    works(prefix .. "/host")

    local process = child.start(prefix .. "/host", {}):wait()
    assert.equal(1, process.status)
    assert.is_truthy(process.err:find("call luaL_openlibs before luaopen_dgram", 1, true), process.err)
  end)

  it("has no symbol that could be another library's", function()
    need(pending, build, reason)
    need(pending, can.program "nm")
    local out = installed.run("nm", { "--defined-only", "--extern-only",
      ("%s/usr/lib/lib%s-dgram.a"):format(prefix, build.lua) })
    local public = {}
    for symbol in out:gmatch "%x+ %u ([%w_]+)\n" do
      if symbol:find "^luaopen_" then
        public[#public + 1] = symbol
      else
        assert.is_truthy(symbol:find "^dg_" or symbol:find "^_", symbol)
      end
    end
    table.sort(public)
    assert.same({ "luaopen_dgram", "luaopen_dgram_core" }, public)
  end)

  it("leaves nothing when it goes", function()
    need(pending, build, reason)
    installed.install(build, prefix .. "/usr") -- again: its folders are there by now
    installed.run("cmake", { "--build", build.folder, "--target", "uninstall" })
    assert.is_nil(uv.fs_stat(prefix .. "/usr"))
  end)

  it("leaves what is not its own", function()
    need(pending, build, reason)
    assert(uv.fs_mkdir(prefix .. "/local", 448))
    assert(uv.fs_mkdir(prefix .. "/local/share", 448))
    installed.install(build, prefix .. "/local")
    installed.write(prefix .. "/local/lib/other", "")
    installed.run("cmake", { "--build", build.folder, "--target", "uninstall" })
    assert.equal(prefix .. "/local\n" .. prefix .. "/local/lib\n" .. prefix .. "/local/lib/other\n" ..
      prefix .. "/local/share\n", installed.run("sh", { "-c", 'find "$0" | sort', prefix .. "/local" }))
  end)
end)

describe("a module for another Lua", function()
  loop.guard()

  it("says so, in a sentence", function()
    local tried = 0
    for _, interpreter in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "lua5.5", "luajit" } do
      local program = can.program(interpreter)
      -- a module for Lua 5.1 is one for LuaJIT, too
      local same = _VERSION == "Lua " .. interpreter:match "%d*%.?%d*$" or
        _VERSION == "Lua 5.1" and (interpreter == "luajit" or interpreter == "lua5.1")
      if program and not same then
        tried = tried + 1
        local code = ("package.path = %q package.cpath = %q require 'dgram'"):format(package.path, package.cpath)
        local process = child.start(program, { "-e", code }, { own = true }):wait()
        assert.equal(1, process.status, interpreter .. process.err)
        assert.is_truthy(process.err:find "dgram's C part was built for another Lua than Lua", process.err)
      end
    end
    if tried == 0 then pending "there is no other Lua" end
  end)
end)
