-- Tells the service manager how a service is (sd_notify(3)): one datagram to the Unix socket that $NOTIFY_SOCKET names.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/sd-notify.lua STATE... [watchdog]
--
-- A STATE is NAME=TEXT, for instance READY=1, "STATUS=Waiting for requests", STOPPING=1, MAINPID=42. With `watchdog` the program
-- goes on, as a service would: it says WATCHDOG=1 twice in the time that $WATCHDOG_USEC has, until Ctrl-C, then STOPPING=1.
-- Without systemd try it with: socat -u UNIX-RECV:/tmp/notify - & NOTIFY_SOCKET=/tmp/notify lua5.4 examples/sd-notify.lua READY=1
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local patience = 5000 -- ms: as long as its queue is full, the manager's socket takes nothing, and the datagram waits here
local states = { program.words("STATE... [watchdog], each STATE being NAME=TEXT", 1, 100) }
local watchdog = states[#states] == "watchdog" and table.remove(states) ~= nil
for _, state in ipairs(states) do
  if not state:find "^[%u%d_]+=[^\n]*$" then program.fail("a state is NAME=TEXT, not " .. state) end
end

-- "@name" is an abstract name, which has a NUL byte in the place of the "@" and is no file.
local path = os.getenv "NOTIFY_SOCKET" or ""
if path == "" then program.fail "there is no $NOTIFY_SOCKET: only a service manager sets it" end
if not path:find "^[@/]." or #path > 107 then program.fail("$NOTIFY_SOCKET is no socket's name: " .. path) end
path = path:gsub("^@", "\0")
local usec = tonumber((os.getenv "WATCHDOG_USEC" or ""):match "^%d+$")
if watchdog and not (usec and usec >= 2000) then program.fail "there is no $WATCHDOG_USEC: nobody watches" end

local socket = dgram.createSocket "unix_dgram"
local limit, ticker = uv.new_timer(), uv.new_timer()

local function tell(text, done)
  if not limit:is_active() then limit:start(patience, 0, function() program.fail "the manager takes nothing" end) end
  socket:send(text, path, function(err)
    if err then program.fail(err) end
    limit:stop()
    if done then done() end
  end)
end

local function stop()
  for _, each in ipairs { limit, ticker, socket } do each:close() end
end

socket:on("error", program.fail)
if #states > 0 then tell(table.concat(states, "\n"), not watchdog and stop or nil) end
if watchdog then
  ticker:start(0, math.floor(usec / 2000), function() tell "WATCHDOG=1" end)
end
program.on_interrupt(function()
  if not watchdog then os.exit(0) end
  ticker:stop()
  tell("STOPPING=1", stop)
end)
dgram.run()
