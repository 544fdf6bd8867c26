-- Sends lines to an echo server, one after the other, and prints the replies. Where none comes it tries again, and in
-- the end gives up: datagrams may be lost, and nobody tells the sender.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/echo-client.lua [HOST:]PORT [LINE...]
--
-- HOST (an address or a name) is 127.0.0.1 if not given. Without a LINE the lines come from the standard input. First
-- start examples/echo-server.lua in another terminal; its port is 41234. Ends after the last reply, or on Ctrl-C.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local tries = 4            -- how often a line is sent at most
local first_wait = 250     -- ms to wait for a reply; twice as long after each try
local waiting, ended = {}, false
local running = true
local handles = {}
local host, port, client, timer, line, tried, sent_at

--- Closes everything; with nothing left to do, dgram.run returns.
local function stop()
  running = false
  for _, handle in ipairs(handles) do handle:close() end
  client:close()
end

local function try()
  if tried == tries then
    program.fail(("no reply from %s port %d after %d tries: is the server running?"):format(host, port, tries))
  end
  if tried > 0 then program.complain(("no reply yet: try %d of %d"):format(tried + 1, tries)) end
  timer:start(first_wait * 2 ^ tried, 0, try)
  tried = tried + 1
  sent_at = uv.hrtime()
  client:send(line, port, host, function(err)
    if err then program.fail(err) end
  end)
end

--- Goes on with the next line, unless one is under way.
local function next_line()
  if line or not running then return end
  line, tried = table.remove(waiting, 1), 0
  if line then
    try()
  elseif ended then
    stop()
  end
end

--- Datagrams come from anybody: only the echo of this line, from the server's port, is a reply.
local function on_message(msg, rinfo)
  if msg ~= line or rinfo.port ~= port then return end
  timer:stop()
  print(("%s   (%s from %s port %d after %.2f ms)"):format(
    msg, program.counted(rinfo.size, "byte"), rinfo.address, rinfo.port, (uv.hrtime() - sent_at) / 1e6))
  line = nil
  next_line()
end

--- Takes lines from a terminal or a pipe while the loop runs.
local function read_stream(stream)
  local rest = ""
  handles[#handles + 1] = stream
  stream:read_start(function(err, chunk)
    if err then program.fail(err) end
    rest = rest .. (chunk or "")
    local newline = rest:find("\n", 1, true)
    while newline do
      waiting[#waiting + 1] = rest:sub(1, newline - 1)
      rest = rest:sub(newline + 1)
      newline = rest:find("\n", 1, true)
    end
    if not chunk then
      ended = true
      if rest ~= "" then waiting[#waiting + 1] = rest end
    end
    next_line()
  end)
end

local function read_input()
  local kind = uv.guess_handle(0)
  if kind == "tty" then
    read_stream(uv.new_tty(0, true))
  elseif kind == "pipe" then
    local pipe = uv.new_pipe(false)
    pipe:open(0)
    read_stream(pipe)
  else
    for text in io.lines() do waiting[#waiting + 1] = text end
    ended = true
  end
end

local server = program.words("[HOST:]PORT [LINE...]", 1, 1, true)
if server:find "^%d+$" then server = "127.0.0.1:" .. server end
host, port = program.host_and_port(server)

client = dgram.createSocket(program.kind_of(host), on_message)
client:on("error", program.fail)
timer = uv.new_timer()
handles = { timer }
if arg[2] then
  waiting, ended = { (table.unpack or unpack)(arg, 2) }, true
else
  read_input()
end
program.on_interrupt(stop)
next_line()
dgram.run()
