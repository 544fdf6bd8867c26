-- SPDX-License-Identifier: MIT
-- examples/mdns-discovery.lua and examples/mdns-announce.lua with Avahi, in two network namespaces, and with each other.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local namespaces = require "spec.support.namespace"
local unix = require "spec.support.unix"
local need = can.need

local bus_settings = [[
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=%s/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
]]

local avahi_settings = [[
[server]
host-name=peer
allow-interfaces=dga
[publish]
publish-hinfo=no
publish-workstation=no
]]

--- Avahi in a namespace, with a D-Bus of its own: a function that starts one of its programs, and one that ends it all.
local function avahi(space)
  local folder = unix.folder()
  unix.file(folder .. "/bus.conf", bus_settings:format(folder))
  unix.file(folder .. "/avahi.conf", avahi_settings)
  local running = {}
  local function run(name, ...)
    local bus = "DBUS_SYSTEM_BUS_ADDRESS=unix:path=" .. folder .. "/bus"
    local process = child.start(assert(can.program "ip"), { "netns", "exec", space.name, "env", bus, name, ... })
    table.insert(running, 1, process)
    return process
  end
  run(assert(example.peer "dbus-daemon"), "--config-file=" .. folder .. "/bus.conf", "--nofork", "--nopidfile")
  loop.wait(function() return unix.kind(folder .. "/bus") == "socket" end, 20)
  -- a /run of its own, which nobody else sees: there may be an Avahi on this machine
  run("sh", "-c", [[mount -t tmpfs tmpfs /run && exec "$@"]], "sh", assert(example.peer "avahi-daemon"),
    "--file=" .. folder .. "/avahi.conf", "--no-drop-root", "--no-chroot", "--no-rlimits")
    :expect("Server startup complete", "err", 60)
  return run, function()
    for _, process in ipairs(running) do process:stop() end
  end
end

local function needed()
  for _, name in ipairs { "dbus-daemon", "avahi-daemon", "avahi-browse", "avahi-publish", "avahi-resolve" } do
    need(pending, example.peer(name))
  end
  need(pending, namespaces.possible())
  return namespaces.pair()
end

