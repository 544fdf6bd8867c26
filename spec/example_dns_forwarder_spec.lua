-- SPDX-License-Identifier: MIT
-- examples/dns-forwarder.lua between dig and dnsmasq, and between this spec and name servers that lie.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local sockets = require "spec.support.sockets"
local need, unpack = can.need, table.unpack or unpack

local dig_path, dnsmasq_path

-- Looked for before anything is started.
local function need_peers()
  dig_path = need(pending, can.program "dig")
  dnsmasq_path = need(pending, example.peer "dnsmasq")
end

--- A name server of Debian's for example.test, with no other to ask. Returns the process and its port.
local function name_server(ttl)
  local port = example.free_port()
  local long = ("x"):rep(250) .. "," .. ("y"):rep(250) .. "," .. ("z"):rep(250)
  local process = child.start(dnsmasq_path, {
    "--no-daemon", "--user=", "--pid-file=", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--log-facility=-",
    "--listen-address=127.0.0.1", "--bind-interfaces", "--port=" .. port, "--cache-size=0", "--local-ttl=" .. ttl,
    "--address=/example.test/192.0.2.7", "--txt-record=long.test," .. long, "--local=/missing.test/",
  })
  process:expect("started, version", "err")
  return process, port
end

local function dig(port, ...)
  local process = child.start(dig_path,
    { "@127.0.0.1", "-p", tostring(port), "+tries=1", "+timeout=10", ... }):wait(30)
  assert.equal(0, process.status, process.out .. process.err)
  return process.out
end

describe("dns-forwarder, with dig and dnsmasq", function()
  loop.guard()

  it("answers again from its cache", function()
    need_peers()
    local upstream, upstream_port = name_server(300)
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. upstream_port, 0 })
    local out = dig(port, "example.test")
    assert.is_truthy(out:find "status: NOERROR", out)
    assert.is_truthy(out:find "\nexample%.test%.%s+300%s+IN%s+A%s+192%.0%.2%.7\n", out)
    upstream:stop()
    -- another case is the same name, and comes back as it was asked
    out = dig(port, "EXAMPLE.test")
    assert.is_truthy(out:find "\n;EXAMPLE%.test%.%s+IN%s+A\n", out)
    local left = tonumber(out:match "%s(%d+)%s+IN%s+A%s+192%.0%.2%.7\n")
    assert.is_true(left > 0 and left <= 300, out)
    -- another type, another size of answers, and another class are other questions
    for _, words in ipairs { { "AAAA" }, { "+noedns" }, { "-c", "CH" } } do
      assert.is_truthy(dig(port, "example.test", unpack(words)):find "status: SERVFAIL", words[1])
    end
    out = example.interrupt(forwarder)
    assert.is_truthy(out:find "\nEXAMPLE%.test%. type 1 from 127%.0%.0%.1: from the cache\n", out)
    assert.is_truthy(out:find "closed %(questions: 5, answered from the cache: 1%)\n$", out)
  end)

  it("asks again when the answer is too old", function()
    need_peers()
    local upstream, upstream_port = name_server(1)
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. upstream_port, 0 })
    local function asked() return select(2, forwarder.out:gsub(": answered\n", "")) end
    for _ = 1, 100 do
      local ttl = tonumber(dig(port, "example.test"):match "%s(%d+)%s+IN%s+A%s+192%.0%.2%.7\n")
      assert.equal(1, ttl) -- what is less than a second old
      loop.pass(50)
      if asked() > 1 then break end
    end
    assert.equal(2, asked())
    upstream:stop()
    example.interrupt(forwarder)
  end)

  it("passes on what is too large for a datagram, as truncated, and what is missing", function()
    need_peers()
    local upstream, upstream_port = name_server(300)
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. upstream_port, 0 })
    local out = dig(port, "long.test", "TXT", "+bufsize=1232")
    assert.is_truthy(out:find(("z"):rep(250), 1, true), out)
    out = dig(port, "long.test", "TXT", "+noedns", "+ignore")
    assert.is_truthy(out:find "flags:[%l ]* tc[%l ]*;", out)
    out = dig(port, "a.missing.test")
    assert.is_truthy(out:find "status: NXDOMAIN", out)
    upstream:stop()
    example.interrupt(forwarder)
  end)

  it("says that it failed, where no name server is", function()
    need_peers()
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. example.free_port(), 0 })
    assert.is_truthy(dig(port, "example.test"):find "status: SERVFAIL")
    example.interrupt(forwarder)
  end)

  it("serves IPv6", function()
    need(pending, can.ipv6())
    need_peers()
    local upstream, upstream_port = name_server(300)
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. upstream_port, 0, "[::1]" })
    assert.is_truthy(dig(port, "@::1", "example.test"):find "192%.0%.2%.7")
    upstream:stop()
    example.interrupt(forwarder)
  end)
