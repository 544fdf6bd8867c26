-- SPDX-License-Identifier: MIT
--- A random walk over the sockets' methods, for a process of its own:
---
---     scripts/with.sh lua5.4 lua5.4 spec/support/fuzz.lua SEED [STEPS]
---
--- A few sockets of all families do random things, from outside of the loop, from every listener and callback, from
--- finalizers and coroutines; what came of it is held against what the documents promise. It prints `ok` and ends with 0;
--- else it says what is wrong, and how to have it again. DGRAM_FUZZ_TRACE=1 prints each step.
--- The seed decides everything but the time and the places of memory, so most failures come again.
package.path = "./?.lua;" .. package.path
local dgram = require "dgram"
local uv = require "luv"
local collector = require "spec.support.collector"
local finalized = require "spec.support.finalized"

local unpack = table.unpack or unpack
local SEED = tonumber(os.getenv "DGRAM_FUZZ_SEED" or arg[1] or 1)
local STEPS = tonumber(os.getenv "DGRAM_FUZZ_STEPS" or arg[2] or 150)
local TRACE = os.getenv "DGRAM_FUZZ_TRACE"
local PURPOSE = "on purpose"
local MOST_SOCKETS, DEEPEST = 6, 4
local has_abstract = uv.os_uname().sysname == "Linux"
-- A finalizer that raises makes a warning from Lua 5.4 on, and an error of whatever allocated before.
local may_raise_in_finalizers = _VERSION >= "Lua 5.4"
-- It collects when a call of C has returned, before its caller goes on, and cannot yield inside of pcall.
local plain51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

-- What LuaJIT 2.1 compiles spins at times, in its own code, where finalizers run in it; interpreted it does not.
if rawget(_G, "jit") then rawget(_G, "jit").off() end

-- ---- Chance: the same in every Lua

local state = (SEED * 7919 + 12345) % 2147483646 + 1

local function chance(n) -- 1 to n
  state = (state * 16807) % 2147483647
  return state % n + 1
end

