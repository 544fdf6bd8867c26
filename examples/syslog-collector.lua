-- A log collector: prints what programs write to its syslog sockets, a Unix datagram socket and a UDP socket at once. Ctrl-C
-- ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/syslog-collector.lua [PATH] [MODE] [[ADDRESS:]PORT]
--
-- PATH is the Unix socket's file, /tmp/dgram-syslog.sock if not given. MODE says who may send there, in octal as for chmod(1):
-- 666, everybody, if not given. ADDRESS:PORT is where the UDP socket listens, 127.0.0.1:5514 if not given. Write to them with:
--   logger -u /tmp/dgram-syslog.sock -p mail.warning "hello"
--   logger -n 127.0.0.1 -P 5514 -d -p mail.warning "hello"
local dgram = require "dgram"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local severities = { [0] = "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" }
local facilities = {
  [0] = "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
  "audit", "alert", "clock",
}
local collected = 0

-- What to do about the failures that a user can mend.
local advice = {
  EADDRINUSE = "a living socket or another file is there: end that program, or give another path or port",
  EACCES = "this folder or port is not yours: give another path, or a port above 1023",
  ENOENT = "there is no such folder: make it, or give another path",
  ENAMETOOLONG = "a socket's path has 107 bytes at most: give a shorter one",
}

--- "1 TIME HOST PROGRAM PROCESS KIND DATA TEXT" (RFC 5424) -> "TIME HOST PROGRAM[PROCESS]: TEXT". Other text stays as it is.
-- DATA is "-", or elements in brackets with values in quotes, where brackets end nothing.
local function shorten(text)
  local time, host, name, process, rest = text:match "^1 (%S+) (%S+) (%S+) (%S+) %S+ (.*)$"
  if not time then return text end
  local masked = rest:gsub("\\.", "xx"):gsub('"[^"]*"', function(value) return ("x"):rep(#value) end)
  local stop = rest:find "^-" and 1 or 0
  while masked:sub(stop + 1, stop + 1) == "[" do stop = masked:find("]", stop + 1, true) or #masked end
  return ("%s %s %s[%s]: %s"):format(time, host, name, process, (rest:sub(stop + 2):gsub("^\239\187\191", "")))
end

--- "<20>Nov 20 12:00:00 root: hello" -> "mail.warning", "Nov 20 12:00:00 root: hello" (RFC 3164). The number is eight
-- times the facility, plus the severity.
local function parse(msg)
  local number, text = msg:match "^<(%d%d?%d?)>(.*)$"
  number = tonumber(number)
  if not number or number > 191 then return "unknown", msg end
  local facility = math.floor(number / 8)
  return (facilities[facility] or ("local%d"):format(facility - 16)) .. "." .. severities[number % 8], shorten(text)
end

--- Anybody may send anything: control characters are shown as numbers, so that they do nothing to a terminal.
local function on_message(msg, rinfo)
  local priority, text = parse((msg:gsub("%c+$", "")))
  local sender = rinfo.port and rinfo.address .. " port " .. rinfo.port or rinfo.address
  collected = collected + 1
  -- logger, like most programs, has no path of its own: there is nobody to answer.
  local line = ("%s%s: %s"):format(priority, sender ~= "" and " from " .. sender or "", text)
  print((line:gsub("%c", function(char) return ("\\%03d"):format(char:byte()) end)))
end

local function on_error(err)
  if err.syscall ~= "bind" or not advice[err.code] then return program.on_error(err) end
  program.fail(tostring(err) .. "; " .. advice[err.code])
end

local path, mode, at = program.words("[PATH] [MODE] [[ADDRESS:]PORT]", 0, 3)
path, at = path or "/tmp/dgram-syslog.sock", at or "5514"
local permissions = tonumber((mode or "666"):match "^[0-7]+$" or "none", 8)
if not permissions or permissions > 511 then program.fail("MODE is octal digits up to 777, not '" .. mode .. "'") end
if at:find "^%d+$" then at = "127.0.0.1:" .. at end
local address, port = program.host_and_port(at, 5514)

-- reuseAddr removes the file that a collector left which was killed, but no living one's.
local near = dgram.createSocket({ type = "unix_dgram", reuseAddr = true }, on_message)
local far = dgram.createSocket(program.kind_of(address), on_message)
near:on("error", on_error)
far:on("error", on_error)
-- Without the mode the file has what the umask leaves: usually 755, and who may not write to it may not send to it. So
-- other users' messages would not come, and logger would not even say so.
far:bind(port, address, function()
  near:bind({ path = path, mode = permissions }, function()
    print(("collecting at %s, mode %o"):format(path, permissions))
    program.say_listening(far)
  end)
end)

program.on_interrupt(function()
  far:close()
  near:close() -- which removes the file, too
  print("closed after " .. program.counted(collected, "message"))
end)
dgram.run()
