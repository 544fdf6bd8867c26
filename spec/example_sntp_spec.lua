-- SPDX-License-Identifier: MIT
-- examples/sntp-client.lua and examples/sntp-server.lua with each other, and with chrony.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local need = can.need

--- Starts chronyd, which is to leave this machine's clock alone (-x); each line is one of its configuration.
local function chronyd(path_of_chronyd, words, lines)
  local path = unix.path "chrony.conf"
  local file = assert(io.open(path, "w"))
  file:write("cmdport 0\nbindcmdaddress /\npidfile ", unix.path "chronyd.pid", "\n", lines)
  file:close()
  local args = { "-x", "-d", "-U", "-u", uv.os_get_passwd().username, "-f", path }
  for _, word in ipairs(words) do args[#args + 1] = word end
  return child.start(path_of_chronyd, args)
end

--- Whether the clock that a client compared with its own is the same, as it is where the server runs on this machine.
local function right(client)
  local wrong, limit = client.out:match "this machine's clock is ([%d.]+) s %l+, give or take ([%d.]+) s\n$"
  return tonumber(wrong) <= tonumber(limit) + 0.001
end

describe("sntp-server", function()
  loop.guard()

  it("is asked by chrony, which finds the clock right", function()
    local path_of_chronyd = need(pending, example.peer "chronyd")
    local server, port = example.serve("sntp-server", { 0 })
    local chrony = chronyd(path_of_chronyd, { "-Q", "-t", "20" },
      ("server 127.0.0.1 port %d iburst maxsamples 1\n"):format(port))
    chrony:wait(30)
    assert.equal(0, chrony.status, chrony.err)
    local wrong = tonumber(chrony.err:match "System clock wrong by ([%d.-]+) seconds")
    assert.is_true(math.abs(wrong) < 1.5, chrony.err) -- it takes no answer that was on its way for 3 s
    server:expect "127%.0%.0%.1 port %d+ was told the time\n"
    example.interrupt(server)
  end)

  for address, host in pairs { ["127.0.0.1"] = "127.0.0.1:", ["::1"] = "[::1]:" } do
    it("is asked by sntp-client, over " .. address, function()
      if address == "::1" then need(pending, can.ipv6()) end
      local server, port = example.serve("sntp-server", { 0, address, 3 })
      local client = example.run("sntp-client", { host .. port })
      assert.same({ 0, "" }, { client.status, client.err })
      local from, stratum = client.out:match
        "^20%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%.%d%d%d UTC from (%S+) port %d+, stratum (%d+)\n"
      assert.same({ address, "3" }, { from, stratum })
      assert.is_true(right(client), client.out)
      server:expect(address .. " port %d+ was told the time\n")
      assert.is_truthy(example.interrupt(server):find "\nclosed after %d+ answers?\n$")
    end)
  end

  it("leaves alone what is no question", function()
    local client, _, got = sockets.collector "udp4"
    local server, port = example.serve("sntp-server", { 0 })
    local question = "\35" .. ("\0"):rep(39) .. "12345678"
    for _, msg in ipairs { "", "\35", question:sub(1, 47), "\36" .. question:sub(2), "\3" .. question:sub(2),
      "\43" .. question:sub(2) } do
      client:send(msg, port, "127.0.0.1")
    end
    client:send("\27\0\6" .. question:sub(4), port, "127.0.0.1") -- version 3
    loop.wait(function() return #got == 1 end, 20)
    assert.equal(48, #got[1].msg)
    assert.equal("\28\10\6\236", got[1].msg:sub(1, 4))
    assert.equal("12345678", got[1].msg:sub(25, 32))
    server:expect "was told the time\n"
    assert.is_truthy(example.interrupt(server):find "closed after 1 answer\n$")
    assert.equal(1, #got)
    client:close()
    loop.run()
  end)
end)

describe("sntp-client", function()
  loop.guard()

  it("asks chrony", function()
    local path_of_chronyd = need(pending, example.peer "chronyd")
    local port = example.free_port()
    local chrony = chronyd(path_of_chronyd, {},
      ("port %d\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 8\n"):format(port))
    local client
    for _ = 1, 400 do -- until chrony is there
      client = example.run("sntp-client", { "127.0.0.1:" .. port })
      if client.status == 0 then break end
      assert.is_truthy(client.err:find "ECONNREFUSED" or client.err:find "clock is not set", client.err)
      assert.is_nil(chrony.status, chrony.err)
      loop.pass(50)
    end
    assert.same({ 0, "" }, { client.status, client.err }, chrony.err)
    assert.is_truthy(client.out:find(("UTC from 127.0.0.1 port %d, stratum 8\n"):format(port), 1, true), client.out)
    assert.is_true(right(client), client.out)
    chrony:stop()
  end)

  --- Runs the client against a server that answers as it is told; returns the client, which has ended.
  local function asked(answers)
    local server, port, got = sockets.collector "udp4"
    local client = example.start("sntp-client", { "127.0.0.1:" .. port })
    loop.wait(function() return #got == 1 end, 20)
    answers(server, got[1].msg:sub(41, 48), got)
    client:wait(30)
    server:close()
    loop.run()
    return client
  end

  local function answer(mark, first, stratum, time)
    return first .. stratum .. "\6\236" .. ("\0"):rep(8) .. "LOCL" .. ("\0"):rep(8) .. mark .. time .. time
  end
  local time_2030 = "\244\173\247\0\128\0\0\0" -- on 2030-01-31

  it("takes no answer but the one to its question, and asks again", function()
    local client = asked(function(server, mark, got)
      local good = answer(mark, "\36", "\1", time_2030)
      local stranger = sockets.new "udp4"
      stranger:send(answer(mark, "\36", "\9", time_2030), got[1].rinfo.port, "127.0.0.1")
      for _, msg in ipairs { "", good:sub(1, 47), answer("12345678", "\36", "\9", time_2030),
        answer(mark, "\35", "\9", time_2030) } do
        server:reply(msg, got[1].rinfo)
      end
      loop.wait(function() return #got == 2 end, 20)
      local again = got[2].msg:sub(41, 48)
      assert.is_true(again ~= mark)
      server:reply(good, got[2].rinfo) -- to the first question
      server:reply(answer(again, "\36", "\2", time_2030), got[2].rinfo)
      stranger:close()
    end)
    assert.same({ 0, "" }, { client.status, client.err })
    local shown = "^2030%-01%-31 01:21:04%.500 UTC from 127%.0%.0%.1 port %d+, stratum 2\n"
    assert.is_truthy(client.out:find(shown), client.out)
  end)

  it("knows the years after 2036", function()
    local client = asked(function(server, mark, got)
      server:reply(answer(mark, "\36", "\2", "\0\0\0\0\0\0\0\0"), got[1].rinfo)
    end)
    assert.is_truthy(client.out:find "^2036%-02%-07 06:28:16%.000 UTC", client.out)
  end)

  it("says why a server is of no use", function()
    local reasons = {
      ["the server refuses: LOCL"] = { "\36", "\0" },
      ["the server's clock is not set"] = { "\228", "\2" },
    }
    for reason, of in pairs(reasons) do
      local client = asked(function(server, mark, got)
        server:reply(answer(mark, of[1], of[2], time_2030), got[1].rinfo)
      end)
      assert.same({ 1, "", "sntp-client: " .. reason .. "\n" }, { client.status, client.out, client.err })
    end
    local client = example.run("sntp-client", { "127.0.0.1:" .. example.free_port() })
    assert.equal(1, client.status)
    assert.is_truthy(client.err:find "^sntp%-client: [^\n]*ECONNREFUSED[^\n]*\n$", client.err)
  end)

  it("ends on Ctrl-C", function()
    local mute, port, got = sockets.collector "udp4"
    local client = example.start("sntp-client", { "127.0.0.1:" .. port })
    loop.wait(function() return #got == 1 end, 20)
    example.interrupt(client)
    mute:close()
    loop.run()
  end)
end)