local function one_in(n) return chance(n) == 1 end
local function any(list) return list[chance(#list)] end

-- ---- What goes wrong

local recent, budget, depth = {}, STEPS * 30, 0

local function trace(...)
  local words = {}
  for i = 1, select("#", ...) do
    local text = tostring((select(i, ...))):gsub("%c", "?")
    words[i] = #text > 60 and text:sub(1, 60) .. "..." or text
  end
  local line = ("  "):rep(depth) .. table.concat(words, " ")
  recent[#recent % 60 + 1] = line
  if TRACE then io.stderr:write(line, "\n") end
end

local function fail(...)
  io.stderr:write("wrong: ", string.format(...), "\n", debug.traceback("", 2), "\n",
    ("again: DGRAM_FUZZ_SEED=%d DGRAM_FUZZ_STEPS=%d (DGRAM_FUZZ_TRACE=1 says each step)\n"):format(SEED, STEPS))
  io.stderr:flush()
  os.exit(1, false)
end

local kinds = { Error = true, TypeError = true, RangeError = true }

--- Whatever a program gets as an error is an error object, or what the walk itself raised.
local function check_error(err, where)
  if type(err) == "string" and err:find(PURPOSE, 1, true) then return end
  -- Lua 5.1 and 5.2 do not tell before where a coroutine cannot yield
  local blind = not coroutine.isyieldable
  if blind and type(err) == "string" and err:find("attempt to yield across", 1, true) then return end
  -- loops in finalizers in loops may leave no room on the C stack
  if type(err) == "string" and err:find("C stack overflow (there was no room", 1, true) then return end
  -- what LuaJIT makes of an error where a finalizer ran inside of the handler that adds its traceback
  if rawget(_G, "jit") and type(err) == "string" and err:find "^error in error handling" then return end
  if type(err) ~= "table" and type(err) ~= "userdata" then fail("%s: no error object: %s", where, tostring(err)) end
  if type(err.code) ~= "string" or not kinds[err.name] or type(err.message) ~= "string" or err.message == "" then
    fail("%s: not a whole error object: %s", where, tostring(err))
  end
  if type(tostring(err)) ~= "string" then fail("%s: no text", where) end
end

local function try(what, fn, ...)
  trace(what, select(2, ...))
  local result = { pcall(fn, ...) }
  if result[1] then return unpack(result, 2) end
  trace(what, "raised", result[2])
  check_error(result[2], what)
  return nil
end

local function is_count(value, most)
  return type(value) == "number" and value % 1 == 0 and value >= 0 and (not most or value <= most)
end

-- ---- Sockets, and what is known of each

local models, serial, nests = {}, 0, 0        -- all that there ever were
local weak = setmetatable({}, { __mode = "v" })
local mischief                      -- does something random; for every callback
local lists = { dgram.BlockList(), dgram.BlockList() }
local signals = { dgram.EventEmitter(), dgram.EventEmitter() }
local unanswered = {}
local own = { udp4 = "127.0.0.1", udp6 = "::1" }
local handler_set, in_finalizer = false, false

local function alive()
  local list = {}
  for _, m in ipairs(models) do
    if m.socket then list[#list + 1] = m end
  end
  return list
end

local function lookup(hostname, options, answer)
  if not (is_count(options.family, 6) and type(hostname) == "string") then fail "lookup's arguments" end
  local kind = hostname:match "^%a+"
  local function reply()
    if kind == "bad" then return answer({ name = "Error", code = "ENOTFOUND", message = "no such name" }) end
    if kind == "nonsense" then return answer(nil, "no address") end
    answer(nil, options.family == 6 and "::1" or "127.0.0.1", options.family)
    if one_in(9) then answer(nil, "127.0.0.9", 4) end -- a second answer counts for nothing
  end
  mischief()
  if kind == "raise" then error(PURPOSE, 0) end
  if kind == "late" then
    unanswered[#unanswered + 1] = reply
  else
    reply()
  end
end

local hosts = { "good.host", "bad.host", "late.host", "late.other", "nonsense", "raise.it" }
local is_host = {}
for _, name in ipairs(hosts) do is_host[name] = true end

--- A message says who sent it, as which of its datagrams, and where to.
local function payload(m, to)
  m.last = m.last + 1
  local text = ("%d/%d/%s/"):format(m.id, m.last, to)
  return one_in(3) and text .. ("x"):rep(chance(1400)) or text .. ("-"):rep(64 - #text)
end

--- What every way to receive promises. Whatever calls take past the listeners comes to them later.
local function check_datagram(m, msg, rinfo, order, shares_rinfo)
  if type(rinfo) ~= "table" or (rinfo.size ~= #msg and not shares_rinfo) or type(rinfo.address) ~= "string" then
    fail "rinfo"
  end
  local from, number, to = msg:match "^(%d+)/(%d+)/([^/]*)/"
  if from then
    number = tonumber(number)
    local key = from .. "/" .. to
    if order[key] and number <= order[key] and not order.late and not m.calls then
      fail("socket %d: number %d of %s after number %d", m.id, number, key, order[key])
    end
    order[key] = number
    order.late = in_finalizer
  elseif msg ~= "" and not msg:find "^anybody" then
    fail("socket %d: never sent: %s", m.id, msg:sub(1, 40))
  end
end

local function check_event(m)
  if m.closed then fail("socket %d: a message after close()", m.id) end
  -- A finalizer may have paused it, or run the loop, when this message was on its way to the listener.
  if m.paused and not m.paused_late and not m.calls then fail("socket %d: a message while paused", m.id) end
end

--- What the first listener to hear of a datagram looks at. The others hear of it whatever that one did, and after what
--- came in a loop that it ran.
local function check_message(m, msg, rinfo)
  collectgarbage "stop" -- what finalizers hear in a loop of their own must not come in between
  check_event(m)
  check_datagram(m, msg, rinfo, m.order)
  m.heard[rinfo] = true
  collectgarbage "restart"
end

local function check_lists(m, messages, rinfos, order)
  if #messages == 0 or #messages ~= #rinfos then fail("%d messages, %d rinfos", #messages, #rinfos) end
  for i = 1, #messages do
    check_datagram(m, messages[i], rinfos[i], order, i > 1 and rawequal(rinfos[i], rinfos[i - 1]))
  end
end

local function batch_listener(m)
  return function(messages, rinfos)
    if not m.heard[messages] then
      collectgarbage "stop"
      check_event(m)
      check_lists(m, messages, rinfos, m.batch_order)
      m.heard[messages] = true
      collectgarbage "restart"
    end
    trace("batch for", m.id, #messages)
    m.rinfo = rinfos[1]
    mischief(m)
  end
end

local function listener(m)
  return function(msg, rinfo)
    if not m.heard[rinfo] then check_message(m, msg, rinfo) end
    trace("message for", m.id, msg, rinfo)
    m.rinfo = rinfo
    mischief(m)
  end
end

local function on_error(m)
  return function(err)
    check_error(err, "error event of socket " .. m.id)
    mischief(m)
  end
end

local function on_close(m)
  m.close_listeners = m.close_listeners + 1
  local calls = 0
  return function()
    calls = calls + 1
    if calls > 1 then fail("socket %d: close came twice", m.id) end
    m.ended = true
    local missing = m.waiting - m.sending -- a finalizer may have run the loop inside of a send
    -- or between a callback's call and its first line, where its stack grows
    m.ended_early = in_finalizer and missing == 1
    if missing ~= 0 and not m.ended_early then fail("socket %d: %d callbacks missing at close", m.id, missing) end
    local socket = m.socket or weak[m.id]
    if socket and (socket:getSendQueueCount() ~= 0 or socket:getSendQueueSize() ~= 0) then
      fail("socket %d: something waits after close", m.id)
    end
    mischief(m)
  end
end

local function on_drain(m)
  return function()
    local socket = m.socket
    if socket and socket:getSendQueueCount() ~= 0 and not m.drain_mixed then
      fail("socket %d: drain while %d wait", m.id, socket:getSendQueueCount())
    end
    m.drain_mixed = true -- this listener may send; those behind it see that
    mischief(m)
    m.drain_mixed = false
  end
end

local function event(m)
  return function() mischief(m) end
end

-- Not every system tells what comes with a datagram. Who has a buffer of its own asks, so that a seed's walk stays what it was.
local asks, asking = pcall(dgram.createSocket, { type = "udp4", pktInfo = true })
if asks then asking:close() end
local hears, hearing = pcall(dgram.createSocket, { type = "udp4", recvErrors = true })
if hears then hearing:close() end

local function ask(list)
  list.timestamp = true
  if list.type == "unix_dgram" then
    list.recvCredentials = true
  else
    list.pktInfo, list.recvTTL, list.recvTOS = true, true, true
  end
end

local function options()
  local kind = any { "udp4", "udp4", "udp6", "unix_dgram", "unix_dgram" }
  local list = { type = kind }
  if one_in(2) then list.lookup = lookup end
  if one_in(3) then list.sendQueueLimit = any { 300, 3000, 100000 } end
  if one_in(4) then list.receiveBlockList = any(lists) end
  if one_in(4) then list.sendBlockList = any(lists) end
  if one_in(5) then list.signal = any(signals) end
  if one_in(4) then list.recvBufferSize = any { 2304, 20000 } end
  if one_in(4) then list.sendBufferSize = any { 4608, 20000 } end
  if one_in(4) then list.gro = one_in(2) end
  if one_in(4) then list.gso = one_in(2) end
  if one_in(4) then list.reuseAddr = true end
  if kind == "udp6" and one_in(3) then list.ipv6Only = true end
  if hears and kind ~= "unix_dgram" and one_in(4) then list.recvErrors = true end
  if one_in(4) then list.moderation = any { false, 20, 1000 } end
  if one_in(4) then list.busyPoll = any { false, 20, 200 } end
  if asks and list.recvBufferSize then ask(list) end
  return list
end

local function create()
  if #alive() >= MOST_SOCKETS then return end
  serial = serial + 1
  local id = serial
  local given = options()
  local m = { id = id, kind = given.type, last = 0, busy = 0, sending = 0, waiting = 0, accepted = 0, sends = {},
    close_listeners = 0, order = {}, batch_order = {}, coroutines = {}, heard = setmetatable({}, { __mode = "k" }),
    signal = given.signal, looks_up = given.lookup ~= nil }
  local socket = try("create", dgram.createSocket, given, one_in(2) and listener(m) or nil)
  if not socket then return end
  m.socket = socket
  weak[m.id] = socket
  models[#models + 1] = m
  trace("  is socket", m.id, m.kind, given.lookup and "lookup" or "", given.sendQueueLimit or "")
  if one_in(5) then return m end
  if one_in(2) then socket:on("message", listener(m)) end
  if one_in(3) then socket:on("batch", batch_listener(m)) end
  socket:on("error", on_error(m)):on("drain", on_drain(m)):on("close", on_close(m))
  for _, name in ipairs { "listening", "connect" } do socket:on(name, event(m)) end
  return m
end

-- ---- What is sent

local function target(m)
  local family = m.kind
  if family == "unix_dgram" then
    local list = {}
    for _, other in ipairs(models) do
      if other.path then list[#list + 1] = other.path end
    end
    if #list == 0 or one_in(9) then return nil, any { "/nonexistent/path", "/tmp" } end
    return nil, any(list)
  end
  local ports = {}
  for _, other in ipairs(models) do
    if other.port then ports[#ports + 1] = other.port end
  end
  local port = (#ports == 0 or one_in(9)) and 9 or any(ports)
  local literals = family == "udp4" and { "127.0.0.1", "127.0.0.1", "127.0.0.2", "::1" } or
    { "::1", "::1", "127.0.0.1", "::ffff:127.0.0.1" }
  local host = any(literals)
  if m.looks_up and one_in(5) then host = any(hosts) end
  return port, host
end

--- Calls a method that sends `count` datagrams of `bytes`, and keeps account of what comes of it.
local function send(m, what, count, bytes, ...)
  local arguments, n = { ... }, select("#", ...)
  local socket = m.socket
  if not socket then return end
  local entry = { returned = false, accepted = false, calls = 0 }
  -- the program's own look-up may run the loop, which tells what it has answered
  for i = 1, n do entry.by_name = entry.by_name or is_host[arguments[i]] end
  if not one_in(3) then
    n = n + 1
    entry.wanted = true
    arguments[n] = function(err, number)
      entry.calls = entry.calls + 1
      if not entry.returned and not entry.by_name and not (plain51 and in_finalizer) then
        fail("%s of socket %d: its callback came before it returned", what, m.id)
      end
      if entry.returned and not entry.accepted then fail("%s of %d raised, and told its callback", what, m.id) end
      if entry.calls > 1 then fail("%s of socket %d: its callback came twice", what, m.id) end
      if m.ended and not (entry.late or m.ended_early) then
        fail("%s of socket %d: its callback came after close", what, m.id)
      end
      m.waiting = m.waiting - 1
      if not entry.returned then m.sending = m.sending - 1 end
      if err ~= nil then check_error(err, what .. "'s callback") end
      if bytes and number ~= bytes then fail("%s: told %s bytes of %d", what, tostring(number), bytes) end
      if not bytes and not is_count(number, count) then fail("%s: told %s of %d", what, tostring(number), count) end
      if not bytes and err == nil and number ~= count then fail("%s: no error, %d of %d", what, number, count) end
      mischief(m)
    end
    m.sends[#m.sends + 1] = entry
    m.waiting = m.waiting + 1 -- taken back where it raises
    m.sending = m.sending + 1
  end
  trace(what, m.id, ...)
  local ok, result = pcall(socket[what], socket, unpack(arguments, 1, n))
  entry.returned = true
  entry.accepted = ok
  entry.late = m.ended
  if entry.wanted and entry.calls == 0 then m.sending = m.sending - 1 end
  if ok then
    m.accepted = m.accepted + count
    if type(result) ~= "boolean" then fail("%s returned %s", what, tostring(result)) end
    return result
  end
  if entry.wanted then m.waiting = m.waiting - 1 end
  trace(what, "raised", result)
  check_error(result, what)
end

--- What one step sends to a place, or to the peer, is numbered under one name. A finalizer that sends from the same socket
--- meanwhile comes between a number and its send: its own have another name. `done` ends the step.
local function begin(m, port, host)
  local key = host and (host .. ":" .. tostring(port or "")):gsub("[/%z]", "~") or "peer"
  m.busy = m.busy + 1
  if m.busy == 1 then return key end
  nests = nests + 1
  return key .. "!" .. nests
end

local function done(m) m.busy = m.busy - 1 end

local function send_one(m, msg, port, host)
  if port then return send(m, "send", 1, #msg, msg, port, host) end
  return send(m, "send", 1, #msg, msg, host)
end

-- ---- Steps

local steps = {}

function steps.send(m)
  local port, host = target(m)
  local key = begin(m, port, host)
  for _ = 1, one_in(3) and chance(80) or chance(3) do send_one(m, payload(m, key), port, host) end
  done(m)
end

steps.send_again = steps.send
steps.send_more = steps.send

function steps.send_odd(m)
  local port, host = target(m)
  local msg = any { "", ("anybody"):rep(9362), ("anybody"):rep(31000) }
  send_one(m, msg, port, host)
end

function steps.send_parts(m)
  local port, host = target(m)
  local key = begin(m, port, host)
  local text = payload(m, key)
  local parts = { text:sub(1, 5), text:sub(6), "" }
  if port then
    send(m, "send", 1, #text, parts, port, host)
    text = payload(m, key)
    send(m, "sendto", 1, #text, text .. "more", 0, #text, port, host)
  else
    send(m, "send", 1, #text, parts, host)
  end
  done(m)
end

local own_options = {
  { tos = 8 }, { ttl = 3, interface = "lo" }, { localAddress = "127.0.0.1" }, { localAddress = "127.0.0.2", tos = 4 },
  { localAddress = "::1" }, { localAddress = "192.0.2.1" }, { interface = "nosuch0" }, {},
}

function steps.send_options(m)
  local port, host = target(m)
  if not port then return end
  local key, list = begin(m, port, host), {}
  for _ = 1, chance(20) do
    local text = payload(m, key)
    send(m, "send", 1, #text, text, port, host, any(own_options))
  end
  for i = 1, chance(20) - 1 do list[i] = payload(m, key) end
  send(m, "sendMany", #list, nil, list, port, host, any(own_options))
  done(m)
end

function steps.send_peer(m)
  local key = begin(m)
  for _ = 1, chance(20) do
    local text = payload(m, key)
    send(m, "send", 1, #text, text)
  end
  done(m)
end

function steps.send_many(m)
  local port, host = target(m)
  local key = begin(m, port, host)
  local list = {}
  for i = 1, chance(100) - 1 do list[i] = payload(m, key) end
  if port then
    send(m, "sendMany", #list, nil, list, port, host)
  else
    send(m, "sendMany", #list, nil, list, host)
  end
  done(m)
end

function steps.reply(m)
  local rinfo = m.rinfo or any { { address = "127.0.0.1", port = 0 }, { address = "" }, {} }
  local text = "anybody"
  trace("reply", m.id)
  local entry_count = one_in(2) and 1 or chance(20)
  for _ = 1, entry_count do
    send(m, "reply", 1, #text, text, rinfo)
  end
end

function steps.bad_send(_, socket)
  try("bad send", socket[any { "send", "sendto", "sendMany", "reply" }], socket,
    any { 3, {}, "x", { 1 } }, any { -1, 70000, "x" }, any { 1, {}, "" })
end

function steps.flush(_, socket)
  local result = try("flush", socket.flush, socket)
  if result ~= nil and type(result) ~= "boolean" then fail "flush" end
end

function steps.discard(_, socket)
  local count = try("discard", socket.discard, socket)
  if count ~= nil and not is_count(count) then fail("discard returned %s", tostring(count)) end
end

local function note_place(m)
  local socket = m.socket or weak[m.id]
  local ok, at = pcall(socket.address, socket)
  if not ok then return check_error(at, "address") end
  m.port, m.path = at.port, m.kind == "unix_dgram" and at.address ~= "" and at.address or nil
end

function steps.bind(m, socket)
  local kind = m.kind
  local forms = { { 0, own[kind] }, { { address = own[kind] } }, { 0, "203.0.113.1" }, { 0, "no.such" }, {} }
  if kind == "unix_dgram" then
    forms = { {}, {}, { ("/tmp/dgram-fuzz-%d-%d"):format(uv.os_getpid(), m.id) }, { "/nonexistent/x" },
      { { path = ("/tmp/dgram-fuzz-%d-%d"):format(uv.os_getpid(), m.id), mode = "0600" } } }
  end
  local form = any(forms)
  if form[2] == "no.such" then form[2] = m.looks_up and any(hosts) or own[kind] end
  if one_in(3) and type(form[#form]) ~= "function" then form[#form + 1] = event(m) end
  if one_in(4) then
    try("bindSync", socket.bindSync, socket, type(form[1]) == "table" and form[1] or { address = form[2] })
  else
    try("bind", socket.bind, socket, unpack(form))
  end
  note_place(m)
end

steps.bind_again = steps.bind

function steps.connect(m, socket)
  local port, host = target(m)
  local first, second = port or host, port and host or nil
  local method = one_in(3) and "connectSync" or "connect"
  local arguments = { first, second }
  local calls = 0
  if method == "connect" and one_in(2) then
    arguments[#arguments + 1] = function(err)
      calls = calls + 1
      if calls > 1 then fail "connect's callback came twice" end
      if err ~= nil then check_error(err, "connect's callback") end
      mischief(m)
    end
  end
  try(method, socket[method], socket, unpack(arguments))
  note_place(m)
end

function steps.disconnect(_, socket)
  try("disconnect", socket.disconnect, socket)
  try("remoteAddress", socket.remoteAddress, socket)
end

function steps.adopt(m, socket)
  if m.kind ~= "unix_dgram" or not uv.socketpair then return end
  local pair = uv.socketpair "dgram"
  if not pair then return end
  trace("adopt", m.id, pair[1], pair[2])
  local ok, err = pcall(socket.bind, socket, { fd = pair[1] })
  if not ok then
    check_error(err, "adopt")
    uv.fs_close(pair[1])
  end
  local other = one_in(2) and create()
  other = other and other.kind == "unix_dgram" and other.socket
  if other and pcall(other.bind, other, { fd = pair[2] }) then return end
  uv.fs_close(pair[2])
end

function steps.pause(m, socket)
  m.pauses = (m.pauses or 0) + 1
  local now = m.pauses
  if try("pause", socket.pause, socket) and m.pauses == now then m.paused, m.paused_late = true, in_finalizer end
end

function steps.resume(m, socket)
  m.pauses = (m.pauses or 0) + 1
  m.paused = false
  try("resume", socket.resume, socket)
end

function steps.refs(_, socket)
  try("ref or unref", socket[any { "ref", "unref" }], socket)
end

function steps.options(_, socket)
  local each = any {
    { "setTTL", any { 0, 1, 64 } }, { "setBroadcast", true }, { "setMulticastTTL", any { 0, 300 } },
    { "setMulticastLoopback", false }, { "setMulticastInterface", any { "127.0.0.1", "::%lo", "nonsense" } },
    { "addMembership", "239.255.77.9", "127.0.0.1" }, { "dropMembership", "239.255.77.9", "127.0.0.1" },
    { "addMembership", "127.0.0.1" }, { "addMembership", "ff02::7:7", "::%lo" }, { "dropMembership", "ff02::7:7", "*" },
    { "addSourceSpecificMembership", "127.0.0.1", "232.77.0.9", "127.0.0.1" },
    { "setRecvBufferSize", any { 0, 2304, 100000 } }, { "setSendBufferSize", any { 0, 4608, 100000 } },
    { "getRecvBufferSize" }, { "getSendBufferSize" }, { "fileno" }, { "address" }, { "remoteAddress" },
    { "state" }, { "setTypeOfService", any { 8, 256 } }, { "getTypeOfService" }, { "getPathMTU" },
    { "setDontFragment", any { false, 1 } }, { "setOption", "SOL_SOCKET", "SO_DONTROUTE", 0 },
    { "getOption", "SOL_SOCKET", any { "SO_TYPE", "SO_NO_SUCH_OPTION" } },
  }
  try(each[1], socket[each[1]], socket, unpack(each, 2))
end

function steps.look(m, socket)
  local count, size = socket:getSendQueueCount(), socket:getSendQueueSize()
  if not is_count(count) or not is_count(size) then fail("%d: %s datagrams, %s bytes wait", m.id, count, size) end
  local stats = try("stats", socket.stats, socket)
  for name, value in pairs(stats or {}) do
    if type(value) == "number" and value < 0 then fail("stats().%s is %s", name, value) end
  end
  if type(tostring(socket)) ~= "string" then fail "tostring" end
end

function steps.listen(m, socket)
  local method = any { "on", "on", "once", "prependListener", "prependOnceListener" }
  local name = any { "message", "message", "message", "batch", "batch", "error", "custom", "connect", "listening" }
  local fn = name == "message" and listener(m) or name == "batch" and batch_listener(m) or
    name == "error" and on_error(m) or event(m)
  try(method, socket[method], socket, name, fn)
  m.listeners = m.listeners or {}
  m.listeners[#m.listeners + 1] = { name, fn }
end

function steps.unlisten(m, socket)
  local last = m.listeners and table.remove(m.listeners)
  if last then try("off", socket.off, socket, unpack(last)) end
end

function steps.emit(_, socket)
  try("emit", socket.emit, socket, any { "custom", "error" },
    setmetatable({ name = "Error", code = "EMINE", message = "mine" }, { __tostring = function() return "mine" end }))
end

function steps.remove_listeners(m, socket)
  if not one_in(4) then return end
  local name = any { "message", "batch", "error", "drain", "close", "all" }
  if name == "close" or name == "all" then m.close_listeners = 0 end
  if name == "all" then return try("removeAllListeners", socket.removeAllListeners, socket) end
  try("removeAllListeners", socket.removeAllListeners, socket, name)
end

-- ---- Calls of receive. Only what they return is looked at: what waits may be taken by others in between.

local function check_result(m, first, second)
  if type(first) == "string" then
    check_datagram(m, first, second, {})
    m.rinfo = second
  elseif first ~= nil then
    check_lists(m, first, second, {})
  elseif second ~= "timeout" and second ~= "closed" then
    check_error(second, "a call of receive")
  end
  return first ~= nil
end

function steps.receive_now(m, socket)
  m.calls = true
  trace("receive(0)", m.id)
  check_result(m, socket:receive(0))
end

function steps.receive_many(m, socket)
  m.calls = true
  trace("receiveMany", m.id)
  check_result(m, socket:receiveMany(any { 1, 2, 100 }))
end

local function wait_for(m, socket, timeouts)
  m.calls = true
  trace("wait", m.id)
  if one_in(2) then return check_result(m, socket:receive(any(timeouts))) end
  return check_result(m, socket:receiveMany(chance(5), any(timeouts)))
end

function steps.receive_in_coroutine(m, socket)
  local co = coroutine.create(function()
    for _ = 1, chance(3) do
      if not wait_for(m, socket, { 1, 5, math.huge }) then break end
      mischief(m)
    end
  end)
  m.coroutines[#m.coroutines + 1] = co
  local ok, err = coroutine.resume(co)
  if not ok then check_error(err, "a coroutine") end
end

function steps.receive_here(m, socket)
  if plain51 and coroutine.running() then return end
  try("wait here", wait_for, m, socket, { 1, 3 })
end

local function close(m, socket)
  local fn = one_in(2) and on_close(m) or nil
  local was = m.closed
  if try("close", socket.close, socket, fn) then
    if was then fail("socket %d: the second close() did not raise", m.id) end
    m.closed = true
  elseif fn then
    m.close_listeners = m.close_listeners - 1
  end
end

function steps.close(m, socket)
  if one_in(3) then close(m, socket) end
end

function steps.abort()
  if not one_in(8) then return end
  local signal = any(signals)
  if try("abort", signal.emit, signal, "abort") == nil then return end
  for _, m in ipairs(models) do
    if m.signal == signal then m.closed = true end
  end
end

function steps.forget(m)
  if not one_in(4) then return end
  trace("forget", m.id)
  m.socket, m.forgotten = nil, true
  if one_in(2) then steps.collect() end
end

function steps.create() create() end

function steps.block()
  local list = any(lists)
  local each = any {
    { "addAddress", "127.0.0.1" }, { "addSubnet", "127.0.0.0", 8 }, { "addCIDR", "::/0" }, { "clear" }, { "clear" },
    { "removeAddress", "127.0.0.1" }, { "removeSubnet", "127.0.0.0", 8 }, { "removeCIDR", "::/0" }, { "check", "::1" },
    { "addCIDRs", dgram.BlockList.PRIVATE_RANGES }, { "fromJSON", { "Address: IPv4 127.0.0.2" } }, { "toJSON" },
    { "addAddresses", { "127.0.0.3", "nonsense" } }, { "addRange", "::1", "::" },
  }
  try(each[1], list[each[1]], list, unpack(each, 2))
  local size, rules = list.size, #list.rules
  local settled = size == list.size and not in_finalizer
  if not is_count(size) or settled and size ~= rules then fail "the block list's size" end
end

function steps.answer()
  local reply = table.remove(unanswered, 1)
  if reply then try("answer", reply) end
end

function steps.collect()
  if in_finalizer and rawget(_G, "jit") then return end -- LuaJIT's collector may then never end
  if one_in(4) then collectgarbage() else collectgarbage "step" end
end

function steps.finalizer(m)
  for _ = 1, chance(4) do
    finalized(function()
      if budget <= 0 then return end
      trace "finalizer"
      local outer = in_finalizer
      in_finalizer = true
      local ok, err = pcall(mischief, m)
      in_finalizer = outer
      if ok then return end
      if may_raise_in_finalizers then error(err, 0) end
      check_error(err, "a finalizer")
    end)
  end
end

function steps.run()
  local mode = any { "nowait", "nowait", "nowait", "once" }
  try("run", dgram.run, mode)
end

function steps.stop() uv.stop() end

function steps.timer(m)
  local timer
  local fn = dgram.protect(function()
    timer:close()
    mischief(m)
  end)
  timer = uv.new_timer()
  timer:start(chance(3) - 1, 0, fn)
end

function steps.coroutine(m)
  local co = coroutine.create(function()
    mischief(m)
    coroutine.yield()
    mischief(m)
  end)
  local function resume()
    if coroutine.status(co) ~= "suspended" then return end -- it runs a loop now, or has ended
    local ok, err = coroutine.resume(co)
    if not ok then check_error(err, "a coroutine") end
  end
  resume()
  if coroutine.status(co) ~= "suspended" then return end
  local timer
  local fn = dgram.protect(function()
    timer:close()
    resume()
  end)
  timer = uv.new_timer()
  timer:start(1, 0, fn)
end

function steps.handler()
  handler_set = not handler_set
  dgram.setUncaughtHandler(handler_set and function(err, traceback)
    check_error(err, "uncaught")
    if type(traceback) ~= "string" then fail "no traceback" end
    mischief()
  end or nil)
end

function steps.raise()
  if depth > 1 then error(PURPOSE, 0) end
end

local names = {}
for name in pairs(steps) do names[#names + 1] = name end
table.sort(names)

local free = { create = true, block = true, answer = true, collect = true, run = true, stop = true, handler = true,
  raise = true, abort = true }

local function act(m)
  budget = budget - 1
  local list = alive()
  if not (m and m.socket and one_in(2)) then m = #list > 0 and any(list) or nil end
  local name = any(names)
  if not m and not free[name] then return create() end
  steps[name](m, m and m.socket)
end

function mischief(m)
  if budget <= 0 or depth >= DEEPEST or one_in(2) then return end
  depth = depth + 1
  local ok, err = pcall(function()
    for _ = 1, chance(3) do act(m) end
  end)
  depth = depth - 1
  if not ok then error(err, 0) end
end

-- ---- The walk, and what has to be true after it

local function descriptors()
  local count, scan = 0, uv.fs_scandir "/proc/self/fd"
  if not scan then return 0 end
  while uv.fs_scandir_next(scan) do count = count + 1 end
  return count
end

local function turn(mode)
  trace("loop", mode)
  local ok, err = pcall(dgram.run, mode)
  if not ok then check_error(err, "dgram.run") end
end

local function left()
  local open = {}
  for _, m in ipairs(models) do
    if m.close_listeners > 0 and not m.ended or m.waiting ~= 0 then
      local socket = m.socket or weak[m.id]
      open[#open + 1] = ("%d %s, %d callbacks, %s datagrams"):format(m.id, tostring(socket), m.waiting,
        socket and socket:getSendQueueCount() or "?")
    end
  end
  uv.walk(function(handle)
    if handle:is_active() and handle:has_ref() then open[#open + 1] = tostring(handle) end
  end)
  return table.concat(open, "; ")
end

local function finish()
  for _ = 1, 20 do
    while #unanswered > 0 do steps.answer() end
    for _, m in ipairs(models) do
      m.socket = m.socket or weak[m.id]
      if m.socket and not m.closed then
        local ok, err = pcall(m.socket.close, m.socket)
        if not ok then check_error(err, "the last close") end
        m.closed = true
      end
    end
    turn "nowait"
  end
  local late = uv.new_timer()
  late:start(8000, 0, function() fail("the loop does not end: %s", left()) end)
  late:unref()
  local turns, before = 0, os.clock()
  repeat
    collectgarbage() -- forgotten sockets keep the loop alive
    turn "default"
    turns = turns + 1
    local handles = 0
    uv.walk(function(handle) if handle ~= late and not handle:is_closing() then handles = handles + 1 end end)
  until not uv.loop_alive() and handles == 0 or turns > 50
  if uv.loop_alive() then fail("the loop is alive after %d turns: %s", turns, left()) end
  if os.clock() - before > 4 then fail("the end took %.1f s of CPU time", os.clock() - before) end
  late:close()
  turn "nowait"
end

local function check_model(m)
  local socket = m.socket or weak[m.id]
  if m.waiting ~= 0 then fail("socket %d: %d callbacks never came", m.id, m.waiting) end
  -- a collected socket closes without a word
  if m.close_listeners > 0 and not m.ended and not m.forgotten then fail("socket %d: close never came", m.id) end
  for _, entry in ipairs(m.sends) do
    if entry.accepted and entry.calls ~= 1 then fail("socket %d: a callback came %d times", m.id, entry.calls) end
  end
  if not socket then return end
  for _, co in ipairs(m.coroutines) do
    if coroutine.status(co) ~= "dead" then fail("socket %d: a call of receive never ended", m.id) end
  end
  if socket:getSendQueueCount() ~= 0 or socket:getSendQueueSize() ~= 0 then fail("socket %d: something waits", m.id) end
  local stats = socket:stats()
  if not os.getenv "NOACC" and stats.messagesSent + stats.sendErrors ~= m.accepted then
    fail("socket %d: %d sent and %d errors of %d accepted", m.id, stats.messagesSent, stats.sendErrors, m.accepted)
  end
end

local function walk()
  turn "nowait"
  local before = descriptors()
  local restore = collector(110, 1000)
  local ticker = uv.new_timer()
  ticker:start(1, 1, function() end)
  create()
  create()
  for _ = 1, STEPS do
    depth = 1
    local ok, err = pcall(act)
    depth = 0
    if not ok then check_error(err, "a step") end
    if one_in(3) then turn(any { "nowait", "nowait", "once" }) end
  end
  ticker:close()
  budget = 0
  restore()
  finish()
  for _, m in ipairs(models) do check_model(m) end
  dgram.setUncaughtHandler(nil)
  for i, m in ipairs(models) do
    m.socket = nil
    models[i] = nil
  end
  collectgarbage()
  collectgarbage()
  turn "default"
  if has_abstract and descriptors() ~= before then fail("%d descriptors, %d before", descriptors(), before) end
  local handles = {}
  uv.walk(function(handle) handles[#handles + 1] = tostring(handle) end)
  if #handles > 0 then fail("handles are left: %s", table.concat(handles, ", ")) end
  local closed, reason = uv.loop_close()
  if not closed then fail("loop_close: %s", tostring(reason)) end
  print "ok"
end

walk()
