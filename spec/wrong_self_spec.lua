-- SPDX-License-Identifier: MIT
-- Methods on a value that is no socket and on closed sockets, and what a program can reach of the inside.
local loop = require "spec.support.loop"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local unpack = table.unpack or unpack

-- right arguments for each method, so that only its self is wrong
local methods = {
  bind = { 0, "127.0.0.1" }, send = { "x", 9 }, sendto = { "x", 0, 1, 9, "127.0.0.1" }, close = {}, detach = {},
  address = {}, fileno = {}, ref = {}, unref = {}, setBroadcast = { true }, setTTL = { 1 },
  setMulticastTTL = { 1 }, setMulticastLoopback = { true }, setMulticastInterface = { "127.0.0.1" },
  addMembership = { "239.255.77.9" }, dropMembership = { "239.255.77.9" },
  addSourceSpecificMembership = { "127.0.0.1", "232.77.0.9" },
  dropSourceSpecificMembership = { "127.0.0.1", "232.77.0.9" },
  getRecvBufferSize = {}, setRecvBufferSize = { 10000 }, getSendBufferSize = {}, setSendBufferSize = { 10000 },
  getSendQueueSize = {}, getSendQueueCount = {},
}

local emitter_methods = {
  on = { "x", print }, addListener = { "x", print }, once = { "x", print }, off = { "x", print },
  removeListener = { "x", print }, prependListener = { "x", print }, prependOnceListener = { "x", print },
  removeAllListeners = {}, emit = { "x" }, listeners = { "x" }, listenerCount = { "x" }, eventNames = {},
}

local strangers = { 42, "socket", true, {}, print, io.stdout, coroutine.create(function() end),
  setmetatable({}, dgram.Socket) }

local function refuse_strangers(list)
  for name, arguments in pairs(list) do
    local method = dgram.Socket[name]
    assert.equal("function", type(method), name)
    for _, value in ipairs(strangers) do
      faults.raised({ name = "TypeError", code = "ERR_INVALID_ARG_TYPE", label = name .. " of a " .. type(value) },
        method, value, unpack(arguments))
    end
    faults.raised({ name = "TypeError", code = "ERR_INVALID_ARG_TYPE", label = name .. " of nothing" }, method)
    faults.raised({ name = "TypeError", code = "ERR_INVALID_ARG_TYPE", label = name .. " of an emitter" },
      method, dgram.EventEmitter(), unpack(arguments))
  end
end

describe("a method of what is no socket", function()
  loop.guard()

  it("raises", function() refuse_strangers(methods) end)

  it("raises for the emitter's methods too", function()
    for name, arguments in pairs(emitter_methods) do
      local method = dgram.Socket[name]
      for _, value in ipairs { 42, "socket", true, print, io.stdout } do
        faults.raised({ name = "TypeError", code = "ERR_INVALID_ARG_TYPE", label = name .. " of a " .. type(value) },
          method, value, unpack(arguments))
      end
      faults.raised({ name = "TypeError", code = "ERR_INVALID_ARG_TYPE", label = name .. " of nothing" }, method)
    end
  end)
end)

describe("a method of a closed socket", function()
  loop.guard()

  local quiet = { ref = true, unref = true, getSendQueueSize = true, getSendQueueCount = true }

  local function try(socket)
    for name, arguments in pairs(methods) do
      if quiet[name] then
        socket[name](socket, unpack(arguments))
      else
        faults.raised({ name = "Error", code = "ERR_SOCKET_DGRAM_NOT_RUNNING", label = name },
          socket[name], socket, unpack(arguments))
      end
    end
    assert.equal(socket, socket:ref())
    assert.equal(0, socket:getSendQueueSize())
    assert.equal(0, socket:getSendQueueCount())
  end

  it("raises, while it closes and afterwards", function()
    local socket = sockets.bound "udp4"
    local before = loop.descriptors()
    socket:close(loop.expect(function() try(socket) end))
    try(socket)
    loop.run()
    try(socket)
    assert.equal(before and before - 1, loop.descriptors())
    loop.run()
  end)

  it("raises without a callback being called", function()
    local socket = sockets.new "udp4"
    socket:close()
    faults.raised(faults.not_running, socket.send, socket, "x", 9, "127.0.0.1", loop.never())
    faults.raised(faults.not_running, socket.bind, socket, 0, loop.never())
    faults.raised(faults.not_running, socket.close, socket, loop.never())
    loop.run()
  end)
end)

describe("the inside", function()
  loop.guard()

  it("a finalizer called by hand, even twice, breaks nothing", function()
    local socket = sockets.bound "udp4"
    local meta = debug.getmetatable(socket)
    for _, name in ipairs { "__gc", "__close" } do
      if meta[name] then
        pcall(meta[name], socket)
        pcall(meta[name], socket)
        for _, value in ipairs(strangers) do pcall(meta[name], value) end
        pcall(meta[name])
      end
    end
    pcall(socket.send, socket, "x", 9)
    pcall(tostring, socket)
    pcall(socket.close, socket)
    loop.turn(5)
    collectgarbage()
    loop.run()
  end)

  it("metamethods of strangers raise and do not crash", function()
    local socket = sockets.new "udp4"
    local meta = debug.getmetatable(socket)
    for name, fn in pairs(meta) do
      if type(fn) == "function" and name:sub(1, 2) == "__" then
        for _, value in ipairs(strangers) do pcall(fn, value, value) end
        pcall(fn)
      end
    end
    assert.is_nil(socket.no_such_field)
    socket:close()
    loop.run()
  end)
end)
