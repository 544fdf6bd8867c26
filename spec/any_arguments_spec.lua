-- SPDX-License-Identifier: MIT
-- Every function of the module and every method, with every wrong value at every position, and as its self: each call ends
-- in a result, or raises an error object with a code. Methods are found, not listed: a new one is called, too.
local loop = require "spec.support.loop"
local unix = require "spec.support.unix"
local dgram = require "dgram"
local uv = require "luv"

local unpack = table.unpack or unpack
local POSITIONS = 6

-- What a value of the program's own raises passes as it is.
local thrown = { code = "OWN", name = "Error", message = "own" }
local function raise() error(thrown, 0) end

local function hostile(...)
  local metatable = {}
  for _, name in ipairs { ... } do metatable[name] = raise end
  return setmetatable({}, metatable)
end

local closed = dgram.createSocket "udp4"
closed:close()

local values = {
  ["no number"] = 0 / 0, infinity = 1 / 0, ["less than zero"] = -1, ["2^53"] = 2 ^ 53, ["-2^63"] = -2 ^ 63, half = 0.5,
  empty = "", zero = "\0", word = "\255word", ["true"] = true, ["false"] = false,
  table = {}, ["a list"] = { 1, {}, "x" },
  ["function"] = function() end, ["C function"] = coroutine.running,
  userdata = io.stdout, thread = coroutine.create(raise),
  ["a raising __index"] = hostile "__index", ["a raising __newindex"] = hostile "__newindex",
  ["a raising __len"] = hostile "__len", ["a raising __tostring"] = hostile "__tostring",
  ["a raising __eq"] = hostile "__eq", ["a raising __pairs"] = hostile("__pairs", "__ipairs"),
  ["all that raises"] = hostile("__index", "__newindex", "__len", "__tostring", "__eq", "__lt", "__le", "__concat",
    "__call", "__pairs", "__name", "__unm", "__add"),
  ["a __name that is none"] = setmetatable({}, { __name = {} }),
  ["a locked metatable"] = setmetatable({}, { __metatable = 1 }),
  ["a closed socket"] = closed, ["a block list"] = dgram.BlockList(), emitter = dgram.EventEmitter(),
}

local has_ffi, ffi = pcall(require, "ffi")
if has_ffi then
  values["a wide integer"] = ffi.new("int64_t", 9)
  values["a C struct"] = ffi.new "struct { int x; }"
  values["a null pointer"] = ffi.new "void *"
  values["a raising ctype"] = ffi.metatype("struct { double x; }", {
    __index = raise, __len = raise, __tostring = raise, __eq = raise, __concat = raise, __call = raise,
  })()
end

-- Right arguments: one at a time of them is replaced. Options are tables, whose fields are replaced likewise.
local right = {
  bind = { 0, "127.0.0.1" }, bindSync = { { port = 0, address = "127.0.0.1" } }, connect = { 9, "127.0.0.1" },
  connectSync = { 9, "127.0.0.1" }, send = { "hello", 9, "127.0.0.1" }, sendto = { "hello", 0, 5, 9, "127.0.0.1" },
  sendMany = { { "a", "b" }, 9, "127.0.0.1" }, on = { "thing", coroutine.running },
  receive = { 0 }, receiveMany = { 10, 0 },
  setTTL = { 1 }, setBroadcast = { true }, setOption = { "SOL_SOCKET", "SO_RCVLOWAT", 1 },
  getOption = { "SOL_SOCKET", "SO_TYPE" }, setTypeOfService = { 1 }, setDontFragment = { true },
  addMembership = { "239.255.77.9", "127.0.0.1" },
  addSourceSpecificMembership = { "127.0.0.1", "232.77.0.9", "127.0.0.1" },
  createSocket = { "udp4" }, socketpair = { {} },
  addAddress = { "10.0.0.1", "ipv4" }, addRange = { "10.0.0.1", "10.0.0.9", "ipv4" },
  addSubnet = { "10.0.0.0", 8, "ipv4" }, check = { "10.0.0.1", "ipv4" }, emit = { "thing", 1 },
}
local options = {
  createSocket = { "type", "reuseAddr", "reusePort", "ipv6Only", "recvBufferSize", "sendBufferSize", "sendQueueLimit",
    "gso", "gro", "moderation", "busyPoll", "interface", "multicastAll", "pktInfo", "recvTTL",
    "recvTOS", "timestamp", "recvCredentials", "lookup", "receiveBlockList", "sendBlockList", "signal" },
  bind = { "port", "address", "exclusive", "fd", "path" }, bindSync = { "port", "address", "exclusive", "fd", "path" },
}

options.socketpair = options.createSocket

--- These would wait for ever; in a coroutine they end when the socket is closed.
local waits = { receive = true, receiveMany = true }

local complaints

