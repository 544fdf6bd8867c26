-- SPDX-License-Identifier: MIT
-- What all programs in examples/ have in common: --help, complaints of one line, and their place in docs/examples.md; and
-- those that talk to nobody else. The others have specs of their own, example_*_spec.lua.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local example = require "spec.support.example"
local file = require "spec.support.file"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local need = can.need

local function names()
  local list, scan = {}, assert(uv.fs_scandir "examples")
  local name = uv.fs_scandir_next(scan)
  while name do
    list[#list + 1] = name:match "^(.*)%.lua$"
    name = uv.fs_scandir_next(scan)
  end
  list[#list + 1] = "workers/supervisor"
  return list
end

-- Arguments that each program must not take. TAKEN stands for a port that somebody has.
local wrong = {
  broadcast = { {}, { "" }, { "shout" }, { "wake" }, { "wake", "" }, { "wake", "52:54" }, { "listen", "99999" },
    { "listen", "0" }, { "listen", "0x10" }, { "listen", "" }, { "listen", "TAKEN" },
    { "wake", "52:54:00:12:34:56", "1e3" }, { "wake", "52:54:00:12:34:56", "9", "" },
    { "wake", "52:54:00:12:34:56", "9", "no-such-host.invalid" } },
  demo = { { "" }, { "0" }, { "x" }, { "1.5" }, { "100000000" }, { "1", "2" } },
  discovery = { { "" }, { "a b" }, { "a", "" }, { "a", "no-such-interface" }, { "a", "127.0.0.1", "x" },
    { "a", "127.0.0.1", "-1" }, { "a", "127.0.0.1", "1", "2" } },
  ["dns-client"] = { {}, { "" }, { "127.0.0.1" }, { "name", "x" }, { "127.0.0.1:99999", "x" }, { "999.0.0.1", "x" },
    { "127.0.0.1", "a..b" }, { "127.0.0.1", ("x"):rep(64) }, { "127.0.0.1", ("x."):rep(128) }, { "127.0.0.1", "." } },
  ["dns-forwarder"] = { {}, { "" }, { "name" }, { "127.0.0.1:99999" }, { "127.0.0.1:" }, { "[::1" },
    { "127.0.0.1", "99999" }, { "127.0.0.1", "TAKEN" }, { "127.0.0.1", "0", "192.0.2.1" }, { "127.0.0.1", "0", "" },
    { "127.0.0.1", "0", "x", "y" } },
  ["echo-client"] = { {}, { "" }, { "0" }, { "99999" }, { "127.0.0.1" }, { "127.0.0.1:0" }, { "[::1]99" }, { "[::1]" },
    { "no-such-host.invalid:9", "x" } },
  ["echo-server"] = { { "" }, { "99999" }, { "-1" }, { "1.5" }, { "0x10" }, { "x" }, { "TAKEN" }, { "0", "" },
    { "0", "[]" }, { "0", "192.0.2.1" }, { "0", "no-such-host.invalid" }, { "0", "127.0.0.1", "x" } },
  lookup = { { "" }, { "a:99999" }, { "a:" }, { "x:y:z" }, { "[::1]:0" }, { "[::1]:x" }, { "a b" } },
  ["lossy-proxy"] = { {}, { "" }, { "127.0.0.1" }, { "name:9" }, { "127.0.0.1:99999" }, { "127.0.0.1:9", "99999" },
    { "127.0.0.1:9", "TAKEN" }, { "127.0.0.1:9", "0", "192.0.2.1" }, { "127.0.0.1:9", "0", "127.0.0.1", "x" },
    { "127.0.0.1:9", "loss=101" }, { "127.0.0.1:9", "loss=" }, { "127.0.0.1:9", "loss=-1" }, { "loss=1" },
    { "127.0.0.1:9", "lost=1" }, { "127.0.0.1:9", "idle=0" }, { "127.0.0.1:9", "" } },
  ["mdns-announce"] = { {}, { "" }, { "_x._udp", "lo", "name" }, { "x", "lo", "name", "1" },
    { "_x._udp", "lo", "", "1" }, { "_x._udp", "no-such-interface", "name", "1" },
    { "_x._udp", "lo", ("x"):rep(64), "1" }, { "_x._udp", "lo", "name", "0" },
    { "_x._udp", "lo", "name", "99999" }, { "_x._udp", "lo", "name", "1", ("x"):rep(101) } },
  ["mdns-discovery"] = { {}, { "" }, { "_http._tcp" }, { "http", "lo" }, { "_http", "lo" }, { "_http._tcp", "" },
    { "_http._tcp", "no-such-interface" }, { "_" .. ("x"):rep(63) .. "._tcp", "lo" }, { "_http._tcp", "lo", "0" },
    { "_http._tcp", "lo", "x" }, { "_http._tcp", "lo", "1", "2" } },
  ["reliable-transfer"] = { {}, { "" }, { "send" }, { "send", "README.md" }, { "send", "/no/such/file", "127.0.0.1:9" },
    { "send", "spec", "127.0.0.1:9" }, { "send", "README.md", "127.0.0.1" }, { "send", "README.md", "127.0.0.1:0" },
    { "send", "README.md", "no-such-host.invalid:9" }, { "send", "README.md", "127.0.0.1:9", "x" },
    { "give", "README.md" }, { "receive" }, { "receive", "" }, { "receive", "/no/such/folder/file" },
    { "receive", "SOCKET", "99999" }, { "receive", "SOCKET", "TAKEN" }, { "receive", "SOCKET", "0", "192.0.2.1" } },
  ["sd-notify"] = { {}, { "" }, { "ready" }, { "READY=1\nX=2" } },
  ["sntp-client"] = { {}, { "" }, { "127.0.0.1:99999" }, { "127.0.0.1", "x" }, { "[::1]x" },
    { "no-such-host.invalid" } },
  ["sntp-server"] = { { "" }, { "99999" }, { "TAKEN" }, { "0", "192.0.2.1" }, { "0", "127.0.0.1", "0" },
    { "0", "127.0.0.1", "16" } },
  ["statsd-server"] = { { "" }, { "99999" }, { "TAKEN" }, { "0", "192.0.2.1" }, { "0", "127.0.0.1", "x" },
    { "0", "127.0.0.1", "99999999" } },
  ["syslog-collector"] = { { "" }, { "/no/such/folder/socket" }, { "SOCKET", "999" }, { "SOCKET", "1777" },
    { "SOCKET", "" }, { "SOCKET", "600", "99999" }, { "SOCKET", "600", "TAKEN" }, { "SOCKET", "600", "192.0.2.1:5514" },
    { ("/tmp/"):rep(30) } },
  ["tftp-server"] = { { "" }, { "/no/such/folder" }, { "README.md" }, { ".", "99999" }, { ".", "TAKEN" },
    { ".", "0", "192.0.2.1" } },
  traceroute = { {}, { "" }, { "a b" }, { "no-such-host.invalid" }, { "127.0.0.1:9" }, { "255.255.255.255" },
    { "127.0.0.1", "0" }, { "127.0.0.1", "256" }, { "127.0.0.1", "1", "2" } },
  ["workers/supervisor"] = { { "" }, { "99999" }, { "TAKEN" }, { "0", "192.0.2.1" }, { "0", "no-such-host.invalid" },
    { "0", "127.0.0.1", "0" }, { "0", "127.0.0.1", "x" }, { "0", "127.0.0.1", "2", "/no/such/file" },
    { "0", "127.0.0.1", "2", "" }, { "0", "127.0.0.1", "2", "x", "y" } },
}

describe("the programs in examples/", function()
  loop.guard()

  it("are named in docs/examples.md, and here", function()
    local page = file.read "docs/examples.md"
    for _, name in ipairs(names()) do
      assert.is_truthy(page:find("(../examples/" .. name .. ".lua)", 1, true), name .. " is not in docs/examples.md")
      assert.is_table(wrong[name], name .. " is not in " .. debug.getinfo(1, "S").short_src)
    end
  end)

  for _, name in ipairs(names()) do
    it(name .. " has --help, wherever it stands", function()
      local later = name ~= "echo-client" and { "1", "--help" } or { "--help", "1" } -- its lines may be anything
      for _, args in ipairs { { "--help" }, { "-h" }, later } do
        local process = example.run(name, args)
        assert.same({ 0, "" }, { process.status, process.err })
        local shown = name:match("[^/]+$"):gsub("%-", "%%-")
        assert.is_truthy(process.out:find("^usage: " .. shown .. "%.lua [^\n]*\n$"), process.out)
      end
    end)

    it(name .. " complains in one line", function()
      local taken, port = sockets.bound "udp4"
      local everywhere = sockets.new "udp4"
      everywhere:bind(port, "127.0.0.2")
      local path = unix.path()
      local runs = { { args = { "--no-such-option" } }, { args = { "-x" } } }
      for _, args in ipairs(wrong[name] or {}) do runs[#runs + 1] = { args = args } end
      for _, run in ipairs(runs) do
        local args = {}
        for i, word in ipairs(run.args) do
          args[i] = word == "TAKEN" and port or word == "SOCKET" and path or word
        end
        run.process = example.start(name, args, { NOTIFY_SOCKET = "/tmp" })
      end
      for _, run in ipairs(runs) do
        local process = run.process:wait(30)
        local what = ("%s '%s': %s"):format(name, table.concat(run.args, "' '"), process.err)
        assert.equal(1, process.status, what)
        assert.is_truthy(process.err:find "^[%w-]+: [^\n]+\n$", what)
        assert.is_nil(process.err:find "%.lua:%d" or process.err:find "table: 0x", what)
        assert.is_nil(process.out:find "listening", what)
      end
      sockets.close_all(taken, everywhere)
      loop.run()
    end)
  end
end)

describe("echo-server and echo-client", function()
  loop.guard()

  for address, shown in pairs { ["127.0.0.1"] = "127.0.0.1:", ["::1"] = "[::1]:" } do
    it("talk, over " .. address, function()
      if address == "::1" then need(pending, can.ipv6()) end
      local server, port = example.serve("echo-server", { 0, address })
      local client = example.run("echo-client", { shown .. port, "x", "", "--help", "two words" })
      assert.equal(0, client.status, client.err)
      local from = (" from %s port %d after "):format(address, port):gsub("%p", "%%%0")
      for i, line in ipairs { "x   %(1 byte", "   %(0 bytes", "%-%-help   %(6 bytes", "two words   %(9 bytes" } do
        assert.is_truthy(client.out:find(line .. from), ("line %d: %s"):format(i, client.out))
      end
      local out = example.interrupt(server)
      assert.is_truthy(out:find("\n1 byte from ", 1, true), out)
      -- a client that had to wait has asked again
      assert.is_true(tonumber(out:match "\nclosed after (%d+) datagrams\n$") >= 4, out)
    end)
  end

  it("client reads lines, and ends on Ctrl-C", function()
    local server, port = example.serve("echo-server", { 0 })
    local client = example.start("echo-client", { port })
    client:write "one\ntwo\n"
    client:expect "one   .*\ntwo   "
    client:kill "sigint"
    client:wait()
    assert.same({ 0, 0 }, { client.status, client.signal }, client.err)
    assert.is_truthy(example.interrupt(server):find "\nclosed after %d+ datagrams\n$")
  end)
end)

describe("broadcast", function()
  loop.guard()

  it("wakes, and shows who is woken", function()
    local port = example.free_port()
    local listener = example.start("broadcast", { "listen", port })
    listener:expect "listening on port %d+"
    local sender = example.run("broadcast", { "wake", "52:54:00:12:34:56", port, "127.255.255.255" })
    assert.same({ 0, "" }, { sender.status, sender.err })
    assert.equal(("sent 102 bytes to 127.255.255.255 port %d (the address given)\n"):format(port), sender.out)
    listener:expect "wake 52:54:00:12:34:56 from 127%.0%.0%.1\n"
    local other = sockets.new "udp4"
    other:send("x", port, "127.0.0.1")
    listener:expect "1 other byte from 127%.0%.0%.1\n"
    example.interrupt(listener)
    other:close()
    loop.run()
  end)
end)

describe("lookup", function()
  loop.guard()

  it("asks its own server, and tells of a name that does not exist", function()
    local process = example.run "lookup"
    assert.same({ 0, "" }, { process.status, process.err }, process.out)
    assert.is_truthy(process.out:find "localhost:%d+: 127%.0%.0%.1 says %d%d%d%d%-", process.out)
    assert.is_truthy(process.out:find "no%-such%-host%.invalid: getaddrinfo E", process.out)
  end)

  it("asks IPv6 addresses", function()
    need(pending, can.ipv6())
    local server, port = example.serve("sntp-server", { 0, "::1" })
    local process = example.run("lookup", { ("[::1]:%d"):format(port) })
    assert.equal(0, process.status, process.out .. process.err)
    assert.is_truthy(process.out:find "%[::1%]:%d+: ::1 says %d%d%d%d%-", process.out)
    example.interrupt(server)
  end)

  it("ends on Ctrl-C", function()
    local mute, port = sockets.bound "udp4"
    local process = example.start("lookup", { "127.0.0.1:" .. port })
    process:expect "the question is on its way"
    example.interrupt(process)
    mute:close()
    loop.run()
  end)
end)

describe("discovery", function()
  loop.guard()

  it("finds its like, by names without fractions", function()
    local interface = need(pending, can.multicast4())
    local first = example.start("discovery", { "first", interface })
    first:expect "first listens"
    local second = example.start("discovery", {})
    local name = second:expect "^(node%-%d+) listens"
    first:expect("%+ " .. name:gsub("%-", "%%-") .. " at 127%.0%.0%.1:%d+\n")
    second:expect "%+ first at 127%.0%.0%.1:%d+\n"
    example.interrupt(second)
    first:expect("%- " .. name:gsub("%-", "%%-") .. " says goodbye\n")
    example.interrupt(first)
  end)
end)

describe("demo", function()
  loop.guard()

  it("counts one datagram as one", function()
    local process = example.run("demo", { "1" })
    assert.same({ 0, "" }, { process.status, process.err })
    assert.is_truthy(process.out:find("3. 1 datagram of 64 bytes", 1, true))
    assert.is_truthy(process.out:find "nothing is left in the loop%.\n$")
  end)
end)
