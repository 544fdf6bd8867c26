-- SPDX-License-Identifier: MIT
-- require "dgram": what it needs, what it leaves alone, and what it exports.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local need = can.need

-- package.searchpath, which Lua 5.1 lacks; also returns the template that found the file.
local function find(name, path)
  name = name:gsub("%.", "/")
  for template in path:gmatch "[^;]+" do
    local file = template:gsub("%?", (name:gsub("%%", "%%%%")))
    local handle = io.open(file, "rb")
    if handle then
      handle:close()
      return file, template
    end
  end
  return nil, name .. " is not in " .. path
end

describe("require \"dgram\"", function()
  loop.guard()

  it("adds no global", function()
    local out = child.lua_ok [[
      local before = {}
      for k in pairs(_G) do before[k] = true end
      local dgram = require "dgram"
      local s = dgram.createSocket("udp4", function() end)
      s:bind(0, "127.0.0.1")
      s:once("message", function() s:close() end)
      s:send("hello", s:address().port, "localhost", function() end)
      dgram.run()
      for k in pairs(_G) do if not before[k] then print(k) end end
    ]]
    assert.equal("", out)
  end)

  it("does not ask for luv before it is needed", function()
    local out = child.lua_ok [[
      local dgram = require "dgram"
      print(package.loaded.luv, package.loaded.uv)
    ]]
    assert.equal("nil\tnil\n", out)
  end)

  -- What each of these two does after `require "dgram"`: something of every file.
  local everything = [[
    local function fine(call, ...)
      local ok, err = pcall(call, ...)
      if not ok and (type(err) ~= "table" or not err.code) then print(tostring(err)) end
    end
    local function use()
      local s = sockets.one
      fine(s.once, s, "message", function() end)
      fine(s.on, s, "message", function() end)
      fine(s.off, s, "message", print)
      fine(s.connect, s, 9, "127.0.0.1", function() end)
      fine(s.send, s, "x")
      s = sockets.two
      fine(s.bind, s, { address = "127.0.0.1" }, function() end)
      fine(s.send, s, "x", 9, "localhost", function() end)
      fine(s.send, s, "x", 9, "some.name", function() end)
      s = sockets.three
      fine(s.bindSync, s, { address = "127.0.0.1" })
      fine(s.connectSync, s, 9, "127.0.0.1")
      s = sockets.four
      fine(s.bind, s, 0, "localhost")
      fine(s.connect, s, 9, "localhost")
      fine(dgram.createSocket, { type = "udp4", lookup = print, signal = dgram.EventEmitter(), gro = true })
      fine(dgram.createSocket, { type = "udp4", nothing = true })
      fine(dgram.systemdSockets)
      fine(dgram.BlockList)
      fine(dgram.run, "nowait")
      for _, socket in pairs(sockets) do
        socket:on("error", function() end)
        fine(socket.close, socket, function() closed = closed + 1 end)
      end
      fine(dgram.run)
    end
  ]]

  it("reads all files at once: later nothing is looked for", function()
    local out = child.lua_ok(([[
      require "luv"
      local dgram = require "dgram"
      local sockets, closed = {}, 0
      for _, name in ipairs { "one", "two", "three", "four" } do sockets[name] = dgram.createSocket "udp4" end
      EVERYTHING
      local searchers = package.searchers or package.loaders
      for i = 1, #searchers do searchers[i] = function(name) print("looked for " .. name) end end
      for _, name in ipairs { "loadfile", "dofile" } do _G[name] = function() print(name) end end
      io.open = function(name) print("opened " .. name) end
      use()
      print(closed)
    ]]):gsub("EVERYTHING", function() return everything end))
    assert.equal("4\n", out)
  end)

  it("needs no descriptor for itself, when there are none left", function()
    local out = child.lua_ok(([[
      local uv = require "luv"
      local dgram = require "dgram"
      local sockets, closed, held = {}, 0, {}
      for _, name in ipairs { "one", "two", "three", "four" } do sockets[name] = dgram.createSocket "udp4" end
      uv.new_idle():close()
      dgram.run()
      EVERYTHING
      repeat
        local file = io.open "/dev/null"
        held[#held + 1] = file
      until not file or #held > 100000
      use()
      for _, file in ipairs(held) do file:close() end
      print(closed)
    ]]):gsub("EVERYTHING", function() return everything end))
    assert.equal("4\n", out)
  end)

  it("finds luv when there is a descriptor for its file again", function()
    local out = child.lua_ok [[
      local dgram = require "dgram"
      local socket, held = dgram.createSocket "udp4", {}
      repeat
        local file = io.open "/dev/null"
        held[#held + 1] = file
      until not file or #held > 100000
      local ok, err = pcall(socket.bind, socket, 0, "127.0.0.1")
      print(ok, err.code)
      for _, file in ipairs(held) do file:close() end
      socket:bind(0, "127.0.0.1", function() socket:close() end)
      dgram.run()
      print "done"
    ]]
    assert.equal("false\tERR_FEATURE_UNAVAILABLE_ON_PLATFORM\ndone\n", out)
  end)

  it("takes luv where it is called uv", function()
    local _, core_template = find("dgram.core", package.cpath)
    local luv_file, luv_template = find("luv", package.cpath)
    if not luv_file or core_template == luv_template then pending "luv cannot be hidden here" end
    local out = child.lua_ok([[
      package.preload.uv = assert(package.loadlib(%q, "luaopen_luv"))
      package.cpath = %q
      assert(not pcall(require, "luv"))
      local dgram = require "dgram"
      local s = dgram.createSocket "udp4"
      s:on("message", function(msg) print(msg) s:close() end)
      s:bind(0, "127.0.0.1")
      s:send("hello", s:address().port)
      require "uv".run()
    ]], luv_file, core_template)
    assert.equal("hello\n", out)
  end)

  it("without luv says so, when a loop is needed", function()
    local _, core_template = find("dgram.core", package.cpath)
    local _, luv_template = find("luv", package.cpath)
    if core_template == luv_template then pending "luv cannot be hidden here" end
    local out = child.lua_ok([[
      package.cpath = %q
      local dgram = require "dgram"
      local s = dgram.createSocket "udp4"
      s:setTTL(3)
      s:setBroadcast(true)
      print(s:getRecvBufferSize() > 0)
      local ok, err = pcall(s.bind, s, 0, "127.0.0.1")
      print(ok, tostring(err):find "luv" ~= nil)
      for _, name in ipairs { "run", "step", "pollfd", "timeout" } do print(select(2, pcall(dgram[name])).code) end
      s = nil
      collectgarbage()
    ]], core_template)
    assert.equal("true\nfalse\ttrue\n" .. ("ERR_FEATURE_UNAVAILABLE_ON_PLATFORM\n"):rep(4), out)
  end)

  it("finds it where globals must be declared", function()
    local out = child.lua_ok [[
      -- luv itself asks for one that it has not declared, _THREAD
      setmetatable(_G, { __index = function(_, name)
        if name ~= "_THREAD" then error("undeclared " .. name, 2) end
      end })
      local dgram = require "dgram"
      local s = dgram.createSocket "udp4"
      s:bind(0, "127.0.0.1", function() s:close(function() print "closed" end) end)
      dgram.run()
    ]]
    assert.equal("closed\n", out)
  end)

  it("finds Neovim's", function()
    local _, core_template = find("dgram.core", package.cpath)
    local luv_file, luv_template = find("luv", package.cpath)
    if not luv_file or core_template == luv_template then pending "luv cannot be hidden here" end
    for _, name in ipairs { "uv", "loop" } do
      local out = child.lua_ok([[
        vim = { %s = assert(package.loadlib(%q, "luaopen_luv"))() }
        package.cpath = %q
        local dgram = require "dgram"
        local s = dgram.createSocket "udp4"
        s:bind(0, "127.0.0.1", function() s:close(function() print "closed" end) end)
        dgram.run()
      ]], name, luv_file, core_template)
      assert.equal("closed\n", out)
    end
  end)

  it("prints nothing and leaves the signals alone", function()
    local out, err = child.lua_ok [[
      local dgram = require "dgram"
      local s = dgram.createSocket "udp4"
      s:on("error", function() end)
      s:bind { address = "203.0.113.1" }
      s:send(("x"):rep(65508), 9)
      s:send("x", 9, "nohost.invalid")
      s:close()
      dgram.run()
    ]]
    assert.equal("", out)
    assert.equal("", err)
  end)
end)

describe("the module", function()
  loop.guard()

  it("has what the contract names", function()
    for _, name in ipairs { "createSocket", "EventEmitter", "run", "protect", "setUncaughtHandler", "isSocket" } do
      assert.equal("function", type(dgram[name]), name)
    end
    assert.equal("string", type(dgram._VERSION))
    assert.is_truthy(dgram._VERSION:find "%d+%.%d+")
    assert.equal("table", type(dgram.Socket))
  end)

  it("lets Socket be extended", function()
    finally(function() dgram.Socket.twice = nil end)
    dgram.Socket.twice = function(self, msg, port)
      self:send(msg, port)
      self:send(msg, port)
    end
    local socket, port, got = sockets.collector "udp4"
    socket:twice("hello", port)
    loop.wait(function() return #got == 2 end)
    socket:close()
    loop.run()
  end)

  it("gives its metatable a name", function()
    local socket = sockets.new "udp4"
    assert.equal("dgram.Socket", debug.getmetatable(socket).__name)
    socket:close()
    loop.run()
  end)
end)

describe("the C module", function()
  loop.guard()

  local function tool(name, ...)
    local program = need(pending, can.program(name))
    local process = child.start(program, { ... }):wait()
    assert.equal(0, process.status, process.err)
    return process.out
  end

  it("exports one symbol", function()
    local out = tool("nm", "-D", "--defined-only", (assert(find("dgram.core", package.cpath))))
    local symbols = {}
    for symbol in out:gmatch "%x+ %a ([^\n]+)" do
      -- those with two underscores in front are the linker's and the sanitizers'
      if not symbol:find "^_" then symbols[#symbols + 1] = symbol end
    end
    assert.same({ "luaopen_dgram_core" }, symbols)
  end)

  it("is linked to no libuv and to no Lua", function()
    local out = tool("readelf", "-d", (assert(find("dgram.core", package.cpath))))
    for library in out:gmatch "NEEDED[^%[]*%[([^%]]+)%]" do
      assert.is_nil(library:find "uv", library)
      assert.is_nil(library:find "lua", library)
    end
    assert.is_truthy(out:find "NEEDED")
  end)
end)
