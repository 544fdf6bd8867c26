-- A DNS forwarder with a cache: asks another name server what its clients ask it, and keeps each answer as long as the
-- answer says (RFC 1035, RFC 2308). Ctrl-C ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/dns-forwarder.lua UPSTREAM[:PORT] [PORT] [ADDRESS]
--
-- UPSTREAM is the address of a name server, for instance the one in /etc/resolv.conf. The forwarder listens on PORT (5300) of
-- ADDRESS (127.0.0.1). Try it with: dig @127.0.0.1 -p 5300 debian.org
-- It speaks UDP alone. What is too large for that is answered as truncated, and clients ask again over TCP, which it has not.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")
local dns = dofile((arg[0]:match ".*/" or "") .. "lib/dns.lua")

local patience, tries = 1000, 3        -- ms to wait for the name server, and how often it is asked
local most_jobs, most_answers = 200, 10000
local jobs, job_count = {}, 0          -- query -> { clients, socket, timer, id }
local cache, cached = {}, 0            -- query -> { msg, ttls, stored, life }
local questions, hits = 0, 0
local upstream = {}                    -- { address, port, kind }
local server

local function ignore() end -- a client that cannot be answered asks again, or has gone

local function say(client, what)
  print(("%s from %s: %s"):format(dns.shown(client.question), client.rinfo.address, what))
end

--- Ends a job. Without an answer its clients hear that the server failed (SERVFAIL).
local function settle(query, answer)
  local job = jobs[query]
  jobs[query], job_count = nil, job_count - 1
  job.timer:close()
  if job.socket then job.socket:close() end
  if answer and answer.life > 0 then
    if cached == most_answers then cache, cached = {}, 0 end
    cache[query], cached, answer.stored = answer, cached + 1, uv.now()
  end
  for _, client in ipairs(job.clients) do
    local failure = client.id .. "\128\130\0\1\0\0\0\0\0\0" .. client.question
    server:reply(answer and dns.parts_for(client, answer, 0) or failure, client.rinfo, ignore)
    say(client, answer and "answered" or "the name server does not answer")
  end
end

--- Asks the name server, from a port that nobody knows before, and again where no answer comes.
local function ask(query, client)
  local job = { clients = { client }, timer = uv.new_timer(), id = uv.random(2) }
  local left = tries
  jobs[query], job_count = job, job_count + 1
  local made = pcall(function() -- there may be no descriptor left, or no route
    job.socket = dgram.createSocket(upstream.kind)
    job.socket:connectSync(upstream.port, upstream.address) -- what others send does not come
  end)
  if not made then return settle(query) end
  job.socket:on("error", function() settle(query) end) -- nobody is at its port
  job.socket:on("message", function(msg)
    local fits, answer = pcall(dns.read_answer, msg, job.id, query)
    if fits then settle(query, answer) end
  end)
  job.timer:start(0, patience, function()
    if left == 0 then return settle(query) end
    left = left - 1
    job.socket:send(job.id .. query, ignore)
  end)
end

local function on_question(msg, rinfo)
  local understood, question, query = pcall(dns.read_query, msg)
  if not understood then return end
  local client = { id = msg:sub(1, 2), question = question, rinfo = rinfo }
  local answer, job = cache[query], jobs[query]
  local age = answer and math.floor((uv.now() - answer.stored) / 1000)
  questions = questions + 1
  if answer and age < answer.life then
    hits = hits + 1
    server:reply(dns.parts_for(client, answer, age), rinfo, ignore)
    say(client, "from the cache")
  elseif job then
    if #job.clients < 100 then job.clients[#job.clients + 1] = client end
  elseif job_count < most_jobs then
    ask(query, client)
  end
end

local function stop()
  while next(jobs) do settle((next(jobs))) end
  server:close()
  print(("closed (questions: %d, answered from the cache: %d)"):format(questions, hits))
end

local to, port, address = program.words("UPSTREAM[:PORT] [PORT] [ADDRESS]", 1, 3)
upstream.address, upstream.port, upstream.kind = program.address_and_port(to, 53)
address = program.address(address, "127.0.0.1")
server = dgram.createSocket(program.kind_of(address), on_question)
server:on("error", program.on_error)
server:bind(program.port(port, 5300), address, function() program.say_listening(server) end)
program.on_interrupt(stop)
dgram.run()