end)

describe("dns-forwarder, with peers that lie", function()
  loop.guard()

  local question = "\4test\0\0\1\0\1"
  local query = "\1\0\0\1\0\0\0\0\0\0" .. question
  local function record(ttl, address)
    return "\192\12\0\1\0\1" .. ttl .. "\0\4" .. address
  end

  it("takes no answer but the right one", function()
    local client, _, got = sockets.collector "udp4"
    local stranger = sockets.new "udp4"
    local upstream, upstream_port, asked = sockets.collector "udp4"
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. upstream_port, 0 })
    client:send("AB" .. query, port, "127.0.0.1")
    loop.wait(function() return #asked == 1 end, 20)
    local id, at = asked[1].msg:sub(1, 2), asked[1].rinfo
    assert.equal(query, asked[1].msg:sub(3))
    local other = id == "AB" and "CD" or "AB"
    local header, forged = "\129\128\0\1\0\1\0\0\0\0", record("\0\0\1\0", "\6\6\6\6")
    stranger:send(id .. header .. question .. forged, at.port, at.address)
    upstream:reply(other .. header .. question .. forged, at)
    upstream:reply(id .. header .. "\4tset\0\0\1\0\1" .. forged, at)
    upstream:reply(id .. header .. "\4test\0\0\28\0\1" .. forged, at)
    upstream:reply(id .. "\1\0\0\1\0\1\0\0\0\0" .. question .. forged, at) -- a query
    upstream:reply(id .. header .. question .. forged:sub(1, -2), at)
    upstream:reply(id .. header .. question .. "\192", at)
    upstream:reply(id, at)
    upstream:reply("", at)
    upstream:reply(id .. header .. question .. record("\0\0\1\0", "\7\7\7\7"), at)
    loop.wait(function() return #got == 1 end, 20)
    assert.equal("AB" .. header .. question .. record("\0\0\1\0", "\7\7\7\7"), got[1].msg)
    assert.equal(port, got[1].rinfo.port)
    example.interrupt(forwarder)
    sockets.close_all(client, stranger, upstream)
    loop.run()
  end)

  it("leaves alone what is no question", function()
    local client, _, got = sockets.collector "udp4"
    local upstream, upstream_port, asked = sockets.collector "udp4"
    local forwarder, port = example.serve("dns-forwarder", { "127.0.0.1:" .. upstream_port, 0 })
    for length = 0, #query + 1 do client:send(("AB" .. query):sub(1, length), port, "127.0.0.1") end
    client:send("AB" .. "\129\128" .. query:sub(3), port, "127.0.0.1")                     -- an answer
    client:send("AB" .. "\1\0\0\2" .. query:sub(5) .. question, port, "127.0.0.1")         -- two questions
    client:send("AB" .. query:sub(1, 10) .. ("\63" .. ("x"):rep(63)):rep(5) .. "\0\0\1\0\1", port, "127.0.0.1")
    client:send("AB" .. query .. "\0\0\41\4", port, "127.0.0.1")                           -- EDNS cut short
    client:send("CD" .. query, port, "127.0.0.1")
    loop.wait(function() return #asked >= 1 end, 20)
    assert.equal(query, asked[1].msg:sub(3))
    -- equal questions are one, which both are answered
    client:send("EF" .. query, port, "127.0.0.1")
    client:send("GH" .. query, port, "127.0.0.1")
    client:send("IJ" .. query:gsub("test", "more"), port, "127.0.0.1")
    loop.wait(function() return table.concat(sockets.messages(asked)):find "more" end, 20)
    upstream:reply(asked[1].msg:sub(1, 2) .. "\129\131\0\1\0\0\0\0\0\0" .. question, asked[1].rinfo)
    loop.wait(function() return #got == 3 end, 20)
    local seen = {}
    for _, one in ipairs(got) do
      seen[one.msg:sub(1, 2)] = one.msg:sub(3)
    end
    local missing = "\129\131\0\1\0\0\0\0\0\0" .. question
    assert.same({ CD = missing, EF = missing, GH = missing }, seen)
    example.interrupt(forwarder)
    -- what was not answered yet is told so
    loop.wait(function() return #got == 4 end, 20)
    assert.equal("IJ\128\130", got[4].msg:sub(1, 4))
    sockets.close_all(client, upstream)
    loop.run()
  end)
end)
