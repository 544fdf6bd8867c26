-- SPDX-License-Identifier: MIT
-- Memory that runs out, at each allocation in turn: the script ends well or by an error, and afterwards all is as it was.
-- DGRAM_OOM=all tries every allocation, with shortages of several lengths; otherwise a sample of them.
local can = require "spec.support.can"
local child = require "spec.support.child"
local file = require "spec.support.file"
local loop = require "spec.support.loop"
local uv = require "luv"

local need = can.need

-- What runs short of memory. `memory()` ends that; from there on everything must work again.
local scenario = [[
local dgram, uv = require "dgram", shield(require)("luv")
for name, fn in pairs(uv) do
  if name:find "^new_" or name:find "_st[ao][rp]t?$" or name == "close" or name == "ref" or name == "unref" then
    uv[name] = shield(fn)
  end
end

local accepted, told, uncaught, got = 0, 0, 0, 0
local wrong -- what must not be, said once there is memory
local function cb() told = told + 1 end
local function on() got = got + 1 end
local function on_whole(_, _) got = got + 1 end

local function step(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then return true end
  local text = tostring(err)
  if type(err) == "table" and err.code or text:find "not enough memory" or text:find "a nil value" then return false end
  error("neither memory nor an error object: " .. tostring(err), 0)
end

local function turn()
  for _ = 1, 4 do step(dgram.run, "nowait") end
end

local function send(socket, ...)
  if socket and step(socket.send, socket, ...) then accepted = accepted + 1 end
end

step(dgram.setUncaughtHandler, function() uncaught = uncaught + 1 end)
local socket, port, path = {}, nil, nil
step(function()
  socket.a = dgram.createSocket("udp4", on)
  socket.b = dgram.createSocket({ type = "udp4", recvBufferSize = 200000, reuseAddr = true }, on_whole)
  socket.c = dgram.createSocket { type = "udp4", lookup = function(_, _, answer) answer(nil, "127.0.0.1", 4) end }
  socket.a:bind(0, "127.0.0.1")
  port = socket.a:address().port
  socket.b:bind({ port = 0, address = "127.0.0.1" }, function() end)
end)
turn()
if port then
  for i = 1, 6 do
    send(socket.a, "one", port, "127.0.0.1", function() cb() end)
    send(socket.b, { "a", "list" }, port, "127.0.0.1", cb)
    send(socket.c, "named", port, "some.name", cb)
    send(socket.c, "x", port, "127.0.0." .. i, cb)
  end
  send(socket.b, ("x"):rep(65530), port, "127.0.0.1", cb)
  if socket.b and step(socket.b.sendMany, socket.b, { "1", "2", "3" }, port, "127.0.0.1", cb) then
    accepted = accepted + 1
  end
  turn()
  step(function() socket.a:on("message", function() end) end)
  for _ = 1, 70 do send(socket.b, ("m"):rep(300), port, "127.0.0.1", cb) end
  turn()
  if socket.c and step(socket.c.connect, socket.c, port, "127.0.0.1") then
    turn()
    send(socket.c, "connected", cb)
    turn()
    step(socket.c.disconnect, socket.c)
  end
end
-- A call that fails for want of memory leaves a list as it was: each of these changes its size by so many rules.
step(function()
  local list, texts = dgram.BlockList(), { "Address: IPv4 10.0.0.1", "no rule", "Range: IPv6 ::1-::9" }
  for _, call in ipairs {
    { "addAddress", 1, "10.0.0.7" }, { "addAddresses", 3, { "10.1.0.1", "10.1.0.2", "10.1.0.3" } },
    { "addRange", 1, "10.2.0.1", "10.2.0.9" }, { "addCIDRs", 8, dgram.BlockList.PRIVATE_RANGES },
    { "addSubnet", 1, "10.0.0.0", 8 }, { "addCIDR", 1, "::1/128" }, { "fromJSON", 2, texts },
    { "addAddresses", 0, { "10.1.0.4", "nonsense" } }, { "removeAddress", -1, "10.0.0.7" },
    { "removeRange", -1, "10.2.0.1", "10.2.0.9" }, { "removeSubnet", -1, "10.0.0.0", 8 },
    { "removeCIDR", -1, "fc00::/7" }, { "check", 0, "10.1.0.2" }, { "toJSON", 0 },
  } do
    local name, by, size = call[1], call[2], list.size
    local done = pcall(list[name], list, table.unpack(call, 3))
    local grown = list.size - size
    if grown ~= 0 and not (done and grown == by) then wrong = name .. " failed, or did something else" end
  end
  list:clear()
end)
step(function()
  local list = dgram.BlockList()
  list:addAddress "10.0.0.1"
  list:addSubnet("10.1.0.0", 16)
  list:addRange("10.2.0.1", "10.2.0.9")
  list:check "10.1.2.3"
  socket.blocking = dgram.createSocket { type = "udp4", sendBlockList = list, receiveBlockList = list }
  socket.blocking:send(tostring(list.rules[1]), 9, "10.1.0.1", function() end)
  socket.blocking:close()
end)
turn()
step(function()
  local fn = dgram.protect(function(...) error(table.concat { "protected: not enough memory", ... }, 0) end)
  fn("!", 1)
end)
step(function() socket.a:setTTL(0) end)
step(function() socket.a:send() end)
step(function() socket.a:bind(0) end)
step(function() return tostring(socket.a) .. socket.a:getRecvBufferSize() .. socket.a:stats().messages end)
step(function()
  socket.u = dgram.createSocket("unix_dgram", on)
  socket.u:bind()
  path = socket.u:address().address
  socket.v = dgram.createSocket "unix_dgram"
  socket.u:pause()
end)
if path then
  for _ = 1, 20 do send(socket.v, "unix", path, cb) end
  turn()
  step(socket.u.resume, socket.u)
  turn()
end
step(function()
  local forgotten = dgram.createSocket "udp4"
  forgotten:bind(0, "127.0.0.1")
  forgotten:send("x", 9, "127.0.0.1")
end)
step(function()
  socket.r = dgram.createSocket "udp4"
  socket.r:bind(0, "127.0.0.1")
  local own = socket.r:address().port
  for _, timeout in ipairs { false, 1, 60000 } do
    step(coroutine.wrap(function()
      local s = socket.r
      for _ = 1, 2 do s:receive(timeout or nil) end
      s:receiveMany(2, timeout or math.huge)
    end))
  end
  step(function() socket.r:receive(0) end)
  for i = 1, 8 do step(function() socket.r:send(tostring(i), own, "127.0.0.1") end) end
  turn()
  step(function() socket.r:receiveMany(2) end)
  socket.r:on("message", function() end)
  step(function() socket.r:receive(0) end)
  turn()
end)
-- Lists of what came, alone, beside messages and beside calls; and a wait for more.
step(function()
  socket.lists = dgram.createSocket { type = "udp4", gro = true, busyPoll = 1 }
  local function on_batch(messages, rinfos)
    if #messages ~= #rinfos or not messages[1] then wrong = "lists of unequal length" end
  end
  socket.lists:on("batch", on_batch)
  socket.lists:bind(0, "127.0.0.1")
  local own, from = socket.lists:address().port, dgram.createSocket "udp4"
  socket.from = from
  local function burst()
    for i = 1, 8 do step(function() from:send(("%03d"):format(i), own, "127.0.0.1") end) end
    step(from.flush, from)
    turn()
  end
  burst()
  step(function() socket.lists:on("message", on_whole) end)
  burst()
  step(coroutine.wrap(function() socket.lists:receive() end))
  burst()
  step(function() socket.lists:removeAllListeners "message" end)
  burst()
  for i = 1, 3 do step(function() from:send(("%03d"):format(i), own, "127.0.0.1") end) end
  step(function() socket.lists:receive(0) end)
  step(function() socket.lists:receiveMany() end)
  turn()
  step(function() socket.lists:off("batch", on_batch) end)
end)
-- A Unix peer whose queue is full, for one that is not connected to it and for one that is; what waits goes or is given
-- up.
step(function()
  socket.full = dgram.createSocket("unix_dgram", on)
  socket.full:bind()
  socket.full:pause()
  local place = socket.full:address().address
  socket.lanes, socket.peer = dgram.createSocket "unix_dgram", dgram.createSocket "unix_dgram"
  for _ = 1, 30 do send(socket.lanes, "lane", place, cb) end
  send(socket.lanes, "elsewhere", "/nonexistent/path", cb)
  if step(socket.peer.connectSync, socket.peer, place) then
    for _ = 1, 20 do send(socket.peer, "peer", cb) end
    step(socket.peer.flush, socket.peer)
    step(socket.peer.disconnect, socket.peer)
    for _ = 1, 3 do send(socket.peer, "behind", place, cb) end
  end
  turn()
  if step(socket.lanes.sendMany, socket.lanes, { "a", "b", "c" }, place, cb) then accepted = accepted + 1 end
  step(socket.full.resume, socket.full)
  turn()
  step(socket.full.pause, socket.full)
  for _ = 1, 30 do send(socket.lanes, "lane", place, cb) end
  turn()
  step(socket.lanes.discard, socket.lanes)
end)
turn()
-- Answers to what came, and to what cannot be answered; a socket that is looked after at intervals.
step(function()
  socket.asker = dgram.createSocket "udp4"
  socket.server = dgram.createSocket({ type = "udp4", moderation = 50 }, function(_, rinfo)
    if step(socket.server.reply, socket.server, "answer", rinfo, cb) then accepted = accepted + 1 end
    if step(socket.server.reply, socket.server, "nobody", { port = 0, address = "127.0.0.1" }, cb) then
      accepted = accepted + 1
    end
  end)
  socket.server:bind(0, "127.0.0.1")
  for _ = 1, 5 do send(socket.asker, "question", socket.server:address().port, "127.0.0.1", cb) end
end)
turn()
-- One that hears from strangers before it is connected.
step(function()
  socket.client = dgram.createSocket("udp4", on_whole)
  socket.client:bind(0, "127.0.0.1")
  for _ = 1, 3 do send(socket.asker, "stranger", socket.client:address().port, "127.0.0.1", cb) end
  step(socket.asker.flush, socket.asker)
  socket.client:connect(socket.server:address().port, "127.0.0.1")
end)
turn()
-- A look-up that is given up, and one whose name cannot be bound to.
step(function()
  local never
  socket.held = dgram.createSocket { type = "udp4", lookup = function(_, _, answer) never = answer end }
  send(socket.held, "held", 9, "some.name", cb)
  send(socket.held, "held", 9, "other.name", cb)
  step(socket.held.discard, socket.held)
  if never then step(never, nil, "127.0.0.1", 4) end
end)
-- A descriptor that is given away, with a look-up under way, and taken.
local given
step(function()
  socket.giver = dgram.createSocket({ type = "udp4", lookup = function() end }, on)
  socket.giver:bind(0, "127.0.0.1")
  send(socket.giver, "held", 9, "some.name", cb)
  given = socket.giver:detach()
  socket.taker = dgram.createSocket("udp4", on)
  socket.taker:bind { fd = given }
end)
turn()
step(function()
  local path = os.tmpname()
  step(os.remove, path)
  socket.file = dgram.createSocket { type = "unix_dgram", reuseAddr = true }
  socket.file:bind { path = path, mode = "0600" }
  send(socket.file, "to itself", path, cb)
end)
turn()
step(function()
  socket.asking = dgram.createSocket { type = "udp6", pktInfo = true, recvTTL = true, recvTOS = true, timestamp = true }
  socket.asking:bindSync {}
  socket.asking:on("message", on_whole)
  local to = socket.asking:address().port
  for _ = 1, 3 do send(socket.asking, "what came with it", to, "::1", cb) end
  send(socket.asking, "by IPv4", to, "127.0.0.1", cb)
  turn()
  socket.asking:receiveMany()
end)
turn()
step(function()
  local one = dgram.createSocket { type = "udp4", interface = "lo", multicastAll = false }
  socket.one = one
  one:setOption("SOL_SOCKET", "SO_PRIORITY", 3)
  one:setTypeOfService(8)
  one:setDontFragment(true)
  one:connectSync(9, "127.0.0.1")
  local device, mtu = one:getOption("SOL_SOCKET", "SO_BINDTODEVICE"), one:getPathMTU()
  return device .. mtu .. one:getTypeOfService() .. one:state().type
end)
if socket.one then step(socket.one.close, socket.one) end -- else it is collected
socket.one = nil
local pair = {} -- closed when there is memory: who listens is not collected
step(function()
  pair[1], pair[2] = dgram.socketpair { recvBufferSize = 50000 }
  pair[1]:on("error", function() end)
  pair[2]:on("message", on)
  pair[1]:send("to the pair's other end", function() end)
  turn()
end)
collectgarbage()
-- The collector frees call frames that were not in use. Where luv then cannot call a callback, it ends the process.
local function deep(n) return n > 0 and deep(n - 1) + 1 or 0 end
shield(deep)(60)
step(function()
  socket.w = dgram.createSocket("udp4", function() error "raised" end)
  socket.w:bind(0, "127.0.0.1")
  socket.w:send("x", socket.w:address().port, "127.0.0.1")
  turn()
  socket.w:close()
end)
turn()

memory()
if given and not (socket.taker and socket.taker:fileno() == given) then assert(uv.fs_close(given)) end
if wrong then error(wrong, 0) end

local function check(name, s)
  pcall(s.disconnect, s) -- there may have been no memory to disconnect before
  local at, came, done = s:address(), false, false
  local arguments = { at.port or at.address, at.port and at.address or nil }
  local failure
  arguments[#arguments + 1] = function(err) done, failure = err == nil, err end
  s:removeAllListeners "message"
  s:on("message", function(msg) came = came or msg == "again" end)
  s:resume()
  s:send("again", table.unpack(arguments))
  local tick = uv.new_timer()
  tick:start(5, 5, function() end)
  local turns = 0
  while not (came and done) and turns < 50 do
    dgram.run "once"
    turns = turns + 1
  end
  tick:close()
  dgram.run "nowait" -- luv crashes at the end of a state where a closed handle's callback did not run
  if not (came and done) then
    error(("%s does not work again: received %s, sent %s (%s)"):format(name, came, done, tostring(failure)), 0)
  end
end

for _, s in pairs(pair) do s:close() end
for _, s in pairs(socket) do pcall(s.resume, s) end -- one of them may wait for another one, which could not resume
for name, s in pairs(socket) do
  local open = not tostring(s):find "closed"
  if open and pcall(s.address, s) then check(name, s) end
  if open then s:close() end
end
socket = {}
collectgarbage()
collectgarbage()
local turns = 0
while uv.loop_alive() and turns < 2000 do
  dgram.run "once"
  turns = turns + 1
end
if uv.loop_alive() then error("the loop does not end", 0) end
if told > accepted or told + uncaught < accepted then
  error(("%d callbacks and %d errors of %d sends"):format(told, uncaught, accepted), 0)
end
]]

-- Sockets that are collected while there is no memory at all.
local collected = [[
local dgram, uv = require "dgram", require "luv"
for _ = 1, 9 do
  local s = dgram.createSocket "udp4"
  s:bind(0, "127.0.0.1")
  coroutine.wrap(function() s:receive(1) end)() -- it has a timer, too
end
local tick = uv.new_timer()
tick:start(20, 0, function() tick:close() end)
for _ = 1, 1000 do
  if not tick:is_active() then break end
  dgram.run "once"
end
dgram.run "nowait"
starve()
collectgarbage()
collectgarbage()
memory()
for _ = 1, 3 do dgram.run "nowait" end
if uv.loop_alive() then error("the handle of a collected socket is left", 0) end
uv.walk(function(handle) error("a handle is left: " .. tostring(handle), 0) end)
]]

-- The compiler's arguments for this Lua, or nil and the reason why the host cannot be built.
local function flags()
  if _VERSION < "Lua 5.4" then return nil, "the host is for Lua 5.4 and 5.5" end
  if not file.read "csrc/api/module.c" then return nil, "not run from the top of the source" end
  for _, program in ipairs { "cc", "pkg-config" } do
    local found, reason = can.program(program)
    if not found then return nil, reason end
  end
  local asked = child.start(can.program "pkg-config", { "--cflags", "--libs", "lua" .. _VERSION:match "%d%.%d" }):wait()
  if asked.status ~= 0 then return nil, "no headers of " .. _VERSION end
  return asked.out
end

local function build(folder)
  local lua = need(pending, flags())
  local back = uv.fs_access("/proc/self/fd", "R") and "linux" or "posix"
  local other = back == "linux" and "posix" or "linux"
  local command = ([[
    set -e
    for file in $(ls csrc/*/*.c | grep -v os_%s); do echo $file; done |
      xargs -P 2 -I FILE sh -c 'cc -std=gnu11 -g -O1 -w -fsanitize=address,undefined -fno-sanitize-recover=undefined \
        -Dmalloc=host_malloc -Drealloc=host_realloc -Dfree=host_free -Dstrdup=host_strdup \
        %s -c FILE -o %s/$(basename FILE).o'
    cc -std=gnu11 -g -O1 -Wall -Wextra -fsanitize=address,undefined spec/support/oom_host.c %s/*.o -rdynamic \
      %s -lm -o %s/host
  ]]):format(other, lua:gsub("%s+", " "):gsub("%-l%S+", ""), folder, folder, lua:gsub("%s+", " "), folder)
  local process = child.start("/bin/sh", { "-c", command }):wait(60)
  assert.equal(0, process.status, process.err)
end

describe("without memory", function()
  loop.guard()

  local folder

  lazy_setup(function()
    folder = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/dgram-oom-XXXXXX"))
    file.write(folder .. "/scenario.lua", scenario)
    file.write(folder .. "/collected.lua", collected)
  end)

  lazy_teardown(function()
    for name in uv.fs_scandir_next, uv.fs_scandir(folder) do os.remove(folder .. "/" .. name) end
    uv.fs_rmdir(folder)
  end)

  local function environment()
    local list = { "LUA_PATH=" .. package.path, "LUA_CPATH=" .. package.cpath }
    for name, value in pairs(uv.os_environ()) do
      if not name:find "^LUA_" and name ~= "LD_PRELOAD" and name ~= "ASAN_OPTIONS" then
        list[#list + 1] = name .. "=" .. value
      end
    end
    return list
  end

  local function run(script, first, apart, width)
    if not file.read(folder .. "/host") then build(folder) end
    local process = child.start(folder .. "/host", { folder .. "/" .. script, first, apart, width },
      { env = environment() }):wait(600)
    assert.equal(0, process.status, process.out .. process.err)
    return tonumber(process.out:match "(%d+) runs")
  end

  local all = os.getenv "DGRAM_OOM" == "all"

  -- Longer droughts reach into luv, which leaks, crashes or ends the process then: they are for reading, not for a verdict.
  for _, width in ipairs(all and { 2, 8, 40 } or { 2 }) do
    it(("for %d allocations nothing crashes, leaks, hangs or is lost"):format(width), function()
      assert.is_true(run("scenario.lua", 1, all and 1 or 7, width) > 10)
    end)
  end

  it("a socket that is collected leaves no handle behind", function()
    run("collected.lua", 1e6, 1, 1) -- the script has its own shortage
  end)
end)
