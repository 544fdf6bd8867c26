-- SPDX-License-Identifier: MIT
-- Parsed addresses are cached for all sockets of a Lua state: none may be taken for another.
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local need, new = can.need, sockets.new

describe("destinations", function()
  loop.guard()

  -- Sockets on 127.0.0.1 and on, all with one port; the port, and what came to the i-th of them.
  local function hosts(count)
    local list, got, port = {}, {}, nil
    for i = 1, count do
      got[i] = {}
      list[i] = new({ type = "udp4", recvBufferSize = 200000 }, function(msg) table.insert(got[i], msg) end)
      if i == 1 then list[i]:bindSync { port = 0, address = "127.0.0.1" } end
      port = list[1]:address().port
      if i > 1 then list[i]:bindSync { port = port, address = "127.0.0." .. i } end
    end
    return list, port, got
  end

  it("more than are kept, again and again in changing order: each datagram comes to its own", function()
    need(pending, uv.os_uname().sysname == "Linux", "only Linux has all of 127.0.0.0/8")
    local HOSTS, ROUNDS = 40, 30
    local list, port, got = hosts(HOSTS)
    local sender, wanted, expected = new "udp4", 0, {}
    for i = 1, HOSTS do expected[i] = {} end
    for round = 1, ROUNDS do
      for n = 1, HOSTS do
        -- texts are made anew: the same ones may be elsewhere in memory, and others where these were
        local i = (n * 7 * round) % HOSTS + 1
        local text = ("%d to %d"):format(round, i)
        table.insert(expected[i], text)
        sender:send(text, port, "127.0.0." .. i)
        -- these displace others, and nobody is there; what is tried on a port of nobody is lost quietly
        sender:send("nobody", 9, ("127.%d.%d.%d"):format(round, n, i))
        wanted = wanted + 1
      end
      if round % 10 == 0 then collectgarbage() end
      loop.turn()
    end
    loop.wait(function()
      local count = 0
      for i = 1, HOSTS do count = count + #got[i] end
      return count >= wanted
    end)
    for i = 1, HOSTS do assert.same(expected[i], got[i]) end
    sender:close()
    sockets.close_all((table.unpack or unpack)(list))
    loop.run()
  end)

  it("of one address and several ports", function()
    local receivers, got = {}, {}
    for i = 1, 20 do
      receivers[i] = new("udp4", function(msg) got[#got + 1] = { msg, i } end)
      receivers[i]:bindSync { port = 0, address = "127.0.0.1" }
    end
    local sender = new "udp4"
    for round = 1, 5 do
      for i = 1, 20 do sender:send(round .. " to " .. i, receivers[i]:address().port, "127.0.0.1") end
      loop.turn()
    end
    loop.wait(function() return #got >= 100 end)
    for _, each in ipairs(got) do assert.equal(each[2], tonumber(each[1]:match "to (%d+)")) end
    sender:close()
    sockets.close_all((table.unpack or unpack)(receivers))
    loop.run()
    assert.equal(100, #got)
  end)

  it("of one text mean what they mean to the socket that sends", function()
    need(pending, can.ipv6())
    local receiver, port, got = sockets.collector "udp4"
    local own, dual, strict = new "udp4", new "udp6", new { type = "udp6", ipv6Only = true }
    for round = 1, 3 do
      own:send("own " .. round, port, "127.0.0.1")
      dual:send("dual " .. round, port, "127.0.0.1")
      strict:send("strict " .. round, port, "127.0.0.1", loop.expect(1, function(err)
        faults.system(err, { code = "EINVAL", address = "127.0.0.1", port = port })
      end))
      loop.turn()
    end
    loop.wait(function() return #got >= 6 end)
    sockets.close_all(receiver, own, dual, strict)
    loop.run()
    local counts = {}
    for _, each in ipairs(got) do
      local who = each.msg:match "%a+"
      counts[who] = (counts[who] or 0) + 1
    end
    assert.same({ own = 3, dual = 3 }, counts)
  end)

  it("with a zone are looked at anew each time", function()
    need(pending, can.ipv6())
    local socket = new "udp6"
    for _ = 1, 2 do
      socket:send("x", 9, "fe80::1%nothere", loop.expect(1, function(err)
        faults.system(err, { code = "ENODEV" })
      end))
      loop.turn()
    end
    socket:close()
    loop.run()
  end)
end)
