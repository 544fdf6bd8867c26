--- Checks of arguments for the Lua side, with the errors of the C side.
local core = require "dgram.core"

local check = {}

--- Raises a TypeError ERR_INVALID_ARG_TYPE.
function check.wrong_type(value, name, expected)
  error(core.error("TypeError", "ERR_INVALID_ARG_TYPE",
    ('The "%s" argument must be %s. Received %s'):format(name, expected, core.describe(value))), 0)
end

--- Raises a TypeError ERR_INVALID_ARG_VALUE.
function check.bad_value(message)
  error(core.error("TypeError", "ERR_INVALID_ARG_VALUE", message), 0)
end

--- The socket itself, which must be open (for methods) or may be closed (for the emitter's).
function check.socket(value)
  if not core.isSocket(value) then check.wrong_type(value, "self", "a dgram.Socket (call methods with a colon)") end
  return value
end

function check.open(value)
  if core.state(check.socket(value)) ~= "open" then
    error(core.error("Error", "ERR_SOCKET_DGRAM_NOT_RUNNING", "Not running: the socket is closed"), 0)
  end
end

function check.fn(value, name)
  if type(value) ~= "function" then check.wrong_type(value, name, "a function") end
  return value
end

--- A port from `least` to 65535.
function check.port(value, least)
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > 65535 then
    error(core.error("RangeError", "ERR_SOCKET_BAD_PORT", ("Port should be %s 0 and < 65536. Received %s."):format(
      least == 0 and ">=" or ">", core.describe(value))), 0)
  end
  return math.floor(value)
end

--- A host name or address: text with something in it, and no NUL byte.
function check.host(value, name)
  if type(value) ~= "string" then check.wrong_type(value, name, "a string") end
  if value == "" then check.bad_value(('The "%s" argument must not be empty'):format(name)) end
  if value:find("\0", 1, true) then check.bad_value(('The "%s" argument must not contain a NUL byte'):format(name)) end
  return value
end

--- A Unix path, or an abstract name, which begins with a NUL byte.
function check.path(value, name)
  if type(value) ~= "string" then check.wrong_type(value, name, "a string") end
  if value == "" then check.bad_value(('The "%s" argument must not be empty'):format(name)) end
  if value:find("\0", 2, true) and value:sub(1, 1) ~= "\0" then
    check.bad_value(('The "%s" argument must not contain a NUL byte'):format(name))
  end
  return value
end

function check.integer(value, name)
  if type(value) ~= "number" or value % 1 ~= 0 then check.wrong_type(value, name, "an integer") end
end

--- The error for a name where only a literal will do.
function check.not_literal(address)
  return core.error("TypeError", "ERR_INVALID_IP_ADDRESS", "Invalid IP address: " .. tostring(address) ..
    " (a call that does not wait looks no names up)")
end

--- Raises when one of the values past `most` is not nil.
function check.surplus(most, ...)
  for i = most + 1, select("#", ...) do
    local value = select(i, ...)
    if value ~= nil then
      check.bad_value(("Too many arguments: this call takes at most %d. Received %s as number %d"):format(
        most, core.describe(value), i))
    end
  end
end

return check
