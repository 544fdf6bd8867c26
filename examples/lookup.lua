-- Asks time servers, by their names, what time it is (SNTP). The names are looked up while the loop goes on: all are asked
-- at once, nobody waits for a slow one, and one that does not exist is an error in one callback.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/lookup.lua [HOST[:PORT]...]
--
-- For instance pool.ntp.org, or [2001:db8::1]:123; PORT is 123 if not given, and names are looked up for IPv4. Without a
-- HOST it asks a time server of its own on localhost, and a name that does not exist. Ends when all are answered or given up,
-- or on Ctrl-C. The exit status is 1 if none answered.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local patience = 3000            -- ms to wait for an answer, once the question went out
local seconds_1900 = 2208988800  -- from 1900, where the protocol's time begins, to 1970
local asked = {}                 -- the eight bytes that mark a question -> { name, host, port, time, timer }
local waiting, answered, interrupted = 0, 0, false
local started = uv.hrtime()
local clients = {}               -- a socket for each type, "udp4" and "udp6", that is needed
local server, ticker

--- Seconds since 1970, with fractions.
local function now()
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end

local function say(...)
  print(("%8.1f ms  "):format((uv.hrtime() - started) / 1e6) .. string.format(...))
end

local function four_bytes(number)
  local bytes = {}
  for i = 4, 1, -1 do
    bytes[i] = string.char(math.floor(number % 256))
    number = math.floor(number / 256)
  end
  return table.concat(bytes)
end

local function encode_time(time)
  return four_bytes(time + seconds_1900) .. four_bytes(time % 1 * 2 ^ 32)
end

local function decode_time(msg, at)
  local value = 0.0
  for i = at, at + 7 do value = value * 256 + msg:byte(i) end
  return value / 2 ^ 32 - seconds_1900
end

--- Closes everything; with nothing left to do, dgram.run returns.
local function stop()
  for _, question in pairs(asked) do
    if question.timer then question.timer:close() end
  end
  asked, waiting = {}, 0
  ticker:close()
  for _, client in pairs(clients) do client:close() end
  if server then server:close() end
end

--- A question is done, one way or the other.
local function settle(mark, ...)
  local question = asked[mark]
  if not question then return end
  say(...)
  if question.timer then question.timer:close() end
  asked[mark] = nil
  waiting = waiting - 1
  if waiting == 0 then stop() end
end

--- An answer repeats the mark of its question: so nobody else can make one up.
local function on_answer(msg, rinfo)
  local question = asked[msg:sub(25, 32)]
  if #msg < 48 or msg:byte(1) % 8 ~= 4 or not question or not question.time then return end
  if msg:byte(2) == 0 then
    return settle(msg:sub(25, 32), "%s: refuses to answer (%s)", question.name, msg:sub(13, 16))
  end
  local received, sent, back = decode_time(msg, 33), decode_time(msg, 41), now()
  local ahead = ((received - question.time) + (sent - back)) / 2
  answered = answered + 1
  settle(msg:sub(25, 32), "%s: %s says %s, %.3f s %s this machine's clock", question.name, rinfo.address,
    os.date("%Y-%m-%d %H:%M:%S", math.floor(sent)), math.abs(ahead), ahead < 0 and "behind" or "ahead of")
end

local function client_for(host)
  local kind = program.kind_of(host)
  if not clients[kind] then
    clients[kind] = dgram.createSocket(kind, on_answer)
    clients[kind]:on("error", program.fail)
  end
  return clients[kind]
end

local function ask(name)
  local host, port = program.host_and_port(name, 123)
  local mark = four_bytes(math.random(2 ^ 31 - 1)) .. four_bytes(math.random(2 ^ 31 - 1))
  local question = { name = name }
  asked[mark] = question
  waiting = waiting + 1
  client_for(host):send("\27" .. ("\0"):rep(39) .. mark, port, host, function(err)
    if err then return settle(mark, "%s: %s", name, tostring(err)) end
    if not asked[mark] then return end
    say("%s: found, and the question is on its way", name)
    question.time = now()
    question.timer = uv.new_timer()
    question.timer:start(patience, 0, function() settle(mark, "%s: no answer within %d ms", name, patience) end)
  end)
  say("%s: asked", name)
end

--- A time server for this program alone.
local function serve()
  server = dgram.createSocket("udp4", function(msg, rinfo)
    local time = encode_time(now())
    if #msg < 48 or msg:byte(1) % 8 ~= 3 then return end
    local answer = "\28\1\0\236" .. ("\0"):rep(8) .. "LOCL" .. time .. msg:sub(41, 48) .. time .. time
    server:reply(answer, rinfo, function(err)
      if err then say("the time server: %s", tostring(err)) end
    end)
  end)
  server:bind(0, "127.0.0.1")
  return server:address().port
end

local names = { program.words("[HOST[:PORT]...]", 0, 100) }
for _, name in ipairs(names) do program.host_and_port(name, 123) end

math.randomseed(uv.hrtime() % 2 ^ 31)
ticker = uv.new_timer()
ticker:start(500, 500, function() say("(the loop goes on; %d not answered yet)", waiting) end)
program.on_interrupt(function()
  interrupted = true
  stop()
end)
for _, name in ipairs(names[1] and names or { "localhost:" .. serve(), "no-such-host.invalid" }) do ask(name) end

dgram.run()
os.exit((answered > 0 or interrupted) and 0 or 1)
