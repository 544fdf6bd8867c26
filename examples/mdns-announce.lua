-- Tells a network of a service by multicast DNS (RFC 6762, RFC 6763), so that Avahi, Bonjour and examples/mdns-discovery.lua find
-- it. Answers by IPv4 and IPv6. Ctrl-C ends it, and others forget the service.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/mdns-announce.lua SERVICE INTERFACE NAME PORT [TEXT...]
--
-- SERVICE is for instance _http._tcp, INTERFACE eth0. The service is at PORT of this machine; its NAME is what people see, and
-- nobody else may have it. A TEXT is what the service's clients should know, such as path=/start.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")
local mdns = dofile((arg[0]:match ".*/" or "") .. "lib/mdns.lua")

local usage = "SERVICE INTERFACE NAME PORT [TEXT...]"
local words = { program.words(usage, 4, 30) }
local first, second = mdns.service(words[1])
local service = first and mdns.name(first, second, "local") or program.fail(("'%s' is no service"):format(words[1]))
local interface, shown_name = words[2], words[3]
local instance = mdns.name(shown_name, first, second, "local") or program.fail "a NAME has at most 63 bytes"
local port = program.number(words[4], nil, 1, 65535, "PORT")
local host = mdns.name(("%s-%d"):format(uv.os_gethostname():match "^[^.]+":sub(1, 50), port), "local")
local texts = { (table.unpack or rawget(_G, "unpack"))(words, 5) }
local step, announced, timer = 0, false, uv.new_timer()
local tell, close

for _, text in ipairs(texts) do
  if #text > 100 then program.fail "a TEXT has at most 100 bytes" end
end

--- The records of the service. The interface may have got another address since the last time.
local function records()
  local list = {
    { name = service, kind = mdns.PTR, ttl = 4500, target = instance },
    { name = instance, kind = mdns.SRV, ttl = 120, port = port, target = host },
    { name = instance, kind = mdns.TXT, ttl = 4500, texts = texts },
  }
  for _, each in ipairs(uv.interface_addresses()[interface] or {}) do
    local kind = each.family == "inet" and mdns.A or mdns.AAAA
    list[#list + 1] = { name = host, kind = kind, ttl = 120, address = each.ip:match "^[^%%]+" }
  end
  return list
end

--- Whether a query asks for a record. Who knows the pointer already says so in the query (RFC 6762, 7.1).
local function is_asked(record, query)
  for _, known in ipairs(query.records) do
    local both = record.kind == mdns.PTR and known.kind == mdns.PTR
    if both and known.target:lower() == record.target:lower() and known.ttl >= record.ttl / 2 then return false end
  end
  for _, question in ipairs(query.questions) do
    local fits = question.kind == record.kind or question.kind == mdns.ANY
    if fits and question.name:lower() == record.name:lower() then return true end
  end
  return false
end

--- Answers go to all, who may keep them, but to the asker alone where that is a program with another port (RFC 6762, 6.7).
local function on_query(query, rinfo, socket)
  local answers, others = {}, {}
  for _, record in ipairs(records()) do table.insert(is_asked(record, query) and answers or others, record) end
  if not answers[1] or not announced then return end
  for _, record in ipairs(others) do answers[#answers + 1] = record end -- what would be asked next
  if rinfo.port == mdns.port then return tell(mdns.response("\0\0", answers, 4500)) end
  socket:reply(mdns.response(query.id, answers, 10, query.questions), rinfo, function() end)
end

--- Somebody else's answer, or our own, which comes back.
local function on_response(response)
  for _, record in ipairs(response.records) do
    local ours = record.kind == mdns.SRV and record.name:lower() == instance:lower()
    if ours and (record.port ~= port or record.target:lower() ~= host:lower()) then
      program.fail(("another host has the name '%s'"):format(shown_name))
    end
  end
end

local function on_message(message, rinfo, socket)
  if message.response then on_response(message) else on_query(message, rinfo, socket) end
end

--- Asks three times whether somebody has the name, and tells of the service twice (RFC 6762, 8.1 and 8.3).
local function go_on()
  step = step + 1
  if step <= 3 then return tell(mdns.query("\0\0", { { name = instance, kind = mdns.ANY } })) end
  if step == 4 then print(("%s is announced on %s (Ctrl-C to end)"):format(shown_name:gsub("%c", "?"), interface)) end
  if step == 4 or step == 8 then tell(mdns.response("\0\0", records(), 4500)) end
  if step == 8 then timer:stop() end
  announced = true
end

tell, close = mdns.open(interface, function(socket, group, its_name)
  local is_ipv6 = group:find(":", 1, true)
  socket:bindSync { port = mdns.port, address = is_ipv6 and group .. "%" .. interface or group } -- what comes to the group
  socket:addMembership(group, its_name)
end, on_message, program.complain)
if not tell then program.fail(("'%s' is no interface for this: %s"):format(interface, tostring(close))) end
timer:start(0, 250, go_on)
program.on_interrupt(function()
  if announced then tell(mdns.response("\0\0", records(), 0)) end -- what is sent before close() still goes out
  timer:close()
  close()
end)
dgram.run()
