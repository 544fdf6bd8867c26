-- Finds the services of a network by multicast DNS (RFC 6762, RFC 6763): printers, web servers, and what else tells of itself, as
-- Avahi, Bonjour and examples/mdns-announce.lua do. Asks by IPv4 and IPv6 at once.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/mdns-discovery.lua SERVICE INTERFACE [SECONDS]
--
-- SERVICE is for instance _http._tcp, INTERFACE eth0. It prints each address of each service as it hears of it, and ends after
-- SECONDS (3), or on Ctrl-C. The exit status is 1 where there was no service.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")
local mdns = dofile((arg[0]:match ".*/" or "") .. "lib/mdns.lua")

local most_facts, most_questions = 1000, 20
local facts, fact_count = {}, 0  -- name and kind of records -> list of these
local asked, shown = {}, {}
local id = uv.random(2)          -- answers repeat it: so what others say to others is not taken for one
local wait, timer, limit = 1000, uv.new_timer(), uv.new_timer()
local service, interface, tell, close

local function facts_of(name, kind) return facts[name:lower() .. kind] or {} end

local function learn(record)
  local key, what = record.name:lower() .. record.kind, (record.target or record.address or ""):lower()
  local list = facts[key] or {}
  for _, old in ipairs(list) do
    if (old.target or old.address or ""):lower() == what then return end
  end
  if fact_count == most_facts then return end
  facts[key], fact_count = list, fact_count + 1
  list[#list + 1] = record
end

--- Questions for what is not known yet of services and their hosts. What has been asked is asked again only with `again`.
local function missing(again)
  local questions = {}
  local function want(name, kind)
    if facts_of(name, kind)[1] or asked[name .. kind] and not again or #questions == most_questions then return end
    asked[name .. kind] = true
    questions[#questions + 1] = { name = name, kind = kind }
  end
  for _, pointer in ipairs(facts_of(service, mdns.PTR)) do
    want(pointer.target, mdns.SRV)
    want(pointer.target, mdns.TXT)
    for _, place in ipairs(facts_of(pointer.target, mdns.SRV)) do
      want(place.target, mdns.A)
      want(place.target, mdns.AAAA)
    end
  end
  return questions
end

local function show(instance, texts, place, address)
  if address:find "^fe80:" then address = address .. "%" .. interface end -- valid on this link alone
  local line = ("%s at %s port %d (%s)"):format(mdns.labels(instance)[1], address, place.port,
    table.concat(mdns.labels(place.target), "."))
  for _, text in ipairs(texts) do line = line .. " " .. text:gsub("%c", "?") end
  if not shown[line] then print(line) end
  shown[line] = true
end

local function show_all()
  for _, pointer in ipairs(facts_of(service, mdns.PTR)) do
    local place, more = facts_of(pointer.target, mdns.SRV)[1], facts_of(pointer.target, mdns.TXT)[1]
    for _, kind in ipairs { mdns.A, mdns.AAAA } do
      for _, host in ipairs(place and more and facts_of(place.target, kind) or {}) do
        show(pointer.target, more.texts, place, host.address)
      end
    end
  end
end

local function on_message(message)
  if not message.response or message.id ~= id then return end
  for _, record in ipairs(message.records) do
    if record.target or record.address or record.texts then learn(record) end
  end
  show_all()
  local questions = missing(false)
  if questions[1] then tell(mdns.query(id, questions)) end
end

--- Asks for the service and all that is missing, and again, after 1, 2, 4, ... seconds.
local function ask()
  local questions = missing(true)
  table.insert(questions, 1, { name = service, kind = mdns.PTR })
  tell(mdns.query(id, questions))
  timer:start(wait, 0, ask)
  wait = wait * 2
end

local function stop()
  timer:close()
  limit:close()
  close()
  if not next(shown) then program.fail "no service was found" end
end

local seconds
service, interface, seconds = program.words("SERVICE INTERFACE [SECONDS]", 2, 3)
local first, second = mdns.service(service)
service = first and mdns.name(first, second, "local") or program.fail(("'%s' is no service"):format(service))
seconds = program.number(seconds, 3, 1, 86400, "SECONDS")
-- From a port of its own: answers to that come to it alone, and other programs may have port 5353.
tell, close = mdns.open(interface, function(socket) socket:bind(0) end, on_message, program.complain)
if not tell then program.fail(("'%s' is no interface for this: %s"):format(interface, tostring(close))) end
ask()
limit:start(seconds * 1000, 0, stop)
program.on_interrupt(stop)
dgram.run()
