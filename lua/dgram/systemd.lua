--- Descriptors that systemd hands over (sd_listen_fds(3)): they begin at 3, and are meant for the process that LISTEN_PID
-- names.
local core = require "dgram.core"
local check = core.check

local FIRST, MOST = 3, 65536

--- dgram.systemdSockets()
-- @return a list of {fd = number, name = string} for bind{fd = ...}; empty when systemd passed none to this process
return function(...)
  check.surplus(0, ...)
  local list, names = {}, {}
  local count = tonumber((os.getenv "LISTEN_FDS" or ""):match "^%d+$")
  local pid = tonumber((os.getenv "LISTEN_PID" or ""):match "^%d+$")
  if pid ~= core.pid() or not count or count > MOST then return list end
  for name in ((os.getenv "LISTEN_FDNAMES" or "") .. ":"):gmatch "([^:]*):" do names[#names + 1] = name end
  for i = 1, count do
    local name = names[i]
    list[i] = { fd = FIRST + i - 1, name = name ~= nil and name ~= "" and name or "unknown" }
  end
  return list
end