local function accept(label, ok, err)
  if ok or rawequal(err, thrown) then return end
  if type(err) ~= "table" then
    complaints[#complaints + 1] = ("%s raised %s"):format(label, tostring(err))
  elseif type(rawget(err, "code")) ~= "string" or not pcall(tostring, err) then
    complaints[#complaints + 1] = label .. " raised a table that is no error object"
  end
end

--- Calls fn with `self` and the arguments, each replaced by each value in its turn. make() makes what is self, or nothing.
local function try(name, fn, make)
  local count = make and 1 or 0
  local function call(label, self, arguments, last)
    if count == 0 then return accept(label, pcall(fn, unpack(arguments, 1, last))) end
    accept(label, pcall(fn, self, unpack(arguments, 1, last)))
  end
  for what, value in pairs(values) do
    for position = 1, POSITIONS do
      local arguments = { unpack(right[name] or {}) }
      local last = math.max(#arguments, position)
      arguments[position] = value
      call(("%s, %s as number %d"):format(name, what, position), make and make(), arguments, last)
    end
    for _, option in ipairs(options[name] or {}) do
      local given = { type = name == "createSocket" and option ~= "type" and "udp4" or nil, [option] = value }
      call(("%s, %s as %s"):format(name, what, option), make and make(), { given }, 1)
    end
    if make then call(("%s of %s"):format(name, what), value, right[name] or {}, #(right[name] or {})) end
  end
  for last = 0, POSITIONS do call(name .. " of nothing", nil, {}, last) end
  call(name .. " with nothing", make and make(), {}, 0)
end

local function detach_and_close(...) uv.fs_close(dgram.Socket.detach(...)) end

local function methods_of(object)
  local index = debug.getmetatable(object).__index
  if type(index) == "table" then return index end
  local found = {}
  for _, name in ipairs { "addAddress", "addRange", "addSubnet", "check" } do found[name] = object[name] end
  return found
end

describe("any value anywhere ends in a result or an error object:", function()
  loop.guard()

  local made
  before_each(function()
    complaints, made = {}, {}
    dgram.setUncaughtHandler(function(err) accept("a callback", false, err) end)
  end)

  local function clean()
    for i, socket in ipairs(made) do
      if dgram.isSocket(socket) then pcall(socket.close, socket) end
      made[i] = nil
    end
    loop.run(20)
  end

  local function verdict()
    clean()
    dgram.setUncaughtHandler(nil)
    collectgarbage()
    loop.run()
    local seen, list = {}, {}
    for _, complaint in ipairs(complaints) do
      if not seen[complaint] then list[#list + 1] = complaint end
      seen[complaint] = true
    end
    assert.same({}, list)
  end

  local function lookup(_, _, cb) cb(thrown) end

  local states = {
    ["an unbound socket"] = { { type = "udp4", lookup = lookup } },
    ["a bound socket"] = { { type = "udp4", lookup = lookup }, function(socket) socket:bind(0, "127.0.0.1") end },
    ["a listening udp6 socket"] = { { type = "udp6", lookup = lookup }, function(socket)
      socket:on("message", function() end):on("error", function() end):bind(0, "::1")
    end },
    ["a socket with a listener to batch"] = { { type = "udp4", lookup = lookup, busyPoll = 10 }, function(socket)
      socket:on("batch", function() end):bind(0, "127.0.0.1")
    end },
    ["a connected socket"] = { { type = "udp4", lookup = lookup }, function(socket)
      socket:connectSync(9, "127.0.0.1")
    end },
    ["a Unix socket"] = { "unix_dgram", function(socket) socket:bind(unix.path()) end },
    ["a closed socket"] = { { type = "udp4", lookup = lookup }, function(socket) socket:close() end },
  }

  for state, how in pairs(states) do
    it("methods of " .. state, function()
      for name, method in pairs(dgram.Socket) do
        local fn = waits[name] and function(...) return coroutine.wrap(method)(...) end or method
        if name == "detach" then fn = detach_and_close end
        try(name, fn, function()
          local socket = dgram.createSocket(how[1])
          if how[2] then pcall(how[2], socket) end
          made[#made + 1] = socket
          return socket
        end)
        clean()
      end
      verdict()
    end)
  end

  it("methods of emitters", function()
    for name, method in pairs(methods_of(dgram.EventEmitter())) do
      try(name, method, function()
        return dgram.EventEmitter():on("thing", function() end):once("thing", coroutine.running)
      end)
    end
    verdict()
  end)

  it("methods of block lists", function()
    for name, method in pairs(methods_of(dgram.BlockList())) do try(name, method, dgram.BlockList) end
    verdict()
  end)

  it("functions of the module", function()
    for name, fn in pairs(dgram) do
      if type(fn) == "function" then
        try(name, function(...)
          local result, second = fn(...)
          made[#made + 1], made[#made + 2] = result, second
          return result
        end)
        dgram.setUncaughtHandler(nil)
        dgram.onDue(nil)
        clean()
      end
    end
    verdict()
  end)

  it("functions of the module that are tables, and metamethods", function()
    for _, object in ipairs { dgram.createSocket "udp4", dgram.EventEmitter(), dgram.BlockList() } do
      made[#made + 1] = object
      for name, fn in pairs(debug.getmetatable(object)) do
        if type(fn) == "function" and name ~= "__gc" then try(name, fn) end
      end
    end
    verdict()
  end)

  it("errors themselves", function()
    local _, err = pcall(dgram.createSocket)
    for name, fn in pairs(debug.getmetatable(err)) do
      if type(fn) == "function" then try(name, fn) end
    end
    for _, value in pairs(values) do
      for _, field in ipairs { "message", "code", "where", "errno" } do
        local _, own = pcall(dgram.createSocket)
        own[field] = value
        accept("tostring of an error with another " .. field, pcall(tostring, own))
      end
    end
    verdict()
  end)
end)
