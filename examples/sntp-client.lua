-- Asks a time server what time it is, and how wrong this machine's clock is (SNTP, RFC 4330). Changes no clock.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/sntp-client.lua HOST[:PORT]
--
-- For instance pool.ntp.org, or 127.0.0.1:12300 where examples/sntp-server.lua runs. PORT is 123 if not given. Ends with the
-- first answer that is right; the exit status is 1 where none comes. A name is looked up for IPv4.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local tries, first_wait = 4, 500 -- how often the server is asked, and ms to wait for an answer; twice as long after each try

--- Seconds since 1970, with fractions.
local function now()
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end

--- Eight bytes at a place, seconds since 1900 and a fraction -> seconds since 1970. Where the first bit is not set the
-- count has begun anew, in 2036.
local function time_at(msg, at)
  local seconds, fraction = 0, 0
  for i = at, at + 3 do seconds, fraction = seconds * 256 + msg:byte(i), fraction * 256 + msg:byte(i + 4) end
  if seconds < 2 ^ 31 then seconds = seconds + 2 ^ 32 end
  return seconds - 2208988800 + fraction / 2 ^ 32
end

--- Prints what an answer says. `asked` is when the question went, `back` when the answer came.
local function show(msg, rinfo, asked, back)
  local stratum, received, sent = msg:byte(2), time_at(msg, 33), time_at(msg, 41)
  if stratum == 0 then program.fail("the server refuses: " .. msg:sub(13, 16):gsub("%W", "")) end
  if stratum > 15 or msg:byte(1) >= 192 then program.fail "the server's clock is not set" end
  local slow, delay = ((received - asked) + (sent - back)) / 2, (back - asked) - (sent - received)
  local seconds = math.floor(sent)
  print(("%s.%03d UTC from %s port %d, stratum %d"):format(os.date("!%Y-%m-%d %H:%M:%S", seconds),
    math.floor((sent - seconds) * 1000), rinfo.address, rinfo.port, stratum))
  print(("this machine's clock is %.6f s %s, give or take %.6f s"):format(math.abs(slow), slow < 0 and "fast" or "slow",
    math.max(delay, 0) / 2))
end

--- Asks until there is an answer. To be called in a coroutine, which waits.
local function ask(client)
  for try = 1, tries do
    -- The answer repeats these eight bytes, where a time may stand: so only who sees the question can make one up.
    local mark, asked = uv.random(8), now()
    local msg, rinfo
    client:send("\35" .. ("\0"):rep(39) .. mark)
    repeat
      msg, rinfo = client:receive(first_wait * 2 ^ (try - 1))
      if msg and #msg >= 48 and msg:byte(1) % 8 == 4 and msg:sub(25, 32) == mark then
        return show(msg, rinfo, asked, now())
      end
    until not msg
    if rinfo ~= "timeout" then program.fail(rinfo) end -- nobody is at that port, for instance
  end
  program.fail "there is no answer"
end

local host, port = program.host_and_port(program.words("HOST[:PORT]", 1, 1), 123)
local client = dgram.createSocket(program.kind_of(host))
-- What others than the server send does not come. The name is looked up while the loop goes on, which ends with the program.
client:connect(port, host, function(err)
  if err then program.fail(err) end
  coroutine.wrap(function()
    ask(client)
    client:close()
  end)()
end)
program.on_interrupt(function() os.exit(0) end)
dgram.run()
