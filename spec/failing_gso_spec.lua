-- SPDX-License-Identifier: MIT
-- Routes and kernels that refuse segmented sends, take less than they are given, or nothing for a while: no datagram is
-- lost, none comes twice, and each has its own result. A preloaded library answers in the kernel's place, or strace does.
local can = require "spec.support.can"
local child = require "spec.support.child"
local dgram = require "dgram"
local loop = require "spec.support.loop"
local uv = require "luv"

local need = can.need
local numbers = { EPERM = 1, EIO = 5, EINVAL = 22, EMSGSIZE = 90, ECONNREFUSED = 111 }

-- The child's program begins with this: all of spec/support/exchange.lua by its names.
local program = [[
  for name, value in pairs(require "spec.support.exchange") do _G[name] = value end
  late(15)
]]

local folder

-- The library, or nil and the reason why it cannot be made.
local function shim()
  local path = folder .. "/refusals.so"
  if uv.fs_access(path, "R") then return path end
  if uv.os_uname().sysname ~= "Linux" then return nil, "the library to preload is for Linux" end
  local compiler, reason = can.program "cc"
  if not compiler then return nil, reason end
  local source = "spec/support/refusals.c"
  if not uv.fs_access(source, "R") then return nil, "not run from the top of the source" end
  local process = child.start(compiler, { "-O1", "-w", "-shared", "-fPIC", "-o", path, source, "-ldl" }):wait(60)
  assert.equal(0, process.status, process.err)
  return path
end

local function has_segments()
  local socket = dgram.createSocket "udp4"
  local gso = socket:stats().gso
  socket:close()
  loop.run()
  if gso then return true end
  return nil, "no segmented sends here"
end

