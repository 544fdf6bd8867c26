-- Multicast DNS and DNS-SD, as far as services need them (RFC 1035, RFC 6762, RFC 6763): messages, and sockets for both families.
--
-- A name is a string as in the message, each label behind its length: two are the same if lower() makes them equal. A record has
-- name, kind, ttl and: a target (PTR); a port and a target (SRV); texts (TXT); an address (A, AAAA).
-- Anybody may send anything. Where a message is cut short, byte() finds no number and the sum raises an error: use pcall.
local dgram = require "dgram"

local mdns = { A = 1, PTR = 12, TXT = 16, AAAA = 28, SRV = 33, ANY = 255, port = 5353 }

local function u16(msg, at)
  local high, low = msg:byte(at, at + 1)
  return high * 256 + low
end

local function two_bytes(number)
  return string.char(math.floor(number / 256), number % 256)
end

local function with_length(text)
  return string.char(#text) .. text
end

--- Labels -> a name, or nil: a label has 1 to 63 bytes, a name at most 255.
function mdns.name(...)
  local parts = {}
  for i, label in ipairs { ... } do
    if #label < 1 or #label > 63 then return nil end
    parts[i] = with_length(label)
  end
  local name = table.concat(parts) .. "\0"
  return #name <= 255 and name or nil
end

--- The labels of a name, in which nobody's control characters are left.
function mdns.labels(name)
  local labels, at = {}, 1
  while name:byte(at) > 0 do
    labels[#labels + 1] = name:sub(at + 1, at + name:byte(at)):gsub("%c", "?")
    at = at + 1 + name:byte(at)
  end
  return labels
end

--- The name at a place, and where it ends. It may go on at an earlier place (RFC 1035, 4.1.4).
local function read_name(msg, at)
  local labels, size, stop, length = {}, 1, nil, msg:byte(at)
  while length > 0 do
    if length >= 192 then
      local earlier = u16(msg, at) - 192 * 256 + 1
      assert(earlier < at, "a name that goes on behind itself")
      stop, at = stop or at + 2, earlier
    else
      size = size + 1 + length
      assert(length < 64 and size <= 255, "no name")
      labels[#labels + 1] = msg:sub(at, at + length)
      at = at + 1 + length
    end
    length = msg:byte(at)
  end
  return table.concat(labels) .. "\0", stop or at + 1
end

--- 16 bytes -> an address as RFC 5952 has it: the longest row of zeros is "::".
local function ipv6_text(data)
  local groups = {}
  for i = 1, 8 do groups[i] = ("%x"):format(u16(data, 2 * i - 1)) end
  local text = ":" .. table.concat(groups, ":") .. ":"
  for zeros = 8, 2, -1 do
    local from, to = text:find((":0"):rep(zeros) .. ":", 1, true)
    if from then
      text = text:sub(1, from - 1) .. "::" .. text:sub(to + 1)
      break
    end
  end
  return (text:gsub("^:([^:])", "%1"):gsub("([^:]):$", "%1"))
end

local function ipv6_bytes(text)
  local before, behind = text:match "^(.-)::(.*)$"
  local function groups(part)
    local list = {}
    for group in (part or ""):gmatch "%x+" do list[#list + 1] = two_bytes(tonumber(group, 16)) end
    return table.concat(list)
  end
  local head, tail = groups(before or text), groups(behind)
  return head .. ("\0"):rep(16 - #head - #tail) .. tail
end

local read_data = {
  [mdns.A] = function(record, data) record.address = ("%d.%d.%d.%d"):format(data:byte(1, 4)) end,
  [mdns.AAAA] = function(record, data) record.address = ipv6_text(data) end,
  [mdns.PTR] = function(record, _, msg, at) record.target = read_name(msg, at) end,
  [mdns.SRV] = function(record, data, msg, at)
    record.port, record.target = u16(data, 5), read_name(msg, at + 6)
  end,
  [mdns.TXT] = function(record, data)
    local at = 1
    record.texts = {}
    while at <= #data do
      local text = data:sub(at + 1, at + data:byte(at))
      if text ~= "" then record.texts[#record.texts + 1] = text end
      at = at + 1 + data:byte(at)
    end
  end,
}

local write_data = {
  [mdns.A] = function(record) return record.address:gsub("(%d+)%.?", function(byte) return string.char(byte) end) end,
  [mdns.AAAA] = function(record) return ipv6_bytes(record.address) end,
  [mdns.PTR] = function(record) return record.target end,
  [mdns.SRV] = function(record) return "\0\0\0\0" .. two_bytes(record.port) .. record.target end,
  [mdns.TXT] = function(record)
    local list = {}
    for i, text in ipairs(record.texts) do list[i] = with_length(text) end
    return list[1] and table.concat(list) or "\0"
  end,
}

--- A message -> { id, response, questions, records }. Raises an error where it is none.
function mdns.read(msg)
  local message = { id = msg:sub(1, 2), response = msg:byte(3) >= 128, questions = {}, records = {} }
  local at = 13
  for i = 1, u16(msg, 5) do
    local name, stop = read_name(msg, at)
    message.questions[i] = { name = name, kind = u16(msg, stop) }
    at = stop + 4
    assert(at <= #msg + 1, "cut short")
  end
  for i = 1, u16(msg, 7) + u16(msg, 9) + u16(msg, 11) do
    local name, stop = read_name(msg, at)
    local record = { name = name, kind = u16(msg, stop), ttl = u16(msg, stop + 4) * 65536 + u16(msg, stop + 6) }
    at = stop + 10 + u16(msg, stop + 8)
    assert(at <= #msg + 1, "cut short")
    local read = read_data[record.kind]
    if read then read(record, msg:sub(stop + 10, at - 1), msg, stop + 10) end
    message.records[i] = record
  end
  return message
end

local function write_questions(questions)
  local list = {}
  for i, question in ipairs(questions) do list[i] = question.name .. two_bytes(question.kind) .. "\0\1" end
  return table.concat(list)
end

function mdns.query(id, questions)
  return id .. "\0\0" .. two_bytes(#questions) .. "\0\0\0\0\0\0" .. write_questions(questions)
end

--- Answers, to be sent to the group; their lifetime is at most `longest` seconds. Answers to one who asked from another port
-- than 5353 repeat the `questions`, and must not say that they are the only ones (RFC 6762, 6.7 and 10.2).
function mdns.response(id, records, longest, questions)
  local list = {}
  for i, record in ipairs(records) do
    local class = (questions or record.kind == mdns.PTR) and "\0\1" or "\128\1"
    local data, ttl = write_data[record.kind](record), math.min(record.ttl, longest)
    list[i] = record.name .. two_bytes(record.kind) .. class .. "\0\0" .. two_bytes(ttl) .. two_bytes(#data) .. data
  end
  questions = questions or {}
  return id .. "\132\0" .. two_bytes(#questions) .. two_bytes(#records) .. "\0\0\0\0" .. write_questions(questions) ..
    table.concat(list)
end

--- Makes a socket for each family that an interface has. prepare(socket, group, interface) binds it; on_message(message, rinfo,
-- socket) gets what can be read; on_error(err) hears of each failure once. Returns tell(msg), which sends to both groups, and
-- close(); or nil and the reason where there is no socket.
function mdns.open(interface, prepare, on_message, on_error)
  local sockets, heard, last_reason = {}, {}, nil

  local function on_failure(err)
    if not err or heard[err.code] then return end
    heard[err.code] = true
    on_error(err)
  end

  local function tell(msg)
    for group, socket in pairs(sockets) do socket:send(msg, mdns.port, group, on_failure) end
  end

  local function close()
    for _, socket in pairs(sockets) do socket:close() end
  end

  for kind, group in pairs { udp4 = "224.0.0.251", udp6 = "ff02::fb" } do
    local socket = dgram.createSocket { type = kind, reuseAddr = true }
    local its_name = kind == "udp6" and "::%" .. interface or interface
    socket:on("error", on_failure)
    socket:on("message", function(msg, rinfo)
      local understood, message = pcall(mdns.read, msg)
      if understood then on_message(message, rinfo, socket) end
    end)
    local done, reason = pcall(function()
      socket:setMulticastInterface(its_name)
      socket:setMulticastTTL(255)
      prepare(socket, group, its_name)
    end)
    if done then
      sockets[group] = socket
    else
      last_reason = reason
      socket:close()
    end
  end
  if not next(sockets) then return nil, last_reason end
  return tell, close
end

--- "_http._tcp" -> its labels, or nil.
function mdns.service(text)
  return text:lower():match "^(_[%w-]+)%.(_[tu][cd]p)$"
end

return mdns
