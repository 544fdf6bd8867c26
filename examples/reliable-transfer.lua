-- Sends a file over UDP so that it arrives whole, whatever the network loses, doubles or reorders. Ctrl-C breaks it off.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/reliable-transfer.lua receive FILE [PORT] [ADDRESS]
--   sh scripts/with.sh lua5.4 lua5.4 examples/reliable-transfer.lua send FILE HOST:PORT
--
-- Start the receiver first: it listens on PORT (41236) of ADDRESS (127.0.0.1) and takes the first file that comes, from anybody.
-- Try it through examples/lossy-proxy.lua. It keeps nothing secret, and does not slow down where a network is full (RFC 8085):
-- for the Internet there are TCP and QUIC.
--
-- The messages, each with the 8 random bytes of the transfer behind its first byte, and numbers of 4 bytes:
--   D number block    a block of the file; the first has the number 0
--   E number sum      the end, numbered like a block, with the checksum of all blocks
--   A number next     the receiver has this one, and all before `next`
--   F                 the receiver cannot take the file
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local block_size, window = 1200, 32            -- bytes of a block; how many may be on their way
local shortest, first_wait, longest = 50, 500, 1000 -- ms until a packet is sent again
local patience, linger = 20000, 5000           -- ms of silence: until the other counts as gone; after the end

local function ignore() end -- what cannot be sent now is sent again

local function four_bytes(number)
  local function byte(unit) return math.floor(number / unit) % 256 end
  return string.char(byte(2 ^ 24), byte(2 ^ 16), byte(2 ^ 8), byte(1))
end

