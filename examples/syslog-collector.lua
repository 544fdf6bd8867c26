-- A log collector: prints what programs write to its syslog socket, a Unix datagram socket. Ctrl-C ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/syslog-collector.lua [PATH] [MODE]
--
-- PATH is the socket's file, /tmp/dgram-syslog.sock if not given. MODE says who may send, in octal as for chmod(1):
-- 666, everybody, if not given. Write to it with: logger -u /tmp/dgram-syslog.sock -p mail.warning "hello"
local dgram = require "dgram"
local uv = require "luv"

local usage = "usage: syslog-collector.lua [PATH] [MODE], MODE being octal digits"
local path = arg[1] or "/tmp/dgram-syslog.sock"
local mode = tonumber(arg[2] or "666", 8)
local status = 0
local collected = 0
local signals = {}
local collector

local severities = { [0] = "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" }
local facilities = {
  [0] = "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
  "audit", "alert", "clock",
}

-- What to do about the failures that a user can mend.
local advice = {
  EADDRINUSE = "a living socket or another file is there: end that program, or give another path as the first argument",
  EACCES = "this folder is not yours to write to: give another path as the first argument",
  ENOENT = "there is no such folder: make it, or give another path as the first argument",
  ENAMETOOLONG = "a socket's path has 107 bytes at most: give a shorter one as the first argument",
}

local function complain(err)
  io.stderr:write("syslog-collector: ", tostring(err), "\n")
end

--- Closes everything, which removes the file, too; with nothing left to do, dgram.run returns.
local function stop()
  for _, signal in ipairs(signals) do signal:close() end
  signals = {}
  collector:close(function()
    if status == 0 then print(("closed after %d messages"):format(collected)) end
  end)
end

local function give_up(err)
  complain(err)
  if advice[err.code] then io.stderr:write("syslog-collector: ", advice[err.code], "\n") end
  status = 1
  stop()
end

--- "<20>Nov 20 12:00:00 root: hello" -> "mail.warning", "Nov 20 12:00:00 root: hello" (RFC 3164). The number is eight
-- times the facility, plus the severity.
local function parse(msg)
  local number, text = msg:match "^<(%d%d?%d?)>(.*)$"
  number = tonumber(number)
  if not number or number > 191 then return "unknown", msg end
  local facility = math.floor(number / 8)
  return (facilities[facility] or ("local%d"):format(facility - 16)) .. "." .. severities[number % 8], text
end

--- Anybody may send anything: control characters are shown as numbers, so that they do nothing to a terminal.
local function on_message(msg, rinfo)
  local priority, text = parse(msg)
  collected = collected + 1
  text = text:gsub("[%z\n]+$", ""):gsub("%c", function(char) return ("\\%03d"):format(char:byte()) end)
  -- logger, like most programs, has no path of its own: there is nobody to answer.
  print(("%s%s: %s"):format(priority, rinfo.address ~= "" and " from " .. rinfo.address or "", text))
end

if path == "--help" then
  print(usage)
  os.exit(0)
elseif not mode or mode < 0 or mode > 511 or mode % 1 ~= 0 or path == "" then
  io.stderr:write(usage, "\n")
  os.exit(2)
end

io.stdout:setvbuf "line"
-- reuseAddr removes the file that a collector left which was killed, but no living one's.
collector = dgram.createSocket({ type = "unix_dgram", reuseAddr = true }, on_message)
collector:on("error", function(err)
  if err.syscall == "bind" then return give_up(err) end
  complain(err)
end)
-- Without the mode the file has what the umask leaves: usually 755, and who may not write to it may not send to it. So
-- other users' messages would not come, and logger would not even say so.
collector:bind({ path = path, mode = mode }, function()
  print(("collecting at %s, mode %o (Ctrl-C to end)"):format(path, mode))
end)
for i, name in ipairs { "sigint", "sigterm" } do
  signals[i] = uv.new_signal()
  signals[i]:start(name, stop)
end

dgram.run()
os.exit(status)