-- The environment with the library behind what is preloaded already: a sanitizer has to be the first.
local function environment(library, settings)
  local list, preloaded = {}, os.getenv "LD_PRELOAD"
  for name, value in pairs(uv.os_environ()) do
    if name ~= "LD_PRELOAD" then list[#list + 1] = name .. "=" .. value end
  end
  list[#list + 1] = "LD_PRELOAD=" .. (preloaded and preloaded .. " " or "") .. library
  for name, value in pairs(settings) do list[#list + 1] = name .. "=" .. value end
  return list
end

local function results(process, found)
  assert.same({ 0, 0 }, { process.status, process.signal }, process.out .. process.err)
  for key, value in (process.out .. process.err):gmatch "(%w+)=([%w+]*)" do found[key] = tonumber(value) or value end
  assert.is_not_nil(found.gso, process.out .. process.err)
  return found
end

local function with_paths()
  return ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
end

-- Runs the body with the library answering; returns what the body and the library have counted, by name.
local function refusing(settings, body, ...)
  if settings.REFUSE_ERRNO or settings.MOST_SEGMENTS or settings.SHORT then need(pending, has_segments()) end
  local library = need(pending, shim())
  local code = program .. (select("#", ...) > 0 and body:format(...) or body)
  local process = child.start(child.interpreter(), { "-e", with_paths(), "-e", code },
    { env = environment(library, settings) }):wait(30)
  return results(process, {})
end

local function folders()
  lazy_setup(function()
    folder = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/dgram-refusal-XXXXXX"))
  end)
  lazy_teardown(function()
    os.remove(folder .. "/refusals.so")
    uv.fs_rmdir(folder)
  end)
end

describe("a route that refuses segmented sends", function()
  loop.guard()
  folders()

  for _, errno in ipairs { "EIO", "EINVAL", "EMSGSIZE" } do
    for kind, address in pairs { udp4 = "127.0.0.1", udp6 = "::1" } do
      it(("with %s costs no datagram, %s"):format(errno, kind), function()
        if kind == "udp6" then need(pending, can.ipv6()) end
        local found = refusing({ REFUSE_ERRNO = numbers[errno] }, [[
          local kind, r = %q, receiver(%q)
          for what, size in pairs(trains.sizes) do
            for _, connected in ipairs { false, true } do
              for _, send in ipairs { by_callbacks, by_list } do
                local s = sender(kind)
                if connected then s:connectSync(r.port, %q) end
                r.connected = connected
                for _, n in ipairs(trains.runs) do exchange(s, r, trains.run(n, size), nil, send) end
                if s:stats().sendErrors ~= 0 then error(what, 0) end
                s:close()
              end
            end
          end
          finish(sender(kind))
        ]], kind, kind, address)
        assert.equal("", found.events)
        assert.is_true(found.refused > 0)
      end)
    end
  end

  it("with EIO makes the socket give segmentation up", function()
    local found = refusing({ REFUSE_ERRNO = numbers.EIO }, [[
      local s = sender "udp4"
      for _ = 1, 3 do exchange(s, receiver "udp4", trains.run(129, equal)) end
      for _, r in ipairs(receivers) do exchange(s, r, trains.run(1000, equal)) end
      finish(s)
    ]])
    assert.same({ "false", 1, 1, 0 }, { found.gso, found.refused, found.trains, found.errors })
  end)

  for _, errno in ipairs { "EINVAL", "EMSGSIZE" } do
    it(("with %s, however often, does not"):format(errno), function()
      local found = refusing({ REFUSE_ERRNO = numbers[errno] }, [[
        local s = sender "udp4"
        for _ = 1, 5 do exchange(s, receiver "udp4", trains.run(129, equal)) end
        for _, r in ipairs(receivers) do exchange(s, r, trains.run(1000, equal)) end
        finish(s)
      ]])
      assert.same({ "true", 0 }, { found.gso, found.errors })
      assert.is_true(found.refused >= 10, found.refused .. " refused")
    end)
  end

  it("of more than 64 datagrams, as older kernels do, gets shorter ones from then on", function()
    local found = refusing({ MOST_SEGMENTS = 64 }, [[
      local r, s = receiver "udp4", sender "udp4"
      for _, n in ipairs { 63, 64, 65, 128, 129, 130, 1000 } do
        for _, send in ipairs { by_callbacks, by_list } do exchange(s, r, trains.run(n, equal), nil, send) end
      end
      finish(s)
    ]])
    assert.same({ "true", 0, 1, 64 }, { found.gso, found.errors, found.invalid, found.longest })
  end)

  it("for long segments alone carries the short ones elsewhere in trains still", function()
    local found = refusing({ REFUSE_ERRNO = numbers.EMSGSIZE, REFUSE_ABOVE = 1200 }, [[
      local a, b, s = receiver "udp4", receiver "udp4", sender "udp4"
      exchange(s, a, trains.run(129, trains.sizes["equal, fewer to a train"]))
      exchange(s, b, trains.run(1000, equal))
      exchange(s, a, trains.run(65, trains.sizes["mixed"]))
      finish(s)
    ]])
    assert.same({ "true", 0 }, { found.gso, found.errors })
    assert.is_true(found.trains >= 8, found.trains .. " trains")
  end)

  it("and one datagram of the train: that one fails alone, and nothing is proved against trains", function()
    -- the library fails datagrams that begin with X, which is number 88
    local found = refusing({ REFUSE_ERRNO = numbers.EPERM, FAIL_ERRNO = numbers.EPERM }, [[
      local r, s, list = receiver "udp4", sender "udp4", trains.run(257, equal, 60)
      exchange(s, r, list, { [list[29] ] = "EPERM" })
      finish(s)
    ]])
    assert.same({ "true", 1, 1, 2 }, { found.gso, found.errors, found.failed, found.refused })
  end)

  it("and a datagram that is bad anyway, before, behind and between trains", function()
    for _, errno in ipairs { "EIO", "EINVAL", "EMSGSIZE" } do
      local found = refusing({ REFUSE_ERRNO = numbers[errno] }, [[
        local r, s = receiver "udp4", sender "udp4"
        for _, n in ipairs { 1, 2, 33, 63, 64, 65, 129, 130 } do
          local list = trains.run(130, equal)
          list[n] = ("x"):rep(65507 + n)
          exchange(s, r, list, { [list[n] ] = "EMSGSIZE" })
        end
        finish(s)
      ]])
      assert.same({ tostring(errno ~= "EIO"), 8, "" }, { found.gso, found.errors, found.events })
    end
  end)

  it("that says so for an earlier datagram of a connected socket is asked again, with the train", function()
    local found = refusing({ REFUSE_ERRNO = numbers.ECONNREFUSED, REFUSE_FIRST = 1 }, [[
      local r, s = receiver "udp4", sender "udp4"
      s:connectSync(r.port, r.address)
      r.connected = true
      exchange(s, r, trains.run(64, equal))
      finish(s)
    ]])
    assert.same({ "true", 0, "ECONNREFUSED", 1, 2 },
      { found.gso, found.errors, found.events, found.refused, found.trains })
  end)

  it("of an earlier datagram is told, though the repeated send fails by itself", function()
    local found = refusing({ LATE_ERRNO = numbers.ECONNREFUSED, FAIL_ERRNO = numbers.EPERM }, [[
      local r, s = receiver "udp4", sender("udp4", { gso = false })
      s:connectSync(r.port, r.address)
      r.connected = true
      exchange(s, r, { "X", "behind" }, { X = "EPERM" })
      finish(s)
    ]])
    assert.same({ 1, "ECONNREFUSED" }, { found.errors, found.events })
  end)
end)

-- A server that answers each question with the same bytes, but for the tenth, and a client that asks the next thing when
-- the answer has gone, or failed.
local questions = [[
  local server, asker = sender "udp4", receiver "udp4"
  local port = server:bindSync({ address = "127.0.0.1" }).port
  local function verdicts() return server:stats().messagesSent + server:stats().sendErrors end
  server:on("message", function(msg, rinfo)
    server:send(msg == "10" and "X" or msg, rinfo.port, rinfo.address)
  end)
  for i = 1, %d do
    asker.socket:send(tostring(i), port, "127.0.0.1")
    while verdicts() < i do dgram.run "once" end
  end
  while #asker.got < server:stats().messagesSent do dgram.run "once" end
  local list = {}
  for i, datagram in ipairs(asker.got) do list[i] = datagram.msg end
  print("answers=" .. table.concat(list, "+"))
  finish(server)
]]

describe("an answer", function()
  loop.guard()
  folders()

  it("is queued where the kernel has no room, and comes once", function()
    local found = refusing({ BLOCK_EVERY = 3 }, questions, 99)
    local wanted = {}
    for i = 1, 99 do wanted[i] = i == 10 and "X" or tostring(i) end
    assert.equal(table.concat(wanted, "+"), tostring(found.answers))
    assert.is_true(found.blocked > 2)
    assert.same({ 0, "" }, { found.errors, found.events })
  end)

  it("fails alone", function()
    local found = refusing({ FAIL_ERRNO = numbers.EPERM }, questions, 12)
    assert.equal("1+2+3+4+5+6+7+8+9+11+12", tostring(found.answers))
    assert.same({ 1, "EPERM" }, { found.errors, found.events })
  end)

  it("and an error of an earlier datagram's are told apart", function()
    local found = refusing({ LATE_ERRNO = numbers.ECONNREFUSED, FAIL_ERRNO = 0 }, questions, 12)
    assert.equal("1+2+3+4+5+6+7+8+9+X+11+12", tostring(found.answers))
    assert.same({ 0, "ECONNREFUSED" }, { found.errors, found.events })
    found = refusing({ LATE_ERRNO = numbers.ECONNREFUSED, FAIL_ERRNO = numbers.EPERM }, questions, 12)
    assert.equal("1+2+3+4+5+6+7+8+9+11+12", tostring(found.answers))
    assert.same({ 1, "ECONNREFUSED+EPERM" }, { found.errors, found.events })
  end)
end)

-- Runs of every size to one destination, and to three in turn.
local everything = [[
  local options, r = { gso = %s }, receiver "udp4"
  for _, size in pairs(trains.sizes) do
    local s = sender("udp4", options)
    for _, n in ipairs(trains.runs) do exchange(s, r, trains.run(n, size)) end
    if s:stats().sendErrors ~= 0 then error("send errors", 0) end
    s:close()
  end
  local s = sender("udp4", options)
  spread(s, { receiver "udp4", receiver "udp4", receiver "udp4" }, trains.run(300, trains.sizes["mixed"]), 5)
  finish(s)
]]

describe("a kernel that takes less than it is given", function()
  loop.guard()
  folders()

  for what, settings in pairs {
    ["one message of many"] = { SHORT = 1 },
    ["two messages at most"] = { SHORT = 2 },
    ["seven messages at most"] = { SHORT = 7 },
    ["63 messages at most"] = { SHORT = 63 },
    ["nothing at every other call"] = { BLOCK_EVERY = 2 },
    ["three at most, and nothing at every third call"] = { SHORT = 3, BLOCK_EVERY = 3 },
    ["five at most, no trains, and nothing at every other call"] =
      { SHORT = 5, BLOCK_EVERY = 2, REFUSE_ERRNO = numbers.EINVAL },
  } do
    it("gets the rest again: " .. what, function()
      for _, gso in ipairs { "true", "false" } do
        local found = refusing(settings, everything, gso)
        local segments = tostring(gso == "true" and has_segments() or false)
        assert.same({ segments, 0, "" }, { found.gso, found.errors, found.events })
        if settings.SHORT then assert.is_true(found.cut > 0) end
        if settings.BLOCK_EVERY then assert.is_true(found.blocked > 0) end
        if settings.REFUSE_ERRNO and gso == "true" then assert.is_true(found.refused > 0) end
      end
    end)
  end

  -- the library fails those that begin with X: of each 256 the 88th, where it is not empty
  for what, settings in pairs {
    ["in full batches"] = {},
    ["in short ones"] = { SHORT = 3 },
    ["with pauses"] = { BLOCK_EVERY = 2 },
  } do
    it("or refuses single datagrams of a batch: they fail alone, " .. what, function()
      settings.FAIL_ERRNO = numbers.EPERM
      local found = refusing(settings, [[
        local r, s = receiver "udp4", sender("udp4", { gso = false })
        for _, size in ipairs { equal, trains.sizes["mixed"] } do
          for _, n in ipairs { 87, 88, 89, 129, 1000 } do
            local list, bad = trains.run(n, size), {}
            for _, msg in ipairs(list) do
              if msg:find "^X" then bad[msg] = "EPERM" end
            end
            exchange(s, r, list, bad)
          end
        end
        finish(s)
      ]])
      assert.same({ 13, "" }, { found.errors, found.events })
      assert.is_true(found.failed >= 13)
    end)
  end
end)

describe("a real system call that fails for a train", function()
  loop.guard()

  -- AddressSanitizer's leak check traces by itself, and a tracer excludes another.
  local function traced(call, errno, when, body)
    need(pending, has_segments())
    if os.getenv "LD_PRELOAD" then pending "a sanitizer is preloaded" end
    local strace = need(pending, can.program "strace")
    local process = child.start(strace, { "-f", "-qq", "-o", "/dev/null", "-e", "trace=" .. call, "-e",
      ("inject=%s:error=%s:when=%s"):format(call, errno, when), child.interpreter(), "-e", with_paths(), "-e",
      program .. body }):wait(30)
    need(pending, not process.err:find "ptrace", "strace cannot trace here")
    return results(process, {})
  end

  for _, errno in ipairs { "EIO", "EINVAL", "EMSGSIZE" } do
    it(("with %s, costs no datagram of runs of 65, 129 and 1000"):format(errno), function()
      -- the first sendmsg has a train; its datagrams go by sendmmsg
      local found = traced("sendmsg", errno, "1", [[
        local r, s = receiver "udp4", sender "udp4"
        for _, n in ipairs { 65, 129, 1000 } do exchange(s, r, trains.run(n, equal)) end
        finish(s)
      ]])
      local gso = tostring(errno ~= "EIO")
      assert.same({ gso, 0, "" }, { found.gso, found.errors, found.events })
      -- a batch of several trains, to two destinations
      found = traced("sendmmsg", errno, "1", [[
        local s = sender "udp4"
        spread(s, { receiver "udp4", receiver "udp4" }, trains.run(64, equal), 40)
        finish(s)
      ]])
      assert.same({ gso, 0, "" }, { found.gso, found.errors, found.events })
    end)
  end
end)
