-- What dgram is for, in one program: an echo server and a client, real datagrams over 127.0.0.1 and ::1, then a burst.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/demo.lua [COUNT]
--
-- (scripts/demo.sh installs what is missing first.) COUNT is how many datagrams the burst sends, 200000 if not given.
-- Ends by itself. The exit status is 0 when every datagram came back as it was sent, else 1.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local count = program.number(program.words("[COUNT]", 0, 1), 200000, 1, 99999999, "COUNT")
local window = 128         -- so many of the burst are on their way at most: that fits into the smallest usual buffer
local patience = 2000      -- ms: no echo in such a time means that something is lost
local terminal = uv.guess_handle(1) == "tty" and os.getenv "TERM" ~= "dumb"

local function say(...)
  print(string.format(...))
end

local function fail(reason)
  io.stdout:flush()
  io.stderr:write(terminal and "\n" or "", "demo failed: ", tostring(reason), "\n")
  os.exit(1)
end

--- 1234567 -> "1,234,567"
local function grouped(number)
  local text = ("%.0f"):format(number)
  local digits = #text % 3
  return (text:sub(1, digits) .. text:sub(digits + 1):gsub("%d%d%d", ",%0")):gsub("^,", "")
end

--- The callback of answers: one that could not be sent is missed by who waits for it, if anybody does.
local function ignore() end

--- A message as one readable line.
local function shown(msg)
  if #msg > 40 then return ("%q..."):format(msg:sub(1, 16)) end
  return '"' .. msg:gsub('[%c\128-\255\\"]', function(char) return ("\\%03d"):format(char:byte()) end) .. '"'
end

local function shown_rinfo(rinfo)
  return ("{ address = %q, port = %d, family = %q, size = %d }"):format(
    rinfo.address, rinfo.port, rinfo.family, rinfo.size)
end

--- Fails the demo when a number does not change for a while. Returns the timer, to be closed.
local function watch(number, complaint)
  local timer, last = uv.new_timer(), number()
  timer:start(patience, patience, function()
    if number() == last then fail(complaint()) end
    last = number()
  end)
  return timer
end

local messages = {
  "Hello, world!",
  "",                                                       -- an empty datagram is a datagram
  "any bytes: \0 \255",
  { "a list ", "of strings: ", "one datagram" },
  ("0123456789abcdef"):rep(75),
}

--- Sends each message to an echo server and shows what comes back, one after the other.
-- Returns nothing, or the error when this machine does not have the address.
local function converse(kind, address)
  local made, server = pcall(dgram.createSocket, kind)
  if not made then return server end
  local client = dgram.createSocket(kind)
  local unavailable, msg
  local at = 0
  local watchdog = watch(function() return at end, function() return "no echo of " .. shown(msg) end)

  local function finish()
    watchdog:close()
    client:close(function() say("   client  closed") end)
    server:close(function() say("   server  closed") end)
  end

  local function send_next()
    at = at + 1
    local form = messages[at]
    if form == nil then return finish() end
    msg = type(form) == "table" and table.concat(form) or form
    client:send(form, server:address().port, address, function(err, bytes)
      if err then fail(err) end
      say("   client  sent      %s (%s)", shown(msg), program.counted(bytes, "byte"))
    end)
  end

  server:on("error", function(err)
    if err.code ~= "EADDRNOTAVAIL" and err.code ~= "EAFNOSUPPORT" then fail(err) end
    unavailable = err
    watchdog:close()
    client:close()
    server:close()
  end)
  server:on("message", function(received, rinfo)
    say("   server  got       %s from %s", shown(received), shown_rinfo(rinfo))
    server:reply(received, rinfo, ignore)
  end)
  client:on("error", fail)
  client:on("message", function(received, rinfo)
    if rinfo.port ~= server:address().port or rinfo.address ~= address then return end -- somebody else's
    say("   client  got back  %s from %s", shown(received), shown_rinfo(rinfo))
    if received ~= msg or rinfo.size ~= #msg then
      fail("that is not the echo of " .. shown(msg))
    end
    send_next()
  end)
  server:bind(0, address, function()
    say("   server  listens   %s", tostring(server))
    send_next()
  end)
  dgram.run()
  return unavailable
