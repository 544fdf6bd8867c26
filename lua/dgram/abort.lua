--- The `signal` option: an emitter whose `abort` event closes the socket.
local core = require "dgram.core"
local check = core.check

local abort = {}

local function method(signal, name)
  local kind = type(signal)
  if kind ~= "table" and kind ~= "userdata" then return nil end
  local found, value = pcall(function() return signal[name] end)
  return found and type(value) == "function" and value or nil
end

function abort.check(signal)
  if not method(signal, "on") then
    check.wrongType(signal, "options.signal", 'an emitter: it must have a method "on"')
  end
end

--- Closes the socket when the signal aborts, at once if it has.
function abort.follow(socket, signal)
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
function abort.unfollow(socket)
  local private = core.private(socket)
  local unfollow = private.unfollow
  private.unfollow = nil
  if unfollow then unfollow() end
end

return abort
