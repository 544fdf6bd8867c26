-- DNS messages, as far as a forwarder has to know them: questions, the lifetime of answers (RFC 1035, RFC 2308, RFC 6891).
-- Anybody may send anything. Where a message is cut short, byte() finds no number, and the sum raises an error: so callers use
-- pcall, and leave alone what cannot be read.
local dns = {}

local function u16(msg, at)
  local high, low = msg:byte(at, at + 1)
  return high * 256 + low
end

local function u32(msg, at) return u16(msg, at) * 65536 + u16(msg, at + 2) end

local function four_bytes(number)
  local function byte(unit) return math.floor(number / unit) % 256 end
  return string.char(byte(2 ^ 24), byte(2 ^ 16), byte(2 ^ 8), byte(1))
end

--- Where a name ends: labels, each behind its length, up to an empty one or to a pointer, which has two bytes.
local function after_name(msg, at)
  local length = msg:byte(at)
  while length > 0 and length < 64 do
    at = at + 1 + length
    length = msg:byte(at)
  end
  return length == 0 and at + 1 or at + 2
end

--- The question of a message (name, type, class) as it stands there, and with its name in lower case.
local function question_of(msg)
  assert(u16(msg, 5) == 1, "not one question")
  local stop = after_name(msg, 13)
  assert(#msg >= stop + 3 and stop < 13 + 256, "no question")
  return msg:sub(13, stop + 3), msg:sub(13, stop - 1):lower() .. msg:sub(stop, stop + 3)
end

--- A client's message -> its question, and what the name server is to be asked, without the id. Equal queries are one: of
-- the flags it has those that change the answer, and of EDNS (RFC 6891) the size that the client takes, and DO.
function dns.read_query(msg)
  local flags, more_flags = msg:byte(3, 4)
  assert(flags < 8 and u32(msg, 7) == 0, "no query")
  local question, normal = question_of(msg)
  local at = 13 + #question
  local edns = msg:sub(at, at + 2) == "\0\0\41" and msg:sub(at, at + 8) .. "\0\0" or ""
  assert(edns == "" or #edns == 11, "cut short")
  local header = string.char(flags % 2, math.floor(more_flags / 16) % 4 * 16) .. "\0\1\0\0\0\0"
  return question, header .. (edns == "" and "\0\0" or "\0\1") .. normal .. edns
end

--- The name server's message -> an answer, where it is one to this id and query: with the places of its TTLs, and the
-- seconds that it may be kept. Who forges one has to guess the id, and the port that the socket of the job was given.
function dns.read_answer(msg, id, query)
  local _, question = question_of(msg)
  assert(msg:sub(1, 2) == id and msg:byte(3) >= 128 and query:sub(11, 10 + #question) == question, "no answer to this")
  local kept = msg:byte(4) % 16
  local may_keep = (kept == 0 or kept == 3) and math.floor(msg:byte(3) / 2) % 2 == 0 -- no error, and not truncated
  local life, ttls, at, negative = 86400, {}, 13 + #question, u16(msg, 7) == 0
  for _ = 1, u16(msg, 7) + u16(msg, 9) + u16(msg, 11) do
    at = after_name(msg, at)
    local kind, stop = u16(msg, at), at + 9 + u16(msg, at + 8)
    if kind ~= 41 then
      ttls[#ttls + 1] = at + 4
      life = math.min(life, u32(msg, at + 4))
      if kind == 6 then -- the end of an SOA record says how long a name may be taken as missing
        life, negative = math.min(life, u32(msg, stop - 3)), false
      end
    end
    at = stop + 1
  end
  assert(at == #msg + 1, "cut short")
  return { msg = msg, ttls = ttls, life = may_keep and #ttls > 0 and not negative and life or 0 }
end

--- A list of strings, which is one datagram: the answer with the client's id and question, its TTLs `age` seconds shorter.
function dns.parts_for(client, answer, age)
  local msg = answer.msg
  local parts, from = { client.id, msg:sub(3, 12), client.question }, 13 + #client.question
  for _, at in ipairs(answer.ttls) do
    parts[#parts + 1] = msg:sub(from, at - 1)
    parts[#parts + 1] = four_bytes(math.max(0, u32(msg, at) - age))
    from = at + 4
  end
  parts[#parts + 1] = msg:sub(from)
  return parts
end

--- A question as a line of text: "debian.org. type 1".
function dns.shown(question)
  local labels = question:sub(1, -5):gsub("[^%w_-]", function(char) return char:byte() < 64 and "." or "?" end)
  return ("%s type %d"):format(labels:sub(2), u16(question, #question - 3))
end

return dns
