-- A time server: tells whoever asks what this machine's clock says (SNTP, RFC 4330). Ctrl-C ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/sntp-server.lua [PORT] [ADDRESS] [STRATUM]
--
-- It listens on PORT (12300; clients expect 123, which needs root) of ADDRESS (127.0.0.1). STRATUM (10) is how far the clock is
-- from a good one: 1 for one that has a receiver of its own, 15 for the worst. Ask it with examples/sntp-client.lua
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local answered = 0

local function four_bytes(number)
  local bytes = {}
  for i = 4, 1, -1 do
    bytes[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(bytes)
end

--- Now: seconds since 1900, modulo 2^32, and a fraction, four bytes each.
local function timestamp()
  local seconds, microseconds = uv.gettimeofday()
  return four_bytes((seconds + 2208988800) % 2 ^ 32) .. four_bytes(math.floor(microseconds / 1e6 * 2 ^ 32))
end

local port, address, stratum = program.words("[PORT] [ADDRESS] [STRATUM]", 0, 3)
port = program.port(port, 12300)
address = program.address(address, "127.0.0.1")
stratum = program.number(stratum, 10, 1, 15, "STRATUM")

local server = dgram.createSocket(program.kind_of(address))
server:on("message", function(msg, rinfo)
  local received = timestamp()
  if #msg < 48 then return end
  local version, mode = math.floor(msg:byte(1) / 8) % 8, msg:byte(1) % 8
  if mode ~= 3 or version < 1 or version > 4 then return end -- 3: a client
  -- Mode 4, the stratum, the client's interval, a precision of 2^-20 s; no delay, 1 ms of dispersion; who we are, when the
  -- clock was set, and the times: the client's own, of the question, of the answer. As long as a question: nobody who forges
  -- the sender's address makes more traffic with this than he has himself.
  local answer = string.char(version * 8 + 4, stratum, msg:byte(3), 236) .. "\0\0\0\0" .. "\0\0\0\66" .. "LOCL"
    .. received .. msg:sub(41, 48) .. received .. timestamp()
  server:reply(answer, rinfo, function(err)
    if err then return program.complain(err) end
    answered = answered + 1
    print(("%s port %d was told the time"):format(rinfo.address, rinfo.port))
  end)
end)
server:on("error", program.on_error)
server:bind(port, address, function() program.say_listening(server) end)

program.on_interrupt(function()
  server:close()
  print("closed after " .. program.counted(answered, "answer"))
end)
dgram.run()
