-- dgram in a program's own loop over lua-posix' poll: it answers datagrams, and reads lines of the standard input beside.
--
--   sh scripts/with.sh lua5.3 lua5.3 examples/hosts/poll.lua [PORT]
--
-- Prints its port, and each line and each datagram that comes. Ends when the input does.
local poll = require "posix.poll".poll
local unistd = require "posix.unistd"
local dgram = require "dgram"

io.stdout:setvbuf "line"
local server = dgram.createSocket "udp4"
server:on("message", function(msg, rinfo)
  print("datagram: " .. msg)
  server:reply("you said " .. msg, rinfo)
end)
server:bind(tonumber(arg[1] or 0), "127.0.0.1")
print("port " .. server:address().port)

local input = unistd.STDIN_FILENO
local fds = { [input] = { events = { IN = true } }, [dgram.pollfd()] = { events = { IN = true } } }
local text, ended = "", false

while not ended do
  local timeout = dgram.timeout()
  poll(fds, timeout and math.ceil(timeout * 1000) or -1)
  local found = fds[input].revents
  if found and (found.IN or found.HUP) then
    local data = unistd.read(input, 4096)
    ended = data == nil or data == ""
    text = (text .. (data or "")):gsub("([^\n]*)\n", function(line) print("line: " .. line) return "" end)
  end
  dgram.step() -- whatever poll has found: a turn that finds nothing costs a microsecond or two
end

server:close()
while dgram.step(1000) do end
