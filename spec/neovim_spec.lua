-- SPDX-License-Identifier: MIT
-- dgram as a guest in Neovim, headless: on its own luv, whose loop it runs.
local can = require "spec.support.can"
local child = require "spec.support.child"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local need, new = can.need, sockets.new

local function neovim()
  if not rawget(_G, "jit") then return nil, "Neovim has LuaJIT, and needs the build for that" end
  return can.program "nvim"
end

local function runs_scripts()
  local program, reason = neovim()
  if not program then return nil, reason end
  local minor = child.start(program, { "--version" }):wait().out:match "^NVIM v0%.(%d+)"
  if minor and tonumber(minor) < 9 then return nil, "this Neovim has no option -l" end
  return program
end

--- Starts Neovim with the plugin, on a script; or as the interpreter of the script.
local function start(source, as_interpreter)
  local program = need(pending, (as_interpreter and runs_scripts or neovim)())
  local script = unix.path "script.lua"
  local prelude = [[
    local function tell(...)
      local list = {}
      for i = 1, select("#", ...) do list[i] = tostring((select(i, ...))) end
      io.stdout:write(table.concat(list, "\t"), "\n")
      io.stdout:flush()
    end
    local function wait(fn) assert(vim.wait(20000, fn, 5), "not within the time") end
    local dgram = require "dgram"
    local uv = vim.uv or vim.loop
  ]]
  local file = assert(io.open(script, "w"))
  file:write(prelude, source)
  file:close()
  local env = { "LUA_PATH=" .. package.path, "LUA_CPATH=" .. package.cpath, "NVIM_LOG_FILE=" .. unix.path "log" }
  for name, value in pairs(uv.os_environ()) do
    if not name:find "^LUA_" then env[#env + 1] = name .. "=" .. value end
  end
  if as_interpreter then return child.start(program, { "-u", "NONE", "-i", "NONE", "-l", script }, { env = env }) end
  return child.start(program, { "--headless", "-u", "NONE", "-i", "NONE", "-n",
    "--cmd", ("set rtp^=%s/examples/neovim"):format(uv.cwd()), "-c", "runtime plugin/datagrams.lua",
    "-c", "luafile " .. script }, { env = env })
end

local function ends_well(process)
  process:wait(30)
  if process.status ~= 0 or process.signal ~= 0 then
    error(("ended with status %d, signal %d; out: %s; err: %s"):format(process.status, process.signal, process.out,
      process.err))
  end
  return process
end

describe("in Neovim", function()
  loop.guard()

  it("callbacks come without dgram.run", function()
    local process = ends_well(start [[
      local got
      local s = dgram.createSocket("udp4", function(msg, rinfo) got = msg .. " " .. rinfo.family end)
      s:bind(0, "127.0.0.1", function() s:send("to itself", s:address().port, "127.0.0.1") end)
      wait(function() return got end)
      tell(got)
      local closed
      s:close(function() closed = true end)
      wait(function() return closed end)
      tell(closed, package.loaded.luv == uv)
      vim.cmd "qa"
    ]])
    assert.equal("to itself IPv4\ntrue\ttrue\n", process.out)
    assert.equal("", process.err)
  end)

  it("dgram.run raises, and says what to do; a turn is allowed", function()
    local process = ends_well(start [[
      local s = dgram.createSocket "udp4"
      s:bind(0, "127.0.0.1")
      for _, mode in ipairs { false, "default" } do
        local ok, err = pcall(dgram.run, mode or nil)
        tell(ok, err.code, err.message:find("vim.wait", 1, true) ~= nil)
      end
      tell(type(dgram.run "nowait"))
      vim.cmd "qa"
    ]])
    assert.equal("false\tERR_INVALID_STATE\ttrue\nfalse\tERR_INVALID_STATE\ttrue\nboolean\n", process.out)
  end)

  it(":qa with open sockets under a flood ends it", function()
    local process = start [[
      local count = 0
      dgram.createSocket("udp4"):bind(0)
      local s = dgram.createSocket("udp4", function(msg, rinfo) count = count + 1 end)
      s:bind(0, "127.0.0.1")
      s:send("queued", s:address().port, "127.0.0.1", function() end)
      tell("port", s:address().port)
      wait(function() return count > 100 end)
      vim.cmd "qa"
    ]]
    local port = tonumber(process:expect "port\t(%d+)\n")
    local client = new "udp4"
    client:on("error", function() end) -- when nobody listens there any more
    local timer = uv.new_timer()
    timer:start(1, 1, function()
      for _ = 1, 20 do client:send("flood", port, "127.0.0.1") end
    end)
    ends_well(process)
    timer:close()
    client:close()
    loop.run()
    assert.equal("", process.err)
  end)

  it("a script of nvim -l ends with sockets open", function()
    local process = ends_well(start([[
      local got
      local s = dgram.createSocket("udp4", function(msg) got = msg end)
      s:bind(0, "127.0.0.1")
      coroutine.wrap(function() dgram.createSocket("udp4"):bind(0, "127.0.0.1"):receive() end)()
      for _ = 1, 3 do s:send("to itself", s:address().port, "127.0.0.1", function() end) end
      wait(function() return got end)
      tell(got, select(2, pcall(dgram.run)).code)
      s:send("on its way", s:address().port, "127.0.0.1", function() end)
      s:send("to a name", s:address().port, "localhost", function() end)
    ]], true))
    assert.equal("to itself\tERR_INVALID_STATE\n", process.out)
    assert.equal("", process.err)
  end)

  it("an error in a listener is a message, and neither Neovim nor the socket ends", function()
    local process = ends_well(start [[
      local count = 0
      local s = dgram.createSocket("udp4", function() count = count + 1; error "from a listener" end)
      s:bind(0, "127.0.0.1")
      for _ = 1, 3 do s:send("x", s:address().port, "127.0.0.1") end
      wait(function() return count == 3 end)
      dgram.setUncaughtHandler(function(err) tell("handled", err) end)
      s:send("x", s:address().port, "127.0.0.1")
      wait(function() return count == 4 end)
      vim.cmd "qa!"
    ]])
    assert.is_truthy(process.out:find "handled\t.*from a listener")
    assert.is_truthy(process.err:find "from a listener")
  end)

  it("the API needs vim.schedule", function()
    local process = ends_well(start [[
      local at_once, later
      local s = dgram.createSocket("udp4", function()
        at_once = select(2, pcall(vim.api.nvim_buf_line_count, 0))
        vim.schedule(function() later = vim.api.nvim_buf_line_count(0) end)
      end)
      s:bind(0, "127.0.0.1")
      s:send("x", s:address().port, "127.0.0.1")
      wait(function() return later end)
      tell(tostring(at_once):match "E5560", later)
      vim.cmd "qa"
    ]])
    assert.equal("E5560\t1\n", process.out)
  end)

  it("the plugin shows what comes, sends, and stops", function()
    local process = start [[
      vim.cmd "DatagramsListen 0"
      local buffer = vim.api.nvim_get_current_buf()
      local port = vim.api.nvim_buf_get_name(buffer):match "datagrams (%d+)"
      tell("port", port)
      wait(function() return vim.api.nvim_buf_line_count(buffer) == 3 end)
      vim.cmd("DatagramsSend " .. port .. " from Neovim itself")
      wait(function() return vim.api.nvim_buf_line_count(buffer) == 4 end)
      for _, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 1, -1, false)) do tell((line:gsub(":%d+", ""))) end
      vim.cmd "DatagramsStop"
      vim.cmd("DatagramsListen " .. port) -- the port is free
      vim.cmd "bdelete!"
      vim.cmd("DatagramsListen " .. port)
      tell "free again"
      vim.cmd "qa!"
    ]]
    local port = tonumber(process:expect "port\t(%d+)\n")
    local client = new "udp4"
    client:send("one\nline", port, "127.0.0.1")
    client:send("another", port, "127.0.0.1")
    client:flush()
    process:expect "free again\n"
    ends_well(process)
    assert.equal("127.0.0.1 one line\n127.0.0.1 another\n127.0.0.1 from Neovim itself\nfree again\n",
      (process.out:gsub("^port[^\n]*\n", "")))
    assert.equal("", process.err)
    client:close()
    loop.run()
  end)
end)
