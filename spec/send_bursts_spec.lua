-- SPDX-License-Identifier: MIT
-- Bursts: sends for which the queue has credit, so that their payloads are only copied. Their results are those of lists,
-- which always go through all checks.

local dgram = require "dgram"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"

-- How the message is given: the second way is the long one.
local ways = {
  plain = function(text) return text end,
  listed = function(text) return { text } end,
}

-- A sequence that is the same each time.
local function generator(seed)
  return function(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return math.floor(seed / 65536) % n
  end
end

local function error_code(err) return err and (err.code or tostring(err)) end

-- Everything that can be seen of one scenario: body(world, say) with a sender and two receivers.
local function outcome(way, kind, options, body)
  local log, arrived = {}, {}
  local function say(...)
    local words = {}
    for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
    log[#log + 1] = table.concat(words, " ")
  end
  local receivers, ports = {}, {}
  for i = 1, 2 do
    arrived[i] = {}
    receivers[i], ports[i] = sockets.bound({ type = kind, recvBufferSize = 400000 }, function(msg)
      arrived[i][#arrived[i] + 1] = #msg .. ":" .. msg:sub(1, 8)
    end)
  end
  options.type = kind
  local sender = sockets.new(options)
  sender:on("error", function(err) say("error", error_code(err)) end)
  local drains = 0
  sender:on("drain", function() drains = drains + 1 end) -- among the callbacks it has no place of its own
  local over = false
  body({
    sender = sender, ports = ports, way = ways[way], address = sockets.loopback[kind],
    done = function() over = true end,
  }, say)
  loop.wait(function() return over and #arrived[1] + #arrived[2] >= sender:stats().messagesSent end)
  loop.turn(10)
  local stats = sender:stats()
  say("sent", stats.messagesSent, stats.bytesSent, stats.sendErrors)
  sender:close()
  sockets.close_all(receivers[1], receivers[2])
  loop.run()
  return { log = log, drains = drains, first = arrived[1], second = arrived[2] }
end

local function same_both_ways(kind, options, body)
  local function copy()
    local t = {}
    for k, v in pairs(options) do t[k] = v end
    return t
  end
  local plain = outcome("plain", kind, copy(), body)
  assert.is_true(#plain.log > 1)
  assert.same(outcome("listed", kind, copy(), body), plain)
end

for _, kind in ipairs { "udp4", "udp6" } do
  describe("a burst of strings, on " .. kind .. ",", function()
    loop.guard()

    it("is what a burst of lists is: sizes, destinations and callbacks of all kinds", function()
      same_both_ways(kind, {}, function(world, say)
        local random, left = generator(7), 300
        local function told(name)
          return function(err, bytes)
            say(name, error_code(err), bytes)
            left = left - 1
            if left == 0 then world.done() end
          end
        end
        local often = told "often"
        for i = 1, 300 do
          local size = ({ 0, 1, 20, 20, 20, 64, 1200 })[random(7) + 1]
          local text = (("%07d "):format(i)):rep(size):sub(1, size)
          local callback = ({ often, often, often, told("own " .. i) })[random(4) + 1]
          say(world.sender:send(world.way(text), world.ports[random(2) + 1], world.address, callback))
        end
      end)
    end)

    it("is refused where one of lists is", function()
      same_both_ways(kind, {}, function(world, say)
        local left = 4
        local function told(err, bytes)
          say(error_code(err), bytes)
          left = left - 1
          if left == 0 then world.done() end
        end
        for _, size in ipairs { 10, 65536, 65535, 10 } do
          world.sender:send(world.way(("x"):rep(size)), world.ports[1], world.address, told)
        end
        for _, wrong in ipairs { 0, 65536, 1.5, "80", {} } do
          local done, err = pcall(world.sender.send, world.sender, world.way "x", wrong, world.address)
          say(done, error_code(err))
        end
      end)
    end)

    it("is told of the mark, and of what does not fit below the limit", function()
      same_both_ways(kind, { sendQueueLimit = 3000 }, function(world, say)
        local left = 80
        for i = 1, 80 do
          say(world.sender:send(world.way(("x"):rep(i % 2 * 100)), world.ports[1], world.address, function(err, bytes)
            say(error_code(err), bytes)
            left = left - 1
            if left == 0 then world.done() end
          end))
        end
      end)
    end)

    it("makes room for what waits for a name, whose bytes count too", function()
      local answer
      local function lookup(_, _, cb) answer = cb end
      same_both_ways(kind, { sendQueueLimit = 3000, lookup = lookup }, function(world, say)
        local left = 31
        local function told(err, bytes)
          say(error_code(err), bytes)
          left = left - 1
          if left == 0 then world.done() end
        end
        local function burst(n)
          for _ = 1, n do
            say(world.sender:send(world.way(("x"):rep(100)), world.ports[1], world.address, told))
          end
        end
        burst(5)
        say(world.sender:send(world.way(("n"):rep(1000)), world.ports[2], "a.name", told))
        burst(20)
        loop.turn(3)
        answer(nil, world.address, kind == "udp4" and 4 or 6)
        burst(5)
      end)
    end)

    it("is what sendMany sends of a list", function()
      local sizes = { 0, 1, 20, 20, 20, 20, 64, 1200, 3000 }
      local random = generator(11)
      for _, n in ipairs { 1, 2, 3, 63, 64, 65, 66, 127, 128, 129, 130, 131, 300 } do
        local list = {}
        for i = 1, n do
          local size = sizes[random(#sizes) + 1]
          list[i] = (("%07d "):format(i)):rep(size):sub(1, size)
        end
        local function sent(how)
          local limit = n % 2 == 0 and 1000000 or 160000
          return outcome("plain", kind, { sendQueueLimit = limit }, function(world, say)
            say "begun"
            how(world, function(err, count)
              say(error_code(err), count)
              world.done()
            end)
          end)
        end
        local many = sent(function(world, told)
          world.sender:sendMany(list, world.ports[1], world.address, told)
        end)
        local each = sent(function(world, told)
          local went = 0
          for i = 1, n do
            world.sender:send({ list[i] }, world.ports[1], world.address, function(err)
              assert.is_nil(err)
              went = went + 1
              if i == n then told(nil, went) end
            end)
          end
        end)
        assert.equal(n, #each.first)
        assert.same(each, many)
        assert.same(each.first, sent(function(world, told) -- without a callback of its own
          world.sender:sendMany(list, world.ports[1], world.address)
          loop.turn(3)
          told(nil, n)
        end).first)
      end
    end)

    it("respects a block list", function()
      local blocked = kind == "udp4" and "127.0.0.9" or "fd00::9"
      local list = dgram.BlockList()
      list:addAddress(blocked, kind == "udp4" and "ipv4" or "ipv6")
      same_both_ways(kind, { sendBlockList = list }, function(world, say)
        local left = 20
        for i = 1, 20 do
          local address = i % 4 < 2 and world.address or blocked
          world.sender:send(world.way("n" .. i), world.ports[1], address, function(err, bytes)
            say(i, error_code(err), bytes)
            left = left - 1
            if left == 0 then world.done() end
          end)
        end
      end)
    end)

    it("goes to the peer when connected", function()
      same_both_ways(kind, {}, function(world, say)
        local left = 50
        local function told(err, bytes)
          say(error_code(err), bytes)
          left = left - 1
          if left == 0 then world.done() end
        end
        world.sender:connect(world.ports[1], world.address, function()
          for i = 1, 50 do say(world.sender:send(world.way(("x"):rep(i % 3 * 10)), told)) end
          local done, err = pcall(world.sender.send, world.sender, world.way "x", world.ports[2], world.address)
          say(done, error_code(err))
        end)
      end)
    end)

    it("may close the socket in a callback", function()
      same_both_ways(kind, {}, function(world, say)
        local closer = sockets.new { type = kind }
        local left = 20
        for i = 1, 20 do
          closer:send(world.way("n" .. i), world.ports[1], world.address, function(err, bytes)
            say(i, error_code(err), bytes)
            if i == 3 then
              closer:close()
              say(pcall(closer.send, closer, world.way "late", world.ports[1], world.address))
            end
            left = left - 1
            if left > 0 then return end
            local stats = closer:stats()
            say(stats.messagesSent, stats.bytesSent, stats.sendErrors)
            world.done()
          end)
        end
      end)
    end)
  end)
end

describe("addresses that are made anew for each send", function()
  loop.guard()

  it("are never taken for one that was there before", function()
    local sender = sockets.new "udp4"
    local receivers, got = {}, {}
    for i = 1, 20 do
      receivers[i] = sockets.new("udp4", function(msg) got[#got + 1] = msg == "to " .. i end)
      receivers[i]:bind(i == 1 and 0 or receivers[1]:address().port, "127.0.0." .. i)
    end
    local port = receivers[1]:address().port
    for round = 1, 20 do
      for i = 1, 20 do
        local number = (i * 7 + round) % 20 + 1
        sender:send("to " .. number, port, "127.0.0." .. number)
        collectgarbage() -- the next string may lie where this one did
      end
      loop.turn(2)
    end
    loop.wait(function() return #got == 400 end)
    for i = 1, 400 do assert.is_true(got[i]) end
    sender:close()
    for i = 1, 20 do receivers[i]:close() end
    loop.run()
  end)
end)