describe("multicast DNS", function()
  loop.guard()

  it("finds what Avahi tells of, by both families", function()
    local a, b = needed()
    local run, finish = avahi(a)
    run("avahi-publish", "-s", "My web. Really", "_http._tcp", "8080", "path=/x", "v=1")
      :expect("Established under name", "err", 60)
    local by_ipv4 = "My web%. Really at 10%.77%.0%.1 port 8080 %(peer%.local%) path=/x v=1\n"
    local by_ipv6 = "My web%. Really at fe80::77:1%%dgb port 8080 %(peer%.local%) path=/x v=1\n"
    local process = example.start("mdns-discovery", { "_http._tcp", b.interface, 60 }, nil, b)
    process:expect(by_ipv4, "out", 60)
    process:expect(by_ipv6, "out", 60)
    example.interrupt(process)
    -- where there is no IPv4 a question by IPv6 is enough
    b:ip "addr del 10.77.0.2/24 dev dgb"
    process = example.start("mdns-discovery", { "_http._tcp", b.interface, 60 }, nil, b)
    process:expect(by_ipv6, "out", 60)
    process:kill "sigint"
    assert.equal(0, process:wait().status)
    finish()
  end)

  it("is found by Avahi, and gone when it ends", function()
    local a, b = needed()
    local run, finish = avahi(a)
    local browse = run("avahi-browse", "-rpk", "_dgram._udp")
    local process = example.start("mdns-announce", { "_dgram._udp", b.interface, "A peer", 4123, "path=/y" }, nil, b)
    process:expect "A peer is announced on dgb"
    local host = browse:expect(
      '\n=;dga;IPv[46];A\\032peer;_dgram%._udp;local;([^;\n]*%-4123%.local);10%.77%.0%.2;4123;"path=/y"\n', "out", 60)
    local ipv6 = run("avahi-resolve", "-6", "-n", host):wait(60)
    assert.equal(host .. "\tfe80::77:2\n", ipv6.out, ipv6.err)
    -- one who comes later asks
    local later = run("avahi-browse", "-rpkt", "_dgram._udp"):wait(60)
    assert.is_truthy(later.out:find("\n=;dga;IPv[46];A\\032peer;"), later.out)
    example.interrupt(process)
    for _, family in ipairs { "IPv4", "IPv6" } do
      browse:expect("\n%-;dga;" .. family .. ";A\\032peer;_dgram%._udp;local\n", "out", 60)
    end
    finish()
  end)

  it("does not take the name of another's service", function()
    local a, b = needed()
    local run, finish = avahi(a)
    run("avahi-publish", "-s", "Taken", "_http._tcp", "8080"):expect("Established under name", "err", 60)
    local process = example.start("mdns-announce", { "_http._tcp", b.interface, "taken", 80 }, nil, b):wait(60)
    assert.same({ 1, "", "mdns-announce: another host has the name 'taken'\n" },
      { process.status, process.out, process.err })
    finish()
  end)

  it("finds its like, and nothing where there is nothing", function()
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    local process = example.start("mdns-announce", { "_x._udp", a.interface, "one", 1 }, nil, a)
    process:expect "one is announced on dga"
    local found = example.start("mdns-discovery", { "_X._UDP", b.interface, 60 }, nil, b)
    found:expect("one at 10%.77%.0%.1 port 1 %([^\n]*%-1%.local%)\n", "out", 60)
    found:expect("one at fe80::77:1%%dgb port 1 %([^\n]*%-1%.local%)\n", "out", 60)
    example.interrupt(found)
    example.interrupt(process)
    local none = example.start("mdns-discovery", { "_x._udp", b.interface, 1 }, nil, b):wait(60)
    assert.same({ 1, "", "mdns-discovery: no service was found\n" }, { none.status, none.out, none.err })
  end)

  it("bears whatever is sent to it", function()
    need(pending, namespaces.possible())
    local a, b = namespaces.pair()
    local process = example.start("mdns-announce", { "_x._udp", a.interface, "one", 1 }, nil, a)
    process:expect "one is announced on dga"
    local asker = b:program()
    asker:call [[
      s = new "udp4"
      s:setMulticastInterface "dgb"
      s:bind(0)
      question = "ab\0\0\0\1\0\0\0\0\0\0\2_x\4_udp\5local\0\0\12\0\1"
      for i = 0, #question - 1 do s:send(question:sub(1, i), 5353, "224.0.0.251") end
      local tails = { "\192\12", "\1x\192\12", "\192\14\192\12", "\193\0", "\64x", ("\63" .. ("x"):rep(63)):rep(9) }
      for _, tail in ipairs(tails) do
        s:send(question:sub(1, 12) .. tail .. "\0\12\0\1", 5353, "224.0.0.251")
      end
      s:send(question, 5353, "224.0.0.251") ]]
    asker:wait "return got[1]"
    -- the only answer: to this one alone, with its id and question, from port 5353
    assert.same({ 1, "ab\132", true, 5353 }, { asker:call [[
      return #got, got[1].msg:sub(1, 3), got[1].msg:find(question:sub(13), 13, true) == 13, got[1].rinfo.port ]] })
    asker:call "s:close()"
    asker:stop()
    example.interrupt(process)
  end)
end)

describe("examples/lib/mdns.lua", function()
  local mdns = dofile "examples/lib/mdns.lua"

  it("reads what it writes, and nothing that is cut short", function()
    local name = mdns.name("A.b", "local")
    local records = {
      { name = name, kind = mdns.PTR, ttl = 4500, target = mdns.name("x", "local") },
      { name = name, kind = mdns.SRV, ttl = 120, port = 65535, target = name },
      { name = name, kind = mdns.TXT, ttl = 1, texts = { "a=1", ("x"):rep(255) } },
      { name = name, kind = mdns.TXT, ttl = 1, texts = {} },
      { name = name, kind = mdns.A, ttl = 0, address = "10.0.255.1" },
    }
    for _, address in ipairs { "::", "::1", "1::", "fe80::77:1", "1:2:3:4:5:6:7:8", "1:0:0:2::3", "1:2::1:0:0:1" } do
      records[#records + 1] = { name = name, kind = mdns.AAAA, ttl = 120, address = address }
    end
    local questions = { { name = name, kind = mdns.ANY } }
    local msg = mdns.response("id", records, 4500, questions)
    assert.same({ id = "id", response = true, questions = questions, records = records }, mdns.read(msg))
    for i = 0, #msg - 1 do assert.is_false((pcall(mdns.read, msg:sub(1, i))), i .. " bytes") end
    assert.same({ "A.b", "local" }, mdns.labels(name))
  end)
end)
