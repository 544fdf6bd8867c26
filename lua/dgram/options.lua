--- The options of createSocket, where there are any but the type.
local core = require "dgram.core"
local check = core.check

--- The types of those whose value alone tells whether it is right.
local types = {
  type = "any", reuseAddr = "boolean", reusePort = "boolean", ipv6Only = "boolean",
  gso = "boolean", gro = "boolean", moderation = "any",
  recvBufferSize = "number", sendBufferSize = "number", sendQueueLimit = "any", lookup = "function",
  receiveBlockList = "any", sendBlockList = "any", signal = "any",
}

local options = {}

--- Raises ERR_INVALID_ARG_VALUE for an option that is none of the known ones' names.
function options.unknown(known, name, call)
  local names = {}
  for each in pairs(known) do names[#names + 1] = each end
  table.sort(names)
  name = type(name) == "string" and '"' .. name .. '"' or core.describe(name)
  check.badValue(("Unknown option %s for %s; there are: %s"):format(name, call, table.concat(names, ", ")))
end

local function check_size(name, value)
  if value == nil or (value >= 0 and value <= 4294967295 and value % 1 == 0) then return end
  error(core.error("RangeError", "ERR_OUT_OF_RANGE",
    ('The value of "options.%s" is out of range. It must be an integer >= 0 and <= 4294967295. Received %s')
      :format(name, core.describe(value))), 0)
end

--- Raises ERR_INVALID_ARG_VALUE for an unknown option, ERR_INVALID_ARG_TYPE for a value of a wrong type, ERR_OUT_OF_RANGE
-- for a buffer size that is none.
function options.check(given)
  for name, value in pairs(given) do
    local expected = types[name]
    if not expected then options.unknown(types, name, "createSocket") end
    if expected ~= "any" and type(value) ~= expected then
      check.wrongType(value, "options." .. tostring(name), "a " .. expected)
    end
  end
  check_size("recvBufferSize", given.recvBufferSize)
  check_size("sendBufferSize", given.sendBufferSize)
  if given.signal ~= nil then require("dgram.abort").check(given.signal) end
end

--- Sets what needs the socket to be set; raises where a value is wrong.
function options.apply(socket, given)
  core.setLimits(socket, given.sendQueueLimit, given.receiveBlockList, given.sendBlockList)
  if given.moderation ~= nil then core.setModeration(socket, given.moderation) end
  if given.recvBufferSize ~= nil then socket:setRecvBufferSize(given.recvBufferSize) end
  if given.sendBufferSize ~= nil then socket:setSendBufferSize(given.sendBufferSize) end
  if given.recvBufferSize or given.sendBufferSize then -- a descriptor that is adopted later gets them, too
    local kept = core.private(socket)
    kept.recvBufferSize, kept.sendBufferSize = given.recvBufferSize, given.sendBufferSize
  end
  if given.lookup then require("dgram.lookup").set(socket, given.lookup) end
end

return options
