-- Asks a name server for the IPv4 addresses of names, all at once, each in a coroutine of its own that reads from top to bottom:
-- send, wait with a time-out, try again.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/dns-client.lua SERVER[:PORT] NAME...
--
-- For instance 9.9.9.9 example.org lua.org; PORT is 53 if not given. Ends when all are answered or given up; the exit status is
-- 1 if one was not answered.
local dgram = require "dgram"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local tries, first_wait = 3, 400 -- milliseconds; each further wait is twice as long
local type_a, class_in = "\0\1", "\0\1" -- an IPv4 address, of the internet

local function number(bytes, at) return bytes:byte(at) * 256 + bytes:byte(at + 1) end

--- A question for the addresses of a name, which begins with two bytes that mark it.
local function question(id, name)
  local labels = name:gsub("%.?([^.]+)", function(label) return string.char(#label) .. label end)
  return id .. "\1\0" .. "\0\1\0\0\0\0\0\0" .. labels .. "\0" .. type_a .. class_in
end

--- The place behind a name, which may end in a pointer to another place.
local function skip_name(message, at)
  while message:byte(at) ~= 0 do
    if message:byte(at) >= 192 then return at + 2 end
    at = at + 1 + message:byte(at)
  end
  return at + 1
end

--- The addresses in an answer, as a list of texts; or nil and the server's error code.
local function addresses(message)
  local code = message:byte(4) % 16
  if code ~= 0 then return nil, "error code " .. code end
  local list, at = {}, 13
  for _ = 1, number(message, 5) do at = skip_name(message, at) + 4 end
  for _ = 1, number(message, 7) do
    at = skip_name(message, at)
    local length = number(message, at + 8)
    local is_address = message:sub(at, at + 1) == type_a
    if is_address then list[#list + 1] = table.concat({ message:byte(at + 10, at + 13) }, ".") end
    at = at + 10 + length
  end
  return list
end

--- The addresses of a name, or nil and why not. To be called in a coroutine. A socket for each question has a port of its own,
-- which nobody can guess, and being connected it hears at once where no server is there.
local function resolve(name, server, port, kind)
  local id = string.char(math.random(0, 255), math.random(0, 255))
  local query, socket = question(id, name), dgram.createSocket(kind)
  local answer, why
  socket:connectSync(port, server)
  for try = 1, tries do
    socket:send(query)
    repeat answer, why = socket:receive(first_wait * 2 ^ (try - 1)) -- what is no answer to this question is passed over
    until not answer or (#answer >= #query and answer:sub(1, 2) == id and answer:sub(13, #query) == query:sub(13))
    if answer or why ~= "timeout" then break end
  end
  socket:close()
  if not answer then return nil, tostring(why) end
  local done, list, code = pcall(addresses, answer)
  if not done then return nil, "an answer that is cut short" end
  return list, code
end

local words = { program.words("SERVER[:PORT] NAME...", 2, 100) }
local server, port, kind = program.address_and_port(words[1], 53)
for i = 2, #words do
  words[i] = words[i]:gsub("%.$", "")
  for label in (words[i] .. "."):gmatch "([^.]*)%." do
    if label == "" or #label > 63 or #words[i] > 253 then program.fail(words[i] .. " is no name") end
  end
end
math.randomseed(os.time() + (tonumber(tostring({}):match "0x(%x+)", 16) or 0) % 2 ^ 24)

local failed = false
for i = 2, #words do
  coroutine.wrap(function()
    local list, why = resolve(words[i], server, port, kind)
    failed = failed or not list
    print(words[i], list and table.concat(list, " ") or why)
  end)()
end
program.on_interrupt(function() os.exit(0) end)
dgram.run()
os.exit(failed and 1 or 0)
