-- An echo server: sends every datagram back to where it came from, and prints a line about it. Ctrl-C ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/echo-server.lua [PORT] [ADDRESS]
--
-- PORT is 41234 if not given. ADDRESS is 127.0.0.1, which only this machine reaches: "0.0.0.0" takes datagrams from
-- everywhere over IPv4, "::" over IPv6 and IPv4. Talk to it with examples/echo-client.lua, or nc -u 127.0.0.1 41234
local dgram = require "dgram"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local echoed = 0
local server

-- What to do about the failures that a user can mend.
local advice = {
  EADDRINUSE = "another program has this port: end it, or give another port as the first argument",
  EACCES = "ports below 1024 are for root: give a higher one as the first argument",
  EADDRNOTAVAIL = "give an address of this machine as the second argument",
  ENOTFOUND = "there is no such host: give an address of this machine as the second argument",
}

--- Answers with reply: whatever a datagram says of its sender, that raises no error here, and the callback hears of it.
local function on_message(msg, rinfo)
  echoed = echoed + 1
  print(("%s from %s port %d"):format(program.counted(rinfo.size, "byte"), rinfo.address, rinfo.port))
  server:reply(msg, rinfo, function(err)
    if err then program.complain(err) end
  end)
end

--- A socket that could not be bound is of no use here; whatever else fails concerns one datagram.
local function on_error(err)
  if err.syscall ~= "bind" and err.syscall ~= "getaddrinfo" then return program.complain(err) end
  program.fail(tostring(err) .. (advice[err.code] and "; " .. advice[err.code] or ""))
end

local port, address = program.words("[PORT] [ADDRESS]", 0, 2)
port = program.port(port, 41234)
address = program.address(address, "127.0.0.1") -- "[::1]" is ::1

server = dgram.createSocket(program.kind_of(address), on_message)
server:on("error", on_error)
server:bind(port, address, function() program.say_listening(server) end)

--- Closes everything; with nothing left to do, dgram.run returns.
program.on_interrupt(function()
  server:close(function() print("closed after " .. program.counted(echoed, "datagram")) end)
end)
dgram.run()
