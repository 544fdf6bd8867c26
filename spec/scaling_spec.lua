-- SPDX-License-Identifier: MIT
-- What docs/scaling.md says of the kernel: how sockets with one port share the clients, and what a closing one loses.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local sockets = require "spec.support.sockets"
local sockopt = require "spec.support.sockopt"
local uv = require "luv"

local need, new = can.need, sockets.new

--- A socket with a shared port, which takes nothing from the kernel until it is asked.
local function member(port)
  local socket = new { type = "udp4", reusePort = true }
  return socket, socket:bindSync({ port = port, address = "127.0.0.1" }).port
end

local function group(count)
  need(pending, sockopt.readable()) -- Linux
  local list, port = {}, nil
  for i = 1, count do list[i], port = member(port) end
  return list, port
end

local function clients_of(port, count)
  local list = {}
  for i = 1, count do
    list[i] = new "udp4"
    list[i]:connectSync(port, "127.0.0.1")
  end
  return list
end

--- Each client sends one datagram, which waits in the buffer of the kernel.
local function send(clients)
  for _, client in ipairs(clients) do
    client:send "x"
    assert(client:flush())
  end
end

--- Takes all that waits: returns which member each client's port came to, and how many datagrams there were.
local function take(members)
  local at, count = {}, 0
  for i, socket in ipairs(members) do
    local msg, rinfo = socket:receive(0)
    while msg do
      at[rinfo.port], count = i, count + 1
      msg, rinfo = socket:receive(0)
    end
  end
  return at, count
end

local function differing(before, after)
  local count = 0
  for port, place in pairs(before) do
    if after[port] ~= place then count = count + 1 end
  end
  return count
end

--- Starts Lua on a program with dgram, behind other words of a command if these are given.
local function lua(program, stdin, words)
  words = words or {}
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  for _, word in ipairs { child.interpreter(), "-e", paths, "-e", "io.stdout:setvbuf 'line' dgram = require 'dgram'",
    "-e", program } do words[#words + 1] = word end
  return child.start(table.remove(words, 1), words, { own = true, stdin = stdin })
end

local function close(...)
  for _, list in ipairs { ... } do sockets.close_all((table.unpack or unpack)(list)) end
  loop.run()
end

describe("sockets that share a port", function()
  loop.guard()

  it("keep their clients as long as the group stays the same", function()
    local members, port = group(4)
    local clients = clients_of(port, 100)
    send(clients)
    local first = take(members)
    for _ = 1, 3 do
      send(clients)
      local at, count = take(members)
      assert.equal(100, count)
      assert.equal(0, differing(first, at))
    end
    members[5] = member(port)
    send(clients)
    local at, count = take(members)
    assert.equal(100, count)
    assert.is_true(differing(first, at) > 0)
    close(members, clients)
  end)

  it("lose what waits in one that closes", function()
    local members, port = group(4)
    local clients = clients_of(port, 100)
    send(clients)
    local first = take(members)
    local own = 0
    for _, place in pairs(first) do
      if place == 4 then own = own + 1 end
    end
    send(clients)
    table.remove(members):close()
    local _, count = take(members)
    assert.equal(100 - own, count)
    assert.is_true(own > 0)
    close(members, clients)
  end)

  it("lose nothing where another process has the descriptor, too, and keep their clients", function()
    local members, port = group(2)
    local clients = clients_of(port, 100)
    send(clients)
    local first = take(members)
    local heir = lua([[
      local socket, signal = dgram.createSocket "udp4", require("luv").new_signal()
      socket:bind { fd = 0 }
      signal:start("sigusr1", function()
        local count = 0
        while socket:receive(0) do count = count + 1 end
        print(count)
        socket:close()
        signal:close()
      end)
      print "ready"
      dgram.run()
    ]], members[2]:fileno())
    heir:expect "ready\n"
    send(clients)
    table.remove(members):close()
    send(clients)
    local at, count = take(members)
    for client_port in pairs(at) do assert.equal(1, first[client_port]) end
    heir:kill "sigusr1"
    heir:wait()
    assert.equal(200 - count, tonumber(heir.out:match "ready\n(%d+)\n"), heir.err)
    assert.is_true(count > 0 and count < 200)
    close(members, clients)
  end)

  it("are chosen by the CPU where they name one", function()
    local taskset = need(pending, can.program "taskset")
    local major, minor = uv.os_uname().release:match "^(%d+)%.(%d+)"
    local recent = tonumber(major) * 1000 + tonumber(minor) >= 6002
    need(pending, recent, "Linux chooses by SO_INCOMING_CPU from 6.2 on")
    local cpus = child.start(taskset, { "-cp", tostring(uv.os_getpid()):match "%d+" }):wait().out:match ": (.*)"
    local first, last = cpus:match "^(%d+)", cpus:match "(%d+)%s*$"
    need(pending, first ~= last, "there is one CPU")
    local members, port = group(2)
    for i, cpu in ipairs { first, last } do
      members[i]:setOption("SOL_SOCKET", "SO_INCOMING_CPU", tonumber(cpu))
    end
    for i, cpu in ipairs { first, last } do
      local process = lua(([[
        for i = 1, 50 do
          local socket = dgram.createSocket "udp4"
          socket:connectSync(%d, "127.0.0.1")
          socket:send "x"
          assert(socket:flush())
          socket:close()
        end
      ]]):format(port), nil, { taskset, "-c", cpu }):wait()
      assert.same({ 0, "" }, { process.status, process.err })
      local at, count = take(members)
      assert.equal(50, count)
      for _, place in pairs(at) do assert.equal(i, place) end
    end
    close(members)
  end)
end)
