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
end)
