-- A UDP proxy that does what bad networks do: it loses, doubles, reorders and delays datagrams, in both directions. Ctrl-C
-- ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/lossy-proxy.lua TARGET:PORT [PORT] [ADDRESS] [NAME=NUMBER...]
--
-- It listens on PORT (any free one if not given) of ADDRESS (127.0.0.1), and sends to TARGET, an address, what its clients send.
-- The names: loss, duplicate, reorder (percent of the datagrams), delay (ms), idle (seconds until a silent client is forgotten),
-- seed. With the same seed the fifth datagram of the second client, say, always has the same fate. For instance:
-- examples/lossy-proxy.lua 127.0.0.1:41234 41235 loss=20 delay=50
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local settings = { loss = 0, duplicate = 0, reorder = 0, delay = 0, idle = 60, seed = 1 }
local most = { loss = 100, duplicate = 100, reorder = 100, delay = 60000, idle = 86400, seed = 999999 }
local most_sessions, most_delayed = 200, 5000
local longest_hold = 100                     -- ms until a datagram that is to be overtaken goes though none has come
local sessions, session_count, numbered = {}, 0, 0 -- "address port" of a client -> { socket, timer, up, down }
local delayed, delayed_count = {}, 0         -- timers
local counts = { came = 0, lost = 0, doubled = 0, overtaken = 0 }
local upstream = {}                          -- { address, port, kind }
local server

local function ignore() end -- what cannot be sent is lost, as on any network

--- Calls go() in so many ms. Where too many datagrams wait already it is lost, as in a router whose queue is full.
local function later(ms, go)
  if delayed_count == most_delayed then
    counts.lost = counts.lost + 1
    return
  end
  local timer = uv.new_timer()
  delayed[timer], delayed_count = true, delayed_count + 1
  timer:start(ms, 0, function()
    timer:close()
    delayed[timer], delayed_count = nil, delayed_count - 1
    go()
  end)
end

--- One direction of one session: a function that takes a datagram, and hands it to deliver() never, once or twice, now or later.
local function direction(number, deliver)
  local state = (settings.seed * 1000 + number) * 69621 % 2147483646 + 1
  local held -- { msg, copies }: to be overtaken by the next one

  local function chance(percent) -- by the generator of Park and Miller, which is the same in every Lua
    state = state * 16807 % 2147483647
    return state / 2147483647 * 100 < percent
  end

  local function forward(msg, copies)
    for _ = 1, copies do
      if settings.delay == 0 then deliver(msg) else later(settings.delay, function() deliver(msg) end) end
    end
  end

  local function release()
    local one = held
    held = nil
    if one then forward(one.msg, one.copies) end
  end

  return function(msg)
    -- All chances are taken for each datagram: so what happens to one changes nothing for those behind it.
    local lose, double, hold = chance(settings.loss), chance(settings.duplicate), chance(settings.reorder)
    counts.came = counts.came + 1
    if lose then
      counts.lost = counts.lost + 1
      return
    end
    if double then counts.doubled = counts.doubled + 1 end
    if hold and not held then
      local mine = { msg = msg, copies = double and 2 or 1 }
      held, counts.overtaken = mine, counts.overtaken + 1
      later(longest_hold, function()
        if held == mine then release() end
      end)
    else
      forward(msg, double and 2 or 1)
      release()
    end
  end
end

local function end_session(key)
  local session = sessions[key]
  sessions[key], session_count = nil, session_count - 1
  if session.timer then session.timer:close() end
  session.socket:close()
end

--- The session of a client, which has a socket of its own: by its port the answers find their way. Or nil: there are too many.
local function session_of(rinfo)
  local key = rinfo.address .. " " .. rinfo.port
  if sessions[key] then return sessions[key] end
  local session = {}
  local made = session_count < most_sessions and pcall(function() -- there may be no descriptor left, or no route
    session.socket = dgram.createSocket(upstream.kind)
    session.socket:connectSync(upstream.port, upstream.address) -- what others send does not come
  end)
  if not made then
    if session.socket then session.socket:close() end
    return nil
  end
  sessions[key], session_count, numbered = session, session_count + 1, numbered + 1
  print("+ " .. key)
  session.timer = uv.new_timer()
  session.up = direction(2 * numbered, function(msg)
    if sessions[key] == session then session.socket:send(msg, ignore) end
  end)
  session.down = direction(2 * numbered + 1, function(msg) server:reply(msg, rinfo, ignore) end)
  function session.stay()
    session.timer:start(settings.idle * 1000, 0, function()
      end_session(key)
      print("- " .. key)
    end)
  end
  session.socket:on("error", ignore) -- nobody is at the target's port
  session.socket:on("message", function(msg)
    session.stay()
    session.down(msg)
  end)
  return session
end

local function on_message(msg, rinfo)
  local session = session_of(rinfo)
  if not session then return end
  session.stay()
  session.up(msg)
end

local function stop()
  for key in pairs(sessions) do end_session(key) end
  for timer in pairs(delayed) do timer:close() end
  server:close()
  print(("closed after %s (lost: %d, doubled: %d, overtaken: %d)"):format(
    program.counted(counts.came, "datagram"), counts.lost, counts.doubled, counts.overtaken))
end

local words = { program.words("TARGET:PORT [PORT] [ADDRESS] [loss=PERCENT] [duplicate=PERCENT] [reorder=PERCENT] " ..
  "[delay=MS] [idle=SECONDS] [seed=NUMBER]", 1, 9) }
local places = {}
for _, word in ipairs(words) do
  local name, value = word:match "^(%l+)=(.*)$"
  if not name then
    places[#places + 1] = word
  elseif not settings[name] then
    program.fail(("there is nothing called '%s'"):format(name))
  else
    settings[name] = program.number(value, nil, name == "idle" and 1 or 0, most[name], name)
  end
end
if #places == 0 or #places > 3 then program.fail "there are one TARGET:PORT, at most one PORT and one ADDRESS" end
upstream.address, upstream.port, upstream.kind = program.address_and_port(places[1])
local address = program.address(places[3], "127.0.0.1")
server = dgram.createSocket(program.kind_of(address), on_message)
server:on("error", program.on_error)
server:bind(program.port(places[2], 0), address, function() program.say_listening(server) end)
program.on_interrupt(stop)
dgram.run()
