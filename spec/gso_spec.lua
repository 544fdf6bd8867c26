-- SPDX-License-Identifier: MIT
-- Datagrams in GSO and GRO batches: each arrives once, in order, as it was sent.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local trains = require "spec.support.trains"

local need, never, new = can.need, loop.never, sockets.new
local loopback = sockets.loopback
local largest = { udp4 = 65507, udp6 = 65527 }
local switches = { true, false }

-- Every way to send a list. Each calls told(i, err, bytes) as often as callbacks come; returns how many are to come.
local ways = {
  ["send"] = function(socket, list, to)
    socket:on("error", never())
    for _, msg in ipairs(list) do socket:send(msg, to.port, to.address) end
    return 0
  end,
  ["send with callbacks"] = function(socket, list, to, told)
    for i, msg in ipairs(list) do
      socket:send(msg, to.port, to.address, function(err, bytes) told(i, err, bytes) end)
    end
    return #list
  end,
  ["sendMany"] = function(socket, list, to, told)
    socket:sendMany(list, to.port, to.address, function(err, count) told(1, err, count, #list) end)
    return 1
  end,
  ["send, connected"] = function(socket, list, _, told)
    for i, msg in ipairs(list) do
      socket:send(msg, function(err, bytes) told(i, err, bytes) end)
    end
    return #list
  end,
  ["sendMany, connected"] = function(socket, list, _, told)
    socket:sendMany(list, function(err, count) told(1, err, count, #list) end)
    return 1
  end,
}

-- A sender and a receiver, with segmentation and coalescing on or off.
local function pair(kind, gso, gro, way)
  if kind == "udp6" then need(pending, can.ipv6()) end
  local p = { kind = kind, send = ways[way or "send"] }
  -- what a system does not give, it takes down to what it has
  p.receiver, p.port, p.got = sockets.collector { type = kind, gro = gro, recvBufferSize = 4000000 }
  p.room = p.receiver:getRecvBufferSize()
  p.sender = new { type = kind, gso = gso }
  p.to = { port = p.port, address = loopback[kind] }
  if way and way:find "connected" then p.sender:connectSync(p.port, loopback[kind]) end
  return p
end

local function close(p)
  assert.same({ 0, 0 }, { p.receiver:stats().dropped or 0, p.receiver:stats().truncated })
  sockets.close_all(p.sender, p.receiver)
  loop.run()
end

-- Sends what surely fits into the receiver's buffer, and waits for it and for its callbacks; then checks those.
local function send_part(p, part)
  local called, wrong, before = 0, nil, #p.got
  local due = p.send(p.sender, part, p.to, function(i, err, number, wanted)
    called = called + 1
    if i ~= called or err ~= nil or number ~= (wanted or #part[i]) then
      wrong = wrong or ("call %d is for %d: (%s, %s)"):format(called, i, tostring(err), tostring(number))
    end
  end)
  assert.equal(0, called)
  loop.wait(function() return #p.got >= before + #part and called >= due end)
  p.sender:removeAllListeners "error"
  assert.is_nil(wrong)
  assert.equal(due, called)
end

-- Sends a run; what came must be it, and nothing else before the mark that is sent after it.
local function exchange(p, list, what)
  for i = #p.got, 1, -1 do p.got[i] = nil end
  local sent = p.sender:stats()
  local first, bytes = 1, 0
  while first <= #list do
    local part = {}
    for i = 1, trains.fitting(list, first, p.room) do part[i] = list[first + i - 1] end
    send_part(p, part)
    first = first + #part
  end
  send_part(p, { "the mark" })
  for _, msg in ipairs(list) do bytes = bytes + #msg end
  list[#list + 1] = "the mark"
  assert.is_nil(trains.difference(list, p.got), what)
  local now = p.sender:stats()
  assert.same({ #list, bytes + 8, 0 },
    { now.messagesSent - sent.messagesSent, now.bytesSent - sent.bytesSent, now.sendErrors }, what)
end

local function each_switch(fn)
  for _, gso in ipairs(switches) do
    for _, gro in ipairs(switches) do fn(gso, gro) end
  end
end

-- Runs of these lengths and sizes, with segmentation and coalescing on and off.
local function exchange_all(kind, way, runs, size)
  each_switch(function(gso, gro)
    local p = pair(kind, gso, gro, way)
    for _, n in ipairs(runs) do
      exchange(p, trains.run(n, size), ("a run of %d, gso %s, gro %s"):format(n, tostring(gso), tostring(gro)))
    end
    close(p)
  end)
end

for kind in pairs(loopback) do
  describe("runs of " .. table.concat(trains.runs, ", ") .. " arrive as they were, " .. kind, function()
    loop.guard()

    for way in pairs(ways) do
      for what, size in pairs(trains.sizes) do
        it(("by %s: %s"):format(way, what), function() exchange_all(kind, way, trains.runs, size) end)
      end

      it(("by %s: about the largest"):format(way), function()
        local most = largest[kind]
        local sizes = trains.cycle { most, most, most - 1, 1, most - 1, most - 1, 0, 65507, 65506, most, 100, 100 }
        exchange_all(kind, way, { 1, 2, 63, 64, 65, 129 }, sizes)
      end)
    end

    it("about the largest, 1000 of them", function()
      local most = largest[kind]
      exchange_all(kind, "sendMany", { 1000 }, trains.cycle { most, most - 1, most - 1 })
    end)

    it("just fitting into one send, and just not", function()
      local p = pair(kind, true, true)
      -- 2 and 3 and 64 equal ones of 65,507 bytes together, of a byte more, of a byte less
      for _, sizes in ipairs {
        { 32753, 32753 }, { 32753, 32754 }, { 32754, 32753 }, { 32754, 32754 }, { 32753, 32753, 1 },
        { 21835, 21835, 21837 }, { 21836, 21836, 21835 }, { 21836, 21836, 21836 }, { 65506, 1 }, { 65507, 1 },
        { 65507, 0 },
      } do
        exchange(p, trains.run(#sizes, trains.cycle(sizes)), table.concat(sizes, " "))
      end
      for _, size in ipairs { 511, 512 } do exchange(p, trains.run(129, trains.cycle { size }), size) end
      for _, size in ipairs { 1023, 1024 } do exchange(p, trains.run(65, trains.cycle { size }), size) end
      close(p)
    end)
  end)
end

describe("segmentation", function()
  loop.guard()

  it("is what carried them, and coalescing", function()
    local run, calls = trains.run(1000, trains.cycle { 100 }), {}
    local p = pair("udp4", true, true)
    local has = p.sender:stats().gso and p.receiver:stats().gro
    local fits = trains.fitting(run, 1, p.room) == #run
    close(p)
    need(pending, has, "no segmentation here")
    need(pending, fits, "the system's receive buffers are small")
    each_switch(function(gso, gro)
      p = pair("udp4", gso, gro)
      assert.same({ gso, gro }, { p.sender:stats().gso, p.receiver:stats().gro })
      exchange(p, trains.run(1000, trains.cycle { 100 }))
      calls[#calls + 1] = p.receiver:stats().receiveCalls
      close(p)
    end)
    -- 8 trains, or 16 of older kernels, and the mark, each in one piece; otherwise 1001 pieces, of which a call takes 32
    assert.is_true(calls[1] <= 24, calls[1] .. " calls for 17 pieces at most")
    for i = 2, 4 do assert.is_true(calls[i] >= 32, calls[i] .. " calls for 1001 pieces") end
  end)

  for _, kind in ipairs { "udp4", "udp6" } do
    it("and coalescing, which is asked for when several datagrams wait together: " .. kind, function()
      local p = pair(kind, true, true)
      local has = p.sender:stats().gso and p.receiver:stats().gro
      close(p)
      need(pending, has, "no segmentation here")
      p = pair(kind, true, nil)
      for i = 1, 20 do exchange(p, { "lone " .. i }) end -- each with a mark behind it, which waits for it
      assert.is_false(p.receiver:stats().gro)
      local first, calls = trains.run(64, trains.cycle { 100 }), nil
      exchange(p, first) -- in one train that nobody has asked to come as one
      assert.is_true(p.receiver:stats().gro)
      for _ = 1, 3 do
        calls = p.receiver:stats().receiveCalls
        exchange(p, trains.run(64, trains.cycle { 100 }))
      end
      calls = p.receiver:stats().receiveCalls - calls
      assert.is_true(calls <= 8, calls .. " calls for a train and a mark")
      close(p)
      p = pair(kind, true, nil)
      p.receiver:fileno() -- others may read from it now, who do not expect trains
      exchange(p, trains.run(640, trains.cycle { 100 }))
      assert.is_false(p.receiver:stats().gro)
      close(p)
      p = pair(kind, true, false)
      exchange(p, trains.run(640, trains.cycle { 100 }))
      assert.is_false(p.receiver:stats().gro)
      close(p)
    end)
  end
end)

-- Receivers for one sender, no two with the same address and port; two have the same port.
local function several(kind, gro)
  local list = {}
  local function add(options, port, address)
    local r = { got = {}, address = address }
    r.socket = new(options, function(msg, rinfo) r.got[#r.got + 1] = { msg = msg, rinfo = rinfo } end)
    local ok, at = pcall(r.socket.bindSync, r.socket, { port = port, address = address })
    if not ok then
      r.socket:close()
      return add(options, 0, address)
    end
    r.port = at.port
    list[#list + 1] = r
  end
  local own = { type = kind, gro = gro, recvBufferSize = 4000000 }
  local ipv4 = { type = "udp4", gro = gro, recvBufferSize = 4000000 }
  add(own, 0, loopback[kind])
  add(own, 0, loopback[kind])
  add(ipv4, list[1].port, "127.0.0.2") -- from udp6, too
  return list
end

-- Which of the three the i-th datagram goes to.
local patterns = {
  ["in turn"] = function(i) return i % 3 + 1 end,
  ["in pairs"] = function(i) return math.floor(i / 2) % 3 + 1 end,
  ["in runs of 63"] = function(i) return math.floor((i - 1) / 63) % 3 + 1 end,
  ["in runs of 64"] = function(i) return math.floor((i - 1) / 64) % 3 + 1 end,
  ["in runs of 65"] = function(i) return math.floor((i - 1) / 65) % 3 + 1 end,
  ["mostly to one"] = function(i) return i % 50 == 0 and 2 or i % 77 == 0 and 3 or 1 end,
}

-- Sends 1000 datagrams to the three, in parts that fit, and checks that each got its own.
local function spread(kind, which, gso, gro)
  local receivers, sender = several(kind, gro), new { type = kind, gso = gso }
  local wanted, sent, told = { {}, {}, {} }, 0, 0
  local function arrived()
    return #receivers[1].got + #receivers[2].got + #receivers[3].got >= sent and told == sent
  end
  for i = 1, 1000 do
    local to = receivers[which(i)]
    local msg = trains.payload(i, i % 10 == 0 and 60 or 100)
    table.insert(wanted[which(i)], msg)
    sent = sent + 1
    sender:send(msg, to.port, to.address, function(err)
      assert.is_nil(err)
      told = told + 1
    end)
    if i % 129 == 0 then loop.wait(arrived) end
  end
  loop.wait(arrived)
  for k, receiver in ipairs(receivers) do
    assert.is_nil(trains.difference(wanted[k], receiver.got))
    receiver.socket:close()
  end
  sender:close()
  loop.run()
end

for kind in pairs(loopback) do
  describe("datagrams to several destinations, " .. kind, function()
    loop.guard()

    for what, which in pairs(patterns) do
      it("each come to theirs, in order: " .. what, function()
        if kind == "udp6" then need(pending, can.ipv6()) end
        each_switch(function(gso, gro) spread(kind, which, gso, gro) end)
      end)
    end
  end)
end

-- Datagrams that cannot go: what is sent, where to, and what is said of it.
local function bad_ones(kind)
  local most = largest[kind]
  local address = loopback[kind]
  local list = {
    ["a byte too long"] = { ("x"):rep(most + 1), address, "EMSGSIZE" },
    ["longer than any"] = { ("x"):rep(70000), address, "EMSGSIZE" },
  }
  if kind == "udp4" then
    list["broadcast without leave"] = { "x", "127.255.255.255", "EACCES" }
    list["blocked"] = { "x", "127.0.0.9", "ERR_IP_BLOCKED" }
  else
    list["broadcast without leave, over IPv4"] = { "x", "127.255.255.255", "EACCES" }
    list["blocked"] = { "x", "::9", "ERR_IP_BLOCKED" }
  end
  return list
end

-- A pair whose sender may not send to two addresses.
local function blocking_pair(kind, gso)
  local p = pair(kind, gso, true)
  local blocked = require("dgram").BlockList()
  blocked:addAddress "127.0.0.9"
  blocked:addAddress("::9", "ipv6")
  p.sender:close()
  p.sender = new { type = kind, gso = gso, sendBlockList = blocked }
  return p
end

-- A run of 130 where the ones at these places are bad. Returns the verdicts: true, or an error; and the errors that came
-- as events.
local function run_with(p, bad, places, with_callbacks)
  local list, verdicts, events, answers = trains.run(130, trains.cycle { 100 }), {}, {}, 0
  local wanted = {}
  p.sender:removeAllListeners "error"
  p.sender:on("error", function(err) events[#events + 1] = err end)
  for i, msg in ipairs(list) do
    local callback = with_callbacks and function(err, bytes)
      assert.is_nil(verdicts[i])
      assert.equal(places[i] and #bad[1] or #msg, bytes)
      verdicts[i], answers = err or true, answers + 1
    end or nil
    if places[i] then
      p.sender:send(bad[1], p.port, bad[2], callback)
    else
      wanted[#wanted + 1] = msg
      p.sender:send(msg, p.port, loopback[p.kind], callback)
    end
  end
  loop.wait(function()
    return #p.got >= #wanted and (with_callbacks and answers == #list or #events == #list - #wanted)
  end)
  loop.turn()
  assert.is_nil(trains.difference(wanted, p.got))
  for i = #p.got, 1, -1 do p.got[i] = nil end
  return verdicts, events
end

-- The places of a run where a train begins, ends, or is in its midst; alone, neighbours, and many.
local places = { { 1 }, { 2 }, { 33 }, { 63 }, { 64 }, { 65 }, { 129 }, { 130 }, { 1, 2 }, { 63, 64, 65 },
  { 1, 3, 5, 7, 64, 128, 130 } }

local function check_places(kind, gso, bad, with_callbacks)
  local p = blocking_pair(kind, gso)
  local failed, segments = 0, p.sender:stats().gso
  for _, one in ipairs(places) do
    local at = {}
    for _, i in ipairs(one) do at[i] = true end
    failed = failed + #one
    local verdicts, events = run_with(p, bad, at, with_callbacks)
    assert.equal(with_callbacks and 0 or #one, #events)
    for _, err in ipairs(events) do faults.check(err, { code = bad[3] }) end
    for i = 1, with_callbacks and 130 or 0 do
      if at[i] then faults.check(verdicts[i], { code = bad[3] }) else assert.equal(true, verdicts[i]) end
    end
  end
  assert.equal(failed, p.sender:stats().sendErrors)
  -- a datagram that was bad by itself proves nothing against segmentation
  assert.equal(segments, p.sender:stats().gso)
  close(p)
end

for kind in pairs(loopback) do
  describe("a bad datagram in a run fails alone, " .. kind, function()
    loop.guard()

    for what, bad in pairs(bad_ones(kind)) do
      it(what, function()
        for _, gso in ipairs(switches) do
          for _, with_callbacks in ipairs(switches) do check_places(kind, gso, bad, with_callbacks) end
        end
      end)
    end

    it("of sendMany, whose callback has its error and the count of the others", function()
      for _, gso in ipairs(switches) do
        local p = pair(kind, gso, true)
        for _, one in ipairs(places) do
          local list, wanted = trains.run(130, trains.cycle { 100 }), {}
          for k, i in ipairs(one) do list[i] = ("x"):rep(largest[kind] + k) end
          for _, msg in ipairs(list) do
            if #msg == 100 then wanted[#wanted + 1] = msg end
          end
          local answer
          p.sender:sendMany(list, p.port, loopback[kind], function(err, count)
            assert.is_nil(answer)
            answer = { err, count }
          end)
          loop.wait(function() return answer and #p.got >= #wanted end)
          faults.system(answer[1], { code = "EMSGSIZE", syscall = "send", address = loopback[kind], port = p.port })
          assert.equal(#wanted, answer[2])
          assert.is_nil(trains.difference(wanted, p.got))
          for i = #p.got, 1, -1 do p.got[i] = nil end
        end
        close(p)
      end
    end)
  end)
end
