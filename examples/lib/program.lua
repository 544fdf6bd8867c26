-- What the example programs have in common, and what is not about datagrams: command lines, complaints, Ctrl-C.
local dgram = require "dgram"
local uv = require "luv"

local program = { name = arg[0]:match "([^/]+)%.lua$" or arg[0] }

--- Writes a line about what went wrong, to the standard error stream. `reason` may be an error object.
function program.complain(reason)
  io.stderr:write(program.name, ": ", (tostring(reason):gsub("%c", " ")), "\n")
end

--- The same, and ends the program with exit status 1.
function program.fail(reason)
  io.stdout:flush()
  program.complain(reason)
  os.exit(1)
end

--- Reads the words of the command line. `--help` prints the usage; an option that is not there, more than `most` words, fewer
-- than `least`, and empty ones end the program. With `free` more may follow, whatever they are.
function program.words(usage, least, most, free)
  local line = "usage: " .. program.name .. ".lua " .. usage
  for i, word in ipairs(arg) do
    if i > most and free then
      break
    elseif word == "--help" or word == "-h" then
      print(line)
      os.exit(0)
    elseif word:find "^%-" then
      program.fail(("there is no option %s; %s"):format(word, line))
    elseif word == "" then
      program.fail(("argument %d is empty; %s"):format(i, line))
    end
  end
  if #arg < least or #arg > most and not free then program.fail(line) end
  return (table.unpack or rawget(_G, "unpack"))(arg, 1, most)
end

--- Reads a whole number, which is `default` where there is no text; ends the program where it is none from `least` to `most`.
function program.number(text, default, least, most, what)
  if not text then return default end
  local number = text:find "^%d+$" and tonumber(text)
  if number and number >= least and number <= most then return number end
  program.fail(("%s is a number from %d to %d, not '%s'"):format(what, least, most, text))
end

--- Reads the port of a server, 0 being any free one.
function program.port(text, default)
  return program.number(text, default, 0, 65535, "a port")
end

--- Reads "host", "host:port", "[IPv6 address]", "[IPv6 address]:port" or "IPv6 address"; ends the program where it is none,
-- or has no port and there is no default.
function program.host_and_port(text, default)
  local host, port = text:match "^%[([%x:.%%%w_-]+)%](.*)$"
  if not host then host, port = text:match "^([^:%[%]%s]+)(:?[^:]*)$" end
  if not host and text:match "^[%x:.]+[%%%w_.-]*$" then host, port = text, "" end
  if not host or port ~= "" and not port:find "^:" then program.fail(("'%s' is no host"):format(text)) end
  port = program.number(port ~= "" and port:sub(2) or nil, default, 1, 65535, "a port")
  return host, port or program.fail(("'%s' has no port"):format(text))
end

--- An address, which may stand in brackets.
function program.address(text, default)
  return text and (text:match "^%[(.+)%]$" or text) or default
end

--- The type of socket that an address or a name needs.
function program.kind_of(host)
  return host:find(":", 1, true) and "udp6" or "udp4"
end

--- 1, "byte" -> "1 byte"; 2, "byte" -> "2 bytes"
function program.counted(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

--- For a server's `error` event: a socket that could not be bound is of no use, what else fails concerns one datagram.
function program.on_error(err)
  if err.syscall == "bind" or err.syscall == "getaddrinfo" then program.fail(err) end
  program.complain(err)
end

--- Prints where a socket listens.
function program.say_listening(socket)
  local at = socket:address()
  print(("listening on %s port %d (Ctrl-C to end)"):format(at.address, at.port))
end

--- Reads the same for a peer that has to be an address, no name. Returns it, its port, and the type of socket for it.
function program.address_and_port(text, default)
  local host, port = program.host_and_port(text, default)
  local probe = dgram.createSocket(program.kind_of(host))
  local usable = pcall(probe.connectSync, probe, port, host)
  probe:close()
  if not usable then program.fail(("'%s' is no address that can be sent to"):format(text)) end
  return host, port, program.kind_of(host)
end

--- Calls stop() on Ctrl-C, or when the program is asked to end (SIGTERM); a second Ctrl-C ends it at once. The signals alone
-- do not keep the loop alive. Returns a function that takes all of this back.
function program.on_interrupt(stop)
  local signals = { sigint = uv.new_signal(), sigterm = uv.new_signal() }
  local function forget()
    for _, signal in pairs(signals) do signal:close() end
  end
  for name, signal in pairs(signals) do
    signal:unref()
    signal:start(name, function()
      forget()
      stop()
    end)
  end
  return forget
end

io.stdout:setvbuf "line"
return program