end

--- Draws how far the burst is: on a terminal always in the same line, else in lines of its own.
local function progress(back)
  if terminal then
    local filled = math.floor(40 * back / count)
    io.write("\r   [", ("#"):rep(filled), ("."):rep(40 - filled), "] ", grouped(back), " back")
    if back == count then io.write "\n" end
  else
    io.write("   ", grouped(back), " of ", grouped(count), " are back\n")
  end
  io.flush()
end

--- Sends `count` different datagrams through an echo server, never more than `window` ahead of what came back.
local function burst(address)
  local server, client = dgram.createSocket "udp4", dgram.createSocket "udp4"
  local sent, echoed, back = 0, 0, 0
  local on_their_way = {}  -- a ring of `window` messages, false where one is back
  local filling = (" "):rep(56)
  local step = math.ceil(count / (terminal and 100 or 4))
  local started, seconds, client_port
  local watchdog = watch(function() return back end, function()
    return ("lost: %s of %s datagrams (the server got %s, and %s came back)"):format(
      grouped(sent - back), grouped(sent), grouped(echoed), grouped(back))
  end)

  local function fill_window()
    while sent < count and sent - back < window do
      sent = sent + 1
      local msg = ("%08d"):format(sent) .. filling
      on_their_way[sent % window] = msg
      client:send(msg)
    end
  end

  local function finish()
    seconds = (uv.hrtime() - started) / 1e9
    watchdog:close()
    client:close()
    server:close()
  end

  server:on("error", fail)
  client:on("error", fail)
  server:on("message", function(msg, rinfo)
    if rinfo.port ~= client_port then return end -- somebody else's
    echoed = echoed + 1
    server:reply(msg, rinfo, ignore)
  end)
  client:on("message", function(msg)
    local slot = (tonumber(msg:sub(1, 8)) or 0) % window
    if on_their_way[slot] ~= msg then fail(shown(msg) .. " came back twice, or changed, or late") end
    on_their_way[slot] = false
    back = back + 1
    if back % step == 0 or back == count then progress(back) end
    if back == count then finish() else fill_window() end
  end)
  server:bind(0, address, function()
    client:connectSync(server:address().port, address) -- what others send does not come
    client_port = client:address().port
    started = uv.hrtime()
    fill_window()
  end)
  dgram.run()

  say("   sent %s, echoed %s, back %s: none lost, none twice, none changed",
    grouped(sent), grouped(echoed), grouped(back))
  say("   %.2f s for %s there and %s back: %s datagrams per second", seconds, grouped(echoed), grouped(back),
    grouped((echoed + back) / seconds))
  if sent ~= count or echoed ~= count or back ~= count then fail("the numbers do not add up") end
end

local forget_interrupt = program.on_interrupt(function() fail "interrupted" end)

say("%s, %s, libuv %s", dgram._VERSION, jit and jit.version or _VERSION, uv.version_string())
for i, family in ipairs { { "udp4", "127.0.0.1" }, { "udp6", "::1" } } do
  local kind, address = family[1], family[2]
  say("\n%d. An echo server and a client, %s over %s", i, kind, address)
  local unavailable = converse(kind, address)
  if unavailable and kind == "udp4" then fail(unavailable) end
  if unavailable then say("   SKIPPED: this machine has no %s (%s)", address, tostring(unavailable)) end
end

say("\n3. %s of 64 bytes through the echo server, at most %d on their way at once",
  count == 1 and "1 datagram" or grouped(count) .. " datagrams", window)
burst "127.0.0.1"

forget_interrupt()
dgram.run()
local left = 0
uv.walk(function() left = left + 1 end)
if left ~= 0 then fail(left .. " handles are left in the loop") end
say("\nAll sockets are closed, and nothing is left in the loop.")
