-- SPDX-License-Identifier: MIT
-- Every method with every wrong type, too few and too many arguments: the contract's error, and nothing has changed.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local unpack = table.unpack or unpack
local T, V, R, P = faults.bad_type, faults.bad_value, faults.out_of_range, faults.bad_port
local BOUNDS = { name = "RangeError", code = "ERR_BUFFER_OUT_OF_BOUNDS" }
local KIND = { name = "TypeError", code = "ERR_SOCKET_BAD_TYPE" }
local MISSING = { name = "TypeError", code = "ERR_MISSING_ARGS" }
local SIZE = { name = "TypeError", code = "ERR_SOCKET_BAD_BUFFER_SIZE" }
local nan, inf = 0 / 0, 1 / 0

local NIL = {} -- stands for nil in a list
local f = function() end

local samples = {
  ["nil"] = { NIL }, boolean = { true, false }, number = { 1, 1.5 }, string = { "x" }, table = { {} },
  ["function"] = { f }, userdata = { io.stdout }, thread = { coroutine.create(f) },
}

-- All samples of the types that are not named in `good` ("number string").
local function wrong(good)
  local list = {}
  for kind, values in pairs(samples) do
    if not (" " .. good .. " "):find(" " .. kind .. " ", 1, true) then
      for _, value in ipairs(values) do list[#list + 1] = value end
    end
  end
  return list
end

local bad_ports = { -1, 65536, 1.5, nan, inf, -inf, "80", "", "x" }
local bad_addresses = { "", "127.0.0.1\0", "\0", "local\0host" }

-- Cases of a method: {wanted error, arguments}. X stands for each of the values in `each`.
local X = {}
local cases = {}

local function case(method, want, arguments, each)
  cases[#cases + 1] = { method = method, want = want, arguments = arguments, each = each or { NIL } }
end

-- bind
case("bind", P, { X }, wrong "nil number string table function")
case("bind", P, { X, "127.0.0.1" }, bad_ports)
case("bind", P, { { port = X } }, wrong "nil number string")
case("bind", P, { { port = X } }, bad_ports)
case("bind", T, { 0, X }, wrong "nil string function")
case("bind", T, { 0, "127.0.0.1", X }, wrong "nil function")
case("bind", T, { { address = X } }, wrong "nil string")
case("bind", T, { { exclusive = X } }, wrong "nil boolean")
case("bind", V, { 0, X }, bad_addresses)
case("bind", V, { { address = X } }, bad_addresses)
case("bind", V, { { port = 0, prot = 1 } })
case("bind", V, { 0, "127.0.0.1", f, X }, wrong "nil")

-- send
case("send", T, { X, 9 }, wrong "string table")
case("send", T, { X, 9, "127.0.0.1", f }, wrong "string table")
case("send", T, { { "a", X }, 9 }, wrong "nil string")
case("send", P, { "hello" })
case("send", P, { "hello", X }, wrong "number")
case("send", P, { "hello", X, "127.0.0.1" }, wrong "number function")
case("send", P, { "hello", X }, bad_ports)
case("send", P, { "hello", 0 })
case("send", P, { "hello", X, "127.0.0.1", f }, bad_ports)
case("send", P, { "hello", 0, 5, X, "127.0.0.1" }, bad_ports)
case("send", P, { "hello", 0, 5, 0, "127.0.0.1" })
case("send", T, { "hello", 9, X }, { true, false, io.stdout })
case("send", T, { "hello", 0, 5, 9, X }, { true, false, 1, io.stdout })
case("send", T, { "hello", 0, 5, 9, "127.0.0.1", X }, { true, false, 1, "x", io.stdout })
case("send", V, { "hello", 9, X }, bad_addresses)
case("send", V, { "hello", 0, 5, 9, X }, bad_addresses)
case("send", R, { "hello", X, 2, 9, "127.0.0.1" }, { -1, 1.5, nan, inf, -inf })
case("send", R, { "hello", 0, X, 9, "127.0.0.1" }, { -1, 1.5, nan, inf, -inf })
case("send", BOUNDS, { "hello", X, 1, 9, "127.0.0.1" }, { 5, 6, 2147483648, 4503599627370496 })
case("send", BOUNDS, { "hello", 1, X, 9, "127.0.0.1" }, { 5, 6, 2147483648, 4503599627370496 })
case("send", V, { "hello", 0, 5, 9, "127.0.0.1", f, X }, wrong "nil")

-- sendto
case("sendto", T, {})
case("sendto", T, { X, 0, 5, 9, "127.0.0.1" }, wrong "string table")
case("sendto", T, { "hello", X, 5, 9, "127.0.0.1" }, wrong "number")
case("sendto", T, { "hello", 0, X, 9, "127.0.0.1" }, wrong "number")
case("sendto", P, { "hello", 0, 5, X, "127.0.0.1" }, wrong "number")
case("sendto", P, { "hello", 0, 5, X, "127.0.0.1" }, bad_ports)
case("sendto", T, { "hello", 0, 5, 9, X }, wrong "string")
case("sendto", V, { "hello", 0, 5, 9, X }, bad_addresses)
case("sendto", T, { "hello", 0, 5, 9, "127.0.0.1", X }, wrong "nil function")
case("sendto", R, { "hello", -1, 5, 9, "127.0.0.1" })
case("sendto", BOUNDS, { "hello", 1, 5, 9, "127.0.0.1" })
case("sendto", V, { "hello", 0, 5, 9, "127.0.0.1", f, X }, wrong "nil")

-- close and what takes nothing
case("close", T, { X }, wrong "nil function")
case("close", V, { f, X }, wrong "nil")
for _, name in ipairs { "address", "fileno", "ref", "unref", "getRecvBufferSize", "getSendBufferSize",
  "getSendQueueSize", "getSendQueueCount", "state", "getTypeOfService", "getPathMTU" } do
  case(name, V, { X }, wrong "nil")
end

-- options
for _, name in ipairs { "setBroadcast", "setMulticastLoopback", "setDontFragment" } do
  case(name, T, { X }, wrong "boolean")
  case(name, T, { X }, { 0, "true" })
  case(name, V, { true, X }, wrong "nil")
end
for _, name in ipairs { "setTTL", "setMulticastTTL", "setTypeOfService" } do
  case(name, T, { X }, wrong "number")
  case(name, T, { "64" })
  case(name, R, { X }, { -1, 256, 1.5, 1000000, nan, inf, -inf, 4294967297 })
  case(name, V, { 1, X }, wrong "nil")
end
case("setTTL", R, { 0 })
for _, name in ipairs { "setRecvBufferSize", "setSendBufferSize" } do
  case(name, SIZE, { X }, wrong "number")
  case(name, V, { 1000, X }, wrong "nil")
end
local bad_ints = { -2147483649, 2147483648, 4294967296, 1.5, nan, inf, -inf }
local bad_constants = { "", "1", "SO_TYPE\0", "so_type", "SO_NO_SUCH_OPTION" }
for _, name in ipairs { "setOption", "getOption" } do
  case(name, T, { X, 3, 1 }, wrong "number")
  case(name, T, { 1, X, 1 }, wrong "number")
  case(name, T, { X, 3, 1 }, bad_constants)
  case(name, T, { 1, X, 1 }, bad_constants)
  case(name, R, { X, 3, 1 }, bad_ints)
  case(name, R, { 1, X, 1 }, bad_ints)
end
case("setOption", T, { 1, 12, X }, wrong "number string")
case("setOption", R, { 1, 12, X }, bad_ints)
case("setOption", V, { 1, 12, 1, X }, wrong "nil")
case("getOption", V, { 1, 12, X }, wrong "nil")
case("setMulticastInterface", T, { X }, wrong "string")
case("setMulticastInterface", V, { X }, bad_addresses)
case("setMulticastInterface", V, { "127.0.0.1", X }, wrong "nil")

-- memberships
for _, name in ipairs { "addMembership", "dropMembership" } do
  case(name, MISSING, { X }, { NIL, "" })
  case(name, T, { X }, wrong "nil string")
  case(name, T, { "239.255.77.9", X }, wrong "nil string")
  case(name, V, { "239.255.77.9", X }, bad_addresses)
  case(name, V, { "239.255.77.9", "127.0.0.1", X }, wrong "nil")
end
for _, name in ipairs { "addSourceSpecificMembership", "dropSourceSpecificMembership" } do
  case(name, T, { X, "232.77.0.9" }, wrong "nil string")
  case(name, T, { "127.0.0.1", X }, wrong "nil string")
  case(name, T, { "127.0.0.1", "232.77.0.9", X }, wrong "nil string")
  case(name, V, { "127.0.0.1", "232.77.0.9", X }, bad_addresses)
  case(name, V, { "127.0.0.1", "232.77.0.9", "127.0.0.1", X }, wrong "nil")
end

local function put(template, value, fill)
  if template == fill then return value end
  if type(template) ~= "table" or template == NIL then return template end
  local copy = {}
  for k, v in pairs(template) do copy[k] = put(v, value, fill) end
  return copy
end

local function call(socket, method, arguments)
  local list, n = {}, #arguments
  for i = 1, n do
    list[i] = arguments[i]
    if list[i] == NIL then list[i] = nil end
  end
  return socket[method](socket, unpack(list, 1, n))
end

local function describe_arguments(arguments)
  local texts = {}
  for i, value in ipairs(arguments) do
    texts[i] = value == NIL and "nil" or type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  return table.concat(texts, ", ")
end

-- What must be the same after a call that raised.
local function state_of(socket, bound)
  return {
    fd = socket:fileno(), open = loop.descriptors(), names = table.concat(socket:eventNames(), ","),
    address = bound and tostring(socket) or (pcall(socket.address, socket)),
    queue = socket:getSendQueueCount(), bytes = socket:getSendQueueSize(),
    receive = socket:getRecvBufferSize(), send = socket:getSendBufferSize(),
  }
end

local function try_all(socket, bound, method)
  local before = state_of(socket, bound)
  local n = 0
  for _, c in ipairs(cases) do
    -- a bound socket says so before it looks at what else is wrong, or after: either is right
    if c.method == method and not (bound and method == "bind") then
      for _, value in ipairs(c.each) do
        local arguments = put(c.arguments, value, X)
        local label = ("%s(%s)"):format(method, describe_arguments(arguments))
        faults.raised({ name = c.want.name, code = c.want.code, label = label }, call, socket, method, arguments)
        assert.same(before, state_of(socket, bound), label)
        n = n + 1
      end
    end
  end
  return n
end

local methods, seen = {}, {}
for _, c in ipairs(cases) do
  if not seen[c.method] then
    seen[c.method] = true
    methods[#methods + 1] = c.method
  end
end

for _, method in ipairs(methods) do
  describe("wrong arguments of " .. method, function()
    loop.guard()

    it("raise, and an unbound socket stays as it was", function()
      local socket = sockets.new "udp4"
      socket:on("error", loop.never())
      assert.is_true(try_all(socket, false, method) > 0)
      loop.turn()
      faults.raised({ code = "EBADF" }, socket.address, socket)
      socket:close(loop.expect())
      loop.run()
    end)

    it("raise, and a bound socket stays as it was", function()
      local socket, port, got = sockets.collector "udp4"
      socket:on("error", loop.never())
      loop.turn()
      try_all(socket, true, method)
      socket:send("still alive", port)
      loop.wait(function() return #got == 1 end)
      assert.equal("still alive", got[1].msg)
      socket:close(loop.expect())
      loop.run()
    end)
  end)
end

describe("wrong arguments of createSocket", function()
  loop.guard()

  it("raise, and nothing is left open", function()
    local before = loop.descriptors()
    for _, value in ipairs(wrong "string table") do
      if value == NIL then value = nil end
      faults.raised(KIND, dgram.createSocket, value)
    end
    faults.raised(KIND, dgram.createSocket)
    for _, name in ipairs { "", "udp", "udp5", "UDP4", "tcp", "udp4\0", " udp4" } do
      faults.raised(KIND, dgram.createSocket, name)
      faults.raised(KIND, dgram.createSocket, { type = name })
    end
    for _, value in ipairs(wrong "string") do
      if value == NIL then value = nil end
      faults.raised(KIND, dgram.createSocket, { type = value })
    end
    for _, value in ipairs(wrong "nil function") do
      faults.raised(T, dgram.createSocket, "udp4", value)
      faults.raised(T, dgram.createSocket, { type = "udp4" }, value)
    end
    faults.raised(V, dgram.createSocket, "udp4", f, 1)
    faults.raised(V, dgram.createSocket, "udp4", nil, 1)
    collectgarbage()
    collectgarbage()
    assert.equal(before, loop.descriptors())
    if not before then can.need(pending, can.see_descriptors()) end
  end)
end)
