-- SPDX-License-Identifier: MIT
-- For programs in processes of their own: sending runs of datagrams to oneself and saying what came of it. Whatever is not as
-- it must be is raised.

local dgram = require "dgram"
local uv = require "luv"
local trains = require "spec.support.trains"

local exchange = { dgram = dgram, trains = trains, equal = trains.sizes["equal, 64 to a train"] }

local events, receivers = {}, {}
exchange.receivers = receivers

--- Ends the program after so many seconds.
function exchange.late(seconds)
  local timer = uv.new_timer()
  timer:start(seconds * 1000, 0, function()
    io.stderr:write "late\n"
    os.exit(1)
  end)
  timer:unref()
end

function exchange.sender(kind, options)
  options = options or {}
  options.type = kind
  local socket = dgram.createSocket(options)
  socket:on("error", function(err) events[#events + 1] = err.code end)
  return socket
end

function exchange.receiver(kind)
  local r = { address = kind == "udp6" and "::1" or "127.0.0.1", got = {} }
  r.socket = dgram.createSocket({ type = kind, recvBufferSize = 4000000 }, function(msg, rinfo)
    r.got[#r.got + 1] = { msg = msg, rinfo = rinfo }
  end)
  r.port = r.socket:bindSync({ address = r.address }).port
  receivers[#receivers + 1] = r
  return r
end

--- Runs the loop until the condition holds.
local function wait(condition)
  while not condition() do dgram.run "once" end
end

--- Ways to send. Each tells how many verdicts have come; datagrams in `bad` must fail, with the code that stands there.
function exchange.by_callbacks(s, part, r, told, bad)
  for _, msg in ipairs(part) do
    local calls = 0
    local function done(err, bytes)
      calls = calls + 1
      told(1)
      local code = bad and bad[msg]
      if calls ~= 1 or bytes ~= #msg or (err and err.code) ~= code then
        error(("call %d: %s, %s; wanted %s"):format(calls, tostring(err), tostring(bytes), tostring(code)), 0)
      end
    end
    if r.connected then s:send(msg, done) else s:send(msg, r.port, r.address, done) end
  end
end

function exchange.by_list(s, part, r, told)
  local function done(err, count)
    if err or count ~= #part then error(("%s, %s of %d"):format(tostring(err), tostring(count), #part), 0) end
    told(count)
  end
  if r.connected then s:sendMany(part, done) else s:sendMany(part, r.port, r.address, done) end
end

local function send_part(s, r, part, wanted, bad, send)
  local told = 0
  for _, msg in ipairs(part) do
    if not (bad and bad[msg]) then wanted[#wanted + 1] = msg end
  end
  send(s, part, r, function(count) told = told + count end, bad)
  wait(function() return #r.got >= #wanted and told >= #part end)
  if told ~= #part then error(("%d verdicts for %d datagrams"):format(told, #part), 0) end
end

--- Sends a run, as much at a time as fits into the receiver's buffer, and a mark behind it.
function exchange.exchange(s, r, list, bad, send)
  local wanted, sent = {}, 0
  send = send or exchange.by_callbacks
  r.got = {}
  while sent < #list do
    local part = {}
    for i = 1, trains.fitting(list, sent + 1, r.socket:getRecvBufferSize()) do part[i] = list[sent + i] end
    send_part(s, r, part, wanted, bad, send)
    sent = sent + #part
  end
  send_part(s, r, { "the mark" }, wanted, nil, send)
  local wrong = trains.difference(wanted, r.got)
  if wrong then error(("a run of %d: %s"):format(#list, wrong), 0) end
end

--- Sends a run to several receivers, so many datagrams at a time to each.
function exchange.spread(s, several, list, each)
  local wanted, told = {}, 0
  local function arrived(sent)
    local n = 0
    for _, r in ipairs(several) do n = n + #r.got end
    return n >= sent and told >= sent
  end
  for k in ipairs(several) do wanted[k] = {} end
  for i, msg in ipairs(list) do
    local k = math.floor((i - 1) / each) % #several + 1
    table.insert(wanted[k], msg)
    s:send(msg, several[k].port, several[k].address, function(err)
      if err then error(err, 0) end
      told = told + 1
    end)
    if i % 64 == 0 then wait(function() return arrived(i) end) end
  end
  wait(function() return arrived(#list) end)
  if told ~= #list then error(("%d verdicts for %d datagrams"):format(told, #list), 0) end
  for k, r in ipairs(several) do
    local wrong = trains.difference(wanted[k], r.got)
    if wrong then error(wrong, 0) end
  end
end

--- Says what the sender counted, and ends.
function exchange.finish(s)
  local stats = s:stats()
  print(("gso=%s errors=%d events=%s"):format(tostring(stats.gso), stats.sendErrors, table.concat(events, "+")))
  s:close()
  for _, r in ipairs(receivers) do
    if (r.socket:stats().dropped or 0) ~= 0 then error("the kernel dropped some", 0) end
    r.socket:close()
  end
  dgram.run()
end

return exchange