local function number_at(msg, at)
  local a, b, c, d = msg:byte(at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

--- Adler-32 (RFC 1950) of what add() is given: it needs no operators on bits, which not every Lua has.
local function new_sum()
  local sum = { a = 1, b = 0 }
  function sum.add(block)
    for i = 1, #block do
      sum.a = (sum.a + block:byte(i)) % 65521
      sum.b = (sum.b + sum.a) % 65521
    end
  end
  function sum.value() return sum.b * 65536 + sum.a end
  return sum
end

local function report(what, path, bytes, sum, more)
  print(("%s %s: %s, checksum %s%s"):format(what, path, program.counted(bytes, "byte"),
    (four_bytes(sum.value()):gsub(".", function(char) return ("%02x"):format(char:byte()) end)), more or ""))
end

local function send_file(path, host, port)
  local file = uv.fs_open(path, "r", 0) or program.fail(path .. ": there is no such file, or it cannot be read")
  local socket, timer = dgram.createSocket(program.kind_of(host)), uv.new_timer()
  local id, sum, bytes, again = uv.random(8), new_sum(), 0, 0
  local on_way = {}               -- number -> { packet, sent = when, tries }: not acknowledged
  local oldest, next_number, last = 0, 0, nil
  local wait, mean, deviation = first_wait, nil, nil
  local heard

  local function transmit(entry)
    if entry.tries > 0 then again = again + 1 end
    entry.sent, entry.tries = uv.now(), entry.tries + 1
    socket:send(entry.packet, ignore)
  end

  --- Sends new packets as far as the window goes, which begins at the oldest one that is not acknowledged.
  local function fill()
    while not last and next_number < oldest + window do
      local block, reason = uv.fs_read(file, block_size, bytes)
      if not block then program.fail(path .. ": " .. reason) end
      sum.add(block)
      bytes = bytes + #block
      local head, entry = id .. four_bytes(next_number), { tries = 0 }
      if block == "" then last = next_number end
      entry.packet = last and "E" .. head .. four_bytes(sum.value()) or "D" .. head .. block
      on_way[next_number] = entry
      transmit(entry)
      next_number = next_number + 1
    end
  end

  --- Sends what was not acknowledged in time, and waits twice as long for it from then on.
  local function send_again()
    if uv.now() - heard > patience then program.fail "the receiver does not answer" end
    for _, entry in pairs(on_way) do
      if uv.now() - entry.sent >= math.min(wait * 2 ^ (entry.tries - 1), longest) then transmit(entry) end
    end
  end

  --- How long to wait for an acknowledgement (RFC 6298). Of a packet that went twice nobody knows which one is acknowledged.
  local function learn(trip)
    deviation = mean and deviation * 3 / 4 + math.abs(mean - trip) / 4 or trip / 2
    mean = mean and mean * 7 / 8 + trip / 8 or trip
    wait = math.max(shortest, mean + 4 * deviation)
  end

  local function on_answer(msg)
    if msg:sub(2, 9) ~= id then return end
    if msg:sub(1, 1) == "F" then program.fail "the receiver cannot take the file" end
    if msg:sub(1, 1) ~= "A" or #msg ~= 17 then return end
    local number, all_before = number_at(msg, 10), number_at(msg, 14)
    local entry = on_way[number]
    heard = uv.now()
    if entry and entry.tries == 1 then learn(heard - entry.sent) end
    on_way[number] = nil
    while oldest < math.min(all_before, next_number) do
      on_way[oldest], oldest = nil, oldest + 1
    end
    if not last or oldest <= last then return fill() end
    timer:close()
    socket:close()
    uv.fs_close(file)
    report("sent", path, bytes, sum, (" (%s, sent again: %d)"):format(program.counted(next_number, "packet"), again))
  end

  socket:on("message", on_answer)
  socket:on("error", program.fail) -- nobody is at that port
  socket:connect(port, host, function(err) -- what others send does not come
    if err then program.fail(err) end
    heard = uv.now()
    fill()
    timer:start(10, 10, send_again)
  end)
end

local function receive_file(path, port, address)
  local part = path .. ".part"
  local file, trouble = uv.fs_open(part, "w", 420) -- 0644
  if not file then program.fail(trouble) end
  local socket, timer = nil, uv.new_timer()
  local id, sum, bytes, done = nil, new_sum(), 0, false
  local expected, early = 0, {} -- the first number that has not come; packets behind it

  local function fail(reason)
    uv.fs_unlink(part)
    program.fail(reason)
  end

  --- Takes the next packet in order; returns nil and the reason where that is not possible.
  local function take(packet)
    if packet:sub(1, 1) == "D" then
      local block = packet:sub(14)
      sum.add(block)
      local written, reason = uv.fs_write(file, block, bytes)
      bytes = bytes + #block
      return written == #block or nil, reason or "the disk is full"
    end
    if number_at(packet, 14) ~= sum.value() then return nil, "the checksum is wrong" end
    uv.fs_close(file)
    local kept, reason = uv.fs_rename(part, path)
    if not kept then return nil, reason end
    done = true
    report("received", path, bytes, sum)
    return true
  end

  local function on_packet(msg, rinfo)
    local kind, length = msg:sub(1, 1), #msg
    if not (kind == "D" and length > 13 and length <= 13 + block_size or kind == "E" and length == 17) then return end
    id = id or msg:sub(2, 9)
    local number = number_at(msg, 10)
    if msg:sub(2, 9) ~= id or number >= expected + window then return end
    if number >= expected and not done then early[number] = early[number] or msg end
    while early[expected] do
      local taken, reason = take(early[expected])
      if not taken then
        return socket:reply("F" .. id, rinfo, function() fail(reason) end)
      end
      early[expected], expected = nil, expected + 1
    end
    socket:reply("A" .. id .. four_bytes(number) .. four_bytes(expected), rinfo, ignore)
    -- After the end it stays for a while: the last acknowledgement may be lost, and the sender asks again.
    timer:start(done and linger or patience, 0, function()
      if not done then fail "the sender has gone" end
      timer:close()
      socket:close()
    end)
  end

  socket = dgram.createSocket(program.kind_of(address), on_packet)
  socket:on("error", function(err)
    if err.syscall == "bind" or err.syscall == "getaddrinfo" then fail(err) end
    program.complain(err)
  end)
  socket:bind(port, address, function() program.say_listening(socket) end)
  return function()
    if done then os.exit(0) end
    uv.fs_unlink(part)
  end
end

local give_up
local what, path, place, address = program.words("send FILE HOST:PORT | receive FILE [PORT] [ADDRESS]", 2, 4)
if what == "send" and place and not address then
  send_file(path, program.host_and_port(place))
elseif what == "receive" then
  give_up = receive_file(path, program.port(place, 41236), program.address(address, "127.0.0.1"))
else
  program.fail "what to do is 'send FILE HOST:PORT' or 'receive FILE [PORT] [ADDRESS]'"
end
program.on_interrupt(function()
  if give_up then give_up() end
  program.fail "broken off"
end)
dgram.run()
