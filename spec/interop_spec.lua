-- SPDX-License-Identifier: MIT
-- Real peers: other programs exchange datagrams with a dgram socket, both families.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local sockets = require "spec.support.sockets"

local need = can.need

local families = {
  udp4 = { address = "127.0.0.1", name = "IPv4", socat = "127.0.0.1", number = "4" },
  udp6 = { address = "::1", name = "IPv6", socat = "[::1]", number = "6" },
}

-- A dgram server that answers each datagram with "echo: " in front.
local function echo_server(kind)
  if kind == "udp6" then need(pending, can.ipv6()) end
  local seen = {}
  local server, port
  server, port = sockets.bound(kind, function(msg, rinfo)
    seen[#seen + 1] = { msg = msg, rinfo = rinfo }
    server:send("echo: " .. msg, rinfo.port, rinfo.address)
  end)
  return server, port, seen
end

local node_server = [[
  const server = require('dgram').createSocket('%s');
  server.on('message', (msg, rinfo) => server.send('node: ' + msg, rinfo.port, rinfo.address));
  server.bind(0, '%s', () => console.log('port ' + server.address().port));
]]

local node_client = [[
  const client = require('dgram').createSocket('%s');
  const parts = ['first', '', 'third', 'x'.repeat(60000)];
  let n = 0;
  const next = () => client.send(parts[n], %d, '%s');
  client.on('message', (msg, rinfo) => {
    if (msg.toString() !== 'echo: ' + parts[n]) { console.log('wrong ' + msg); process.exit(1); }
    if (++n === parts.length) { console.log('done ' + rinfo.port); client.close(); } else next();
  });
  next();
]]

for kind, family in pairs(families) do
  describe("beside other programs, " .. kind, function()
    loop.guard()

    it("serves nc -u", function()
      local nc = need(pending, can.program "nc")
      local server, port, seen = echo_server(kind)
      local process = child.start(nc, { "-u", "-" .. family.number, family.address, tostring(port) })
      process:write "hello from nc\n"
      process:expect "echo: hello from nc\n"
      process:write "and again\n"
      process:expect "echo: and again\n"
      assert.equal(2, #seen)
      assert.equal(family.name, seen[1].rinfo.family)
      assert.equal(family.address, seen[1].rinfo.address)
      assert.equal(#"hello from nc\n", seen[1].rinfo.size)
      process:stop()
      server:close()
      loop.run()
    end)

    it("serves socat", function()
      local socat = need(pending, can.program "socat")
      local server, port, seen = echo_server(kind)
      local target = ("UDP%s:%s:%d"):format(family.number, family.socat, port)
      local process = child.start(socat, { "-b", "65000", "-", target })
      process:write "hello from socat"
      process:expect "echo: hello from socat"
      assert.equal("hello from socat", seen[1].msg)
      process:stop()
      server:close()
      loop.run()
    end)

    it("is a client of socat", function()
      local socat = need(pending, can.program "socat")
      if kind == "udp6" then need(pending, can.ipv6()) end
      -- socat tells the port that it got on its error stream, and returns what it is sent
      local listen = ("UDP%s-LISTEN:0,bind=%s"):format(family.number, family.socat)
      local process = child.start(socat, { "-d", "-d", listen, "PIPE" })
      local port = tonumber(process:expect("listening on UDP AF=%d+ %S+:(%d+)\n", "err"))
      local client, _, got = sockets.collector(kind)
      client:send("hello socat", port, family.address)
      loop.wait(function() return #got == 1 end, 20)
      assert.equal("hello socat", got[1].msg)
      assert.same({ address = family.address, family = family.name, port = port, size = 11 }, got[1].rinfo)
      process:stop()
      client:close()
      loop.run()
    end)

    it("serves Node", function()
      local node = need(pending, can.program "node")
      local server, port, seen = echo_server(kind)
      local process = child.start(node, { "-e", node_client:format(kind, port, family.address) })
      assert.equal(port, tonumber(process:expect "done (%d+)\n"))
      process:wait()
      assert.equal(0, process.status)
      assert.same({ "first", "", "third", ("x"):rep(60000) }, sockets.messages(seen))
      server:close()
      loop.run()
    end)

    it("is a client of Node", function()
      local node = need(pending, can.program "node")
      if kind == "udp6" then need(pending, can.ipv6()) end
      local process = child.start(node, { "-e", node_server:format(kind, family.address) })
      local port = tonumber(process:expect "port (%d+)\n")
      local client, _, got = sockets.collector(kind)
      for i = 1, 50 do
        client:send("number " .. i, port, family.address)
        loop.wait(function() return #got == i end, 20)
        assert.equal("node: number " .. i, got[i].msg)
      end
      assert.equal(port, got[1].rinfo.port)
      process:stop()
      client:close()
      loop.run()
    end)
  end)
end

describe("between processes", function()
  loop.guard()

  it("two Lua programs talk", function()
    local server, port, seen = echo_server "udp4"
    local process = child.start(child.interpreter(), { "-e",
      ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath), "-e", ([[
      local dgram = require "dgram"
      local s = dgram.createSocket "udp4"
      s:on("message", function(msg) print(msg) s:close() end)
      s:send("hello", %d)
      dgram.run()
    ]]):format(port) }, { own = true })
    process:expect "echo: hello\n"
    process:wait()
    assert.same({ 0, "" }, { process.status, process.err })
    assert.equal(1, #seen)
    server:close()
    loop.run()
  end)
end)
