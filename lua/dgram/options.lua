--- The options of createSocket, where there are any but the type; `signal` is an emitter whose `abort` event closes the socket.
local core = require "dgram.core"
local lookup = require "dgram.lookup"
local check = core.check

--- The types of options that need no other check.
local types = {
  type = "any", reuseAddr = "boolean", reusePort = "boolean", ipv6Only = "boolean",
  gso = "boolean", gro = "boolean", moderation = "any", busyPoll = "any",
  recvBufferSize = "number", sendBufferSize = "number", sendQueueLimit = "any", lookup = "function",
  interface = "string", multicastAll = "boolean", recvErrors = "boolean",
  pktInfo = "boolean", recvTTL = "boolean", recvTOS = "boolean", timestamp = "any", recvCredentials = "boolean",
  receiveBlockList = "any", sendBlockList = "any", signal = "any",
}

--- Those that make no sense for unix_dgram, and those that do for it alone.
local network_only = {
  interface = true, multicastAll = true, recvErrors = true, pktInfo = true, recvTTL = true, recvTOS = true,
}
local unix_only = { recvCredentials = true }

--- Those that a descriptor which is adopted later gets, too.
local for_adopted = { "recvBufferSize", "sendBufferSize", "interface", "multicastAll" }

local options = {}

local function unknown(known, name, call)
  local names = {}
  for each in pairs(known) do names[#names + 1] = each end
  table.sort(names)
  name = type(name) == "string" and '"' .. name .. '"' or core.describe(name)
  check.badValue(("Unknown option %s for %s; there are: %s"):format(name, call, table.concat(names, ", ")))
end

--- Raises ERR_INVALID_ARG_VALUE where an option is none of the known ones.
function options.check_names(known, given, call)
  for name in pairs(given) do
    if not known[name] then unknown(known, name, call) end
  end
end

local function method(signal, name)
  local kind = type(signal)
  if kind ~= "table" and kind ~= "userdata" then return nil end
  local found, value = pcall(function() return signal[name] end)
  return found and type(value) == "function" and value or nil
end

local function check_size(name, value)
  if value == nil or (value >= 0 and value <= 4294967295 and value % 1 == 0) then return end
  error(core.error("RangeError", "ERR_OUT_OF_RANGE",
    ('The value of "options.%s" is out of range. It must be an integer >= 0 and <= 4294967295. Received %s')
      :format(name, core.describe(value))), 0)
end

local function check_family(given, kind)
  local is_unix = kind == "unix_dgram"
  for name in pairs(is_unix and network_only or unix_only) do
    if given[name] ~= nil then
      check.badValue(("The option %s is %s"):format(name,
        is_unix and "not for unix_dgram sockets" or "for unix_dgram sockets only"))
    end
  end
end

local function check_timestamp(value)
  if type(value) == "nil" or type(value) == "boolean" then return end
  if value ~= "ns" then
    check.badValue('options.timestamp must be a boolean or "ns". Received ' .. core.describe(value))
  end
  if not math.type then check.badValue 'options.timestamp: "ns" needs the integers of Lua 5.3 and later' end
end

--- Raises ERR_INVALID_ARG_VALUE for an unknown option and for one that makes no sense for the type of socket,
-- ERR_INVALID_ARG_TYPE for a value of a wrong type (of timestamp: ERR_INVALID_ARG_VALUE), ERR_OUT_OF_RANGE for a buffer
-- size that is none.
function options.check(given, kind)
  options.check_names(types, given, "createSocket")
  for name, value in pairs(given) do
    local expected = types[name]
    if expected ~= "any" and type(value) ~= expected then
      check.wrongType(value, "options." .. name, "a " .. expected)
    end
  end
  check_family(given, kind)
  check_timestamp(given.timestamp)
  if given.interface then check.host(given.interface, "options.interface") end
  check_size("recvBufferSize", given.recvBufferSize)
  check_size("sendBufferSize", given.sendBufferSize)
  if type(given.signal) ~= "nil" and not method(given.signal, "on") then
    check.wrongType(given.signal, "options.signal", 'an emitter: it must have a method "on"')
  end
end

--- Sets what needs the socket to be set; raises where a value is wrong.
function options.apply(socket, given)
  core.setLimits(socket, given.sendQueueLimit, given.receiveBlockList, given.sendBlockList)
  if given.moderation ~= nil then core.setModeration(socket, given.moderation) end
  if given.busyPoll ~= nil then core.setBusyPoll(socket, given.busyPoll) end
  if given.recvBufferSize ~= nil then socket:setRecvBufferSize(given.recvBufferSize) end
  if given.sendBufferSize ~= nil then socket:setSendBufferSize(given.sendBufferSize) end
  if given.interface ~= nil or given.multicastAll ~= nil then
    core.setIntake(socket, given.interface, given.multicastAll)
  end
  if given.recvErrors then core.hearErrors(socket) end
  if given.pktInfo or given.recvTTL or given.recvTOS or given.timestamp or given.recvCredentials then
    core.ask(socket, given.pktInfo, given.recvTTL, given.recvTOS, given.timestamp, given.recvCredentials)
  end
  for _, name in ipairs(for_adopted) do
    if given[name] ~= nil then core.private(socket)[name] = given[name] end
  end
  if given.lookup then lookup.set(socket, given.lookup) end
end

--- Closes the socket when the signal aborts, at once if it has.
function options.follow(socket, signal)
  local function on_abort()
    if core.state(socket) == "open" then socket:close() end
  end
  if signal.aborted == true then return on_abort() end
  method(signal, "on")(signal, "abort", on_abort)
  core.private(socket).unfollow = function()
    local off = method(signal, "off") or method(signal, "removeListener")
    if off then off(signal, "abort", on_abort) end
  end
end

--- Before `close`: the signal need not know the socket any more.
function options.unfollow(socket)
  local private = core.private(socket)
  local unfollow = private.unfollow
  private.unfollow = nil
  if unfollow then unfollow() end
end

return options
