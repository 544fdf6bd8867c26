-- An echo server: sends every datagram back to where it came from, and prints a line about it. Ctrl-C ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/echo-server.lua [PORT] [ADDRESS]
--
-- PORT is 41234 if not given. ADDRESS is 127.0.0.1, which only this machine reaches: "0.0.0.0" takes datagrams from
-- everywhere over IPv4, "::" over IPv6 and IPv4. Talk to it with examples/echo-client.lua, or nc -u 127.0.0.1 41234
local dgram = require "dgram"
local uv = require "luv"

local usage = "usage: echo-server.lua [PORT] [ADDRESS], PORT being a number from 0 to 65535"
local port = tonumber(arg[1] or 41234)
local address = (arg[2] or "127.0.0.1"):match "^%[?(.-)%]?$" -- "[::1]" is ::1
local status = 0
local echoed = 0
local signals = {}
local server

-- What to do about the failures that a user can mend.
local advice = {
  EADDRINUSE = "another program has this port: end it, or give another port as the first argument",
  EACCES = "ports below 1024 are for root: give a higher one as the first argument",
  EADDRNOTAVAIL = "this machine does not have that address: give one of its own as the second argument",
  ENOTFOUND = "there is no such host: give an address of this machine as the second argument",
}

local function complain(err)
  io.stderr:write("echo-server: ", tostring(err), "\n")
end

--- Closes everything; with nothing left to do, dgram.run returns.
local function stop()
  for _, signal in ipairs(signals) do signal:close() end
  signals = {}
  server:close(function()
    if status == 0 then print(("closed after %d datagrams"):format(echoed)) end
  end)
end

--- Answers with reply: whatever a datagram says of its sender, that raises no error here, and the callback hears of it.
local function on_message(msg, rinfo)
  echoed = echoed + 1
  print(("%d bytes from %s port %d"):format(rinfo.size, rinfo.address, rinfo.port))
  server:reply(msg, rinfo, function(err)
    if err then complain(err) end
  end)
end

--- A socket that could not be bound is of no use here; whatever else fails concerns one datagram.
local function on_error(err)
  complain(err)
  if err.syscall == "bind" or err.syscall == "getaddrinfo" then
    if advice[err.code] then io.stderr:write("echo-server: ", advice[err.code], "\n") end
    status = 1
    stop()
  end
end

if arg[1] == "--help" then
  print(usage)
  os.exit(0)
elseif not port or port < 0 or port > 65535 or port % 1 ~= 0 or address == "" then
  io.stderr:write(usage, "\n")
  os.exit(2)
end

io.stdout:setvbuf "line"
server = dgram.createSocket(address:find(":", 1, true) and "udp6" or "udp4", on_message)
server:on("error", on_error)
server:bind(port, address, function()
  local at = server:address()
  print(("listening on %s port %d (Ctrl-C to end)"):format(at.address, at.port))
end)
for i, name in ipairs { "sigint", "sigterm" } do
  signals[i] = uv.new_signal()
  signals[i]:start(name, stop)
end

dgram.run()
os.exit(status)
