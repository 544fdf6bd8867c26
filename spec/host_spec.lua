-- SPDX-License-Identifier: MIT
-- examples/host: the server in C, built against an installed dgram, with the sanitizers of the build that the spec runs on.
local uv = require "luv"
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local installed = require "spec.support.installed"
local sockets = require "spec.support.sockets"

local build, reason = installed.build()
local threads = 4

--- Whether this machine has what the example is built of.
local function buildable()
  if not build then return nil, reason end
  for _, package in ipairs { build.lua, (build.lua:gsub("luajit", "lua5.1")) .. "-luv", "libuv" } do
    local process = child.start("/bin/sh", { "-c", 'exec pkg-config --exists "$0"', package }):wait()
    if process.status ~= 0 then return nil, "pkg-config knows no " .. package end
  end
  return true
end

describe("examples/host", function()
  loop.guard()

  local can_build, why, folder, remove_folder

  setup(function()
    can_build, why = buildable()
    if not can_build then return end
    folder, remove_folder = installed.folder()
    installed.install(build, folder .. "/usr")
    installed.make(build, folder .. "/usr", "examples/host", folder .. "/build", "-DHOST_LUA=" .. build.lua)
  end)

  teardown(function()
    if folder then remove_folder() end
  end)

  --- Replaces the handler in one step.
  local function handler(code)
    installed.write(folder .. "/handler.new", code)
    assert(uv.fs_rename(folder .. "/handler.new", folder .. "/handler.lua"))
  end

  local function answering(word)
    return ([[
      return function(socket, msg, rinfo)
        if msg == "raise" then error "as it was told to" end
        socket:reply(%q .. msg, rinfo)
      end
    ]]):format(word)
  end

  local function start(count, port, program)
    local host = child.start(program or folder .. "/build/dgram-host",
      { tostring(count), tostring(port), "examples/host/server.lua", folder .. "/handler.lua" })
    return host, tonumber(host:expect("workers at port (%d+)\n", "out", 60))
  end

  --- Waits until so many lines of the host's output have the words.
  local function lines(host, words, count)
    loop.wait(function() return select(2, host.out:gsub(words, "")) >= count end, 60)
  end

  --- So many sockets that count their answers, by the answers' text.
  local function clients(count)
    local list, answers = {}, { all = 0 }
    for i = 1, count do
      list[i] = sockets.new "udp4"
      list[i]:on("message", function(msg)
        answers[msg] = (answers[msg] or 0) + 1
        answers.all = answers.all + 1
      end)
    end
    return list, answers
  end

  local function ended_well(host)
    host:wait(60)
    assert.equal(0, host.status, host.out .. host.err)
    assert.equal(0, host.signal)
    assert.equal("", host.err)
  end

  it("loses nothing while its handler is replaced, and counts what it had", function()
    if not can_build then pending(why) end
    handler(answering "1 ")
    local host, port = start(threads, 0)
    local list, answers = clients(40)
    local sent, word = 0, "1 "

    -- At most twenty datagrams are under way: no buffer is full.
    local function send(count)
      for _ = 1, count do
        loop.wait(function() return sent - answers.all < 20 end, 60)
        sent = sent + 1
        list[sent % #list + 1]:send(tostring(sent), port, "127.0.0.1")
      end
    end
    for version = 2, 4 do
      send(100)
      word = version .. " "
      handler(answering(word))
      host:kill "sighup"
      send(100)
      lines(host, "reloaded", threads * (version - 1))
    end
    loop.wait(function() return answers.all == sent end, 60)
    send(40)
    loop.wait(function() return answers.all == sent end, 60)
    for number = 1, sent do
      local got = 0
      for version = 1, 4 do got = got + (answers[version .. " " .. number] or 0) end
      assert.equal(1, got, "datagram " .. number)
    end
    for number = sent - 39, sent do assert.equal(1, answers[word .. number]) end

    host:kill "sigusr1"
    lines(host, "messages", threads)
    local workers, messages, replies = 0, 0, 0
    for received, answered, errors, reloads in
      host.out:gmatch "(%d+) messages, (%d+) answers, (%d+) errors, (%d+) reloads" do
      workers, messages, replies = workers + 1, messages + received, replies + answered
      assert.equal("0", errors)
      assert.equal("3", reloads)
    end
    assert.same({ threads, sent, sent }, { workers, messages, replies })

    host:kill "sigterm"
    ended_well(host)
    for _, socket in ipairs(list) do socket:close() end
    loop.run()
  end)

  it("outlives a handler that raises, and keeps the old one where the new one is no good", function()
    if not can_build then pending(why) end
    handler(answering "1 ")
    local host, port = start(1, 0)
    local list, answers = clients(1)
    list[1]:send("raise", port, "127.0.0.1")
    host:expect "worker 1: [^\n]*as it was told to\n"
    for number, code in ipairs { "return 7", "return function(", "error 'not today'" } do
      handler(code)
      host:kill "sighup"
      lines(host, "not reloaded", number)
    end
    list[1]:send("x", port, "127.0.0.1")
    loop.wait(function() return answers["1 x"] == 1 end, 60)
    host:kill "sigint"
    ended_well(host)
    list[1]:close()
    loop.run()
  end)

  it("ends with what a handler has left open", function()
    if not can_build then pending(why) end
    handler [[
      local uv, dgram = require "luv", require "dgram"
      uv.new_timer():start(0, 1, function() end)
      dgram.createSocket("udp4"):bindSync()
      return function() end
    ]]
    local host = start(2, 0)
    host:kill "sigterm"
    ended_well(host)
  end)

  it("may be linked statically, Lua and luv included", function()
    if not can_build then pending(why) end
    if build.flags[1] then pending "sanitizers need shared libraries" end
    if build.lua == "luajit" then pending "pkg-config would add Lua 5.1, for luv's sake" end
    local folders = folder .. "/usr/lib/pkgconfig"
    local ask = "PKG_CONFIG_PATH=$1 exec pkg-config --static --cflags --libs $2-dgram $2-luv $2 libuv-static"
    local listed = child.start("/bin/sh", { "-c", ask, "sh", folders, build.lua }):wait()
    if listed.status ~= 0 then pending(listed.err) end
    local words = { "-static", "-w", "-o", folder .. "/static", "examples/host/host.c" }
    for word in listed.out:gmatch "%S+" do words[#words + 1] = word end
    installed.run(build.compiler, words)

    handler(answering "static ")
    local host, port = start(1, 0, folder .. "/static")
    local list, answers = clients(1)
    list[1]:send("x", port, "127.0.0.1")
    loop.wait(function() return answers["static x"] == 1 end, 60)
    host:kill "sigterm"
    ended_well(host)
    list[1]:close()
    loop.run()
  end)

  it("says what keeps it from beginning", function()
    if not can_build then pending(why) end
    handler "return function() end"
    local taken = sockets.new "udp4"
    local port = taken:bindSync({ address = "127.0.0.1" }).port
    local host = child.start(folder .. "/build/dgram-host",
      { "2", tostring(port), "examples/host/server.lua", folder .. "/handler.lua" }):wait(60)
    assert.equal(1, host.status)
    assert.is_truthy(host.err:find("worker 1: script: bind EADDRINUSE 127.0.0.1:" .. port, 1, true), host.err)
    taken:close()
    loop.run()
  end)
end)
