-- Shows which routers a datagram passes on its way to a host, and how long it takes to each of them and back. Needs Linux.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/traceroute.lua HOST [HOPS]
--
-- Each router takes 1 from a datagram's TTL (IPv6: hop limit). The one that is left with 0 drops it, and says so by an ICMP
-- error. So datagrams with a TTL of 1, 2, 3, ... make one router after the other speak, at most HOPS (30) of them. They go to
-- ports where hardly anybody listens: the host says so, too, and that is the end. The exit status is 1 where it is not reached.
-- A star stands for no answer: many routers are silent, and many firewalls drop datagrams. A name is looked up for IPv4.
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local first_port, probes, patience = 33434, 3, 3000 -- the first port; how many datagrams of each TTL; ms to wait for answers
local host, hops = program.words("HOST [HOPS]", 1, 2)
local socket, timer
local ttl = 0
local sent_at, answers, missing = {}, {}, 0 -- by port, of the datagrams with this TTL; how many have no answer

host, hops = program.address(host), program.number(hops, 30, 1, 255, "HOPS")
if host:find "[^%w.:%%_-]" then program.fail(("'%s' is no host"):format(host)) end

--- Prints the answers of a hop. Returns whether one of them says that it is the last hop, and whether the host itself spoke.
local function show_hop()
  local line, last_from, ended, reached = { ("%3d"):format(ttl) }, nil, false, false
  for port = first_port, first_port + probes - 1 do
    local answer = answers[port + (ttl - 1) * probes]
    if not answer then
      line[#line + 1] = "*"
    else
      if answer.from ~= last_from then line[#line + 1] = answer.from end
      last_from = answer.from
      line[#line + 1] = ("%.3f ms"):format(answer.ms)
      if answer.trouble then line[#line + 1] = answer.trouble end
      ended, reached = ended or answer.last, reached or answer.reached
    end
  end
  print(table.concat(line, "   "))
  return ended, reached
end

local function stop(reached)
  timer:close()
  socket:close()
  if not reached then program.fail "the host was not reached" end
end

--- Shows one hop, and asks the next one.
local function next_hop()
  if ttl > 0 then
    local ended, reached = show_hop()
    if ended or ttl == hops then return stop(reached) end
  end
  ttl, sent_at, answers, missing = ttl + 1, {}, {}, probes
  timer:start(patience, 0, next_hop)
  for i = 0, probes - 1 do
    local port = first_port + (ttl - 1) * probes + i
    sent_at[port] = uv.hrtime()
    socket:send("traceroute", port, host, { ttl = ttl }, function(err)
      if err then program.fail(err) end
    end)
  end
end

--- An answer to the datagram that went to a port; of two the first counts, and none that is late.
local function on_answer(port, answer)
  if not sent_at[port] or answers[port] then return end
  answer.ms = (uv.hrtime() - sent_at[port]) / 1e6
  answers[port], missing = answer, missing - 1
  if missing == 0 then timer:start(0, 0, next_hop) end
end

--- ICMP errors come as error events, and so may others.
local function on_error(err)
  if not err.icmpType then return program.complain(err) end
  local v6 = host:find(":", 1, true) and not host:find "^::ffff:"
  local exceeded = err.icmpType == (v6 and 3 or 11) -- ICMPv6 has numbers of its own
  local reached = err.code == "ECONNREFUSED"
  local trouble = not exceeded and not reached and
    ("(%s: ICMP type %d, code %d)"):format(err.code, err.icmpType, err.icmpCode) or nil
  on_answer(err.port, { from = err.offender, last = not exceeded, reached = reached, trouble = trouble })
end

local made, reason = pcall(function()
  socket = dgram.createSocket { type = program.kind_of(host), recvErrors = true }
end)
if not made then program.fail(reason) end
timer = uv.new_timer()
socket:on("error", on_error)
socket:on("message", function(_, rinfo) -- somebody is at that port after all, and answers
  if rinfo.address == host then on_answer(rinfo.port, { from = host, last = true, reached = true }) end
end)
socket:connect(first_port, host, function(err) -- looks up the name, and asks whether there is a way at all
  if err then program.fail(err) end
  local name = host
  host = socket:remoteAddress().address
  socket:disconnect()
  print(("to %s (%s), at most %s"):format(name, host, program.counted(hops, "hop")))
  next_hop()
end)
program.on_interrupt(function() os.exit(0) end)
dgram.run()
