-- SPDX-License-Identifier: MIT
-- examples/syslog-collector.lua, written to by logger, over its Unix socket and over UDP.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local need = can.need

local function collect(address)
  local path = unix.path()
  local port = example.free_port()
  local process = example.start("syslog-collector", { path, "600", (address or "127.0.0.1") .. ":" .. port })
  process:expect "collecting at %S+, mode 600\nlistening on %S+ port %d+"
  return process, path, port
end

local function run(logger, ...)
  local process = child.start(logger, { ... }):wait()
  assert.same({ 0, "" }, { process.status, process.err })
end

describe("syslog-collector", function()
  loop.guard()

  it("collects what logger writes to its path and to its port", function()
    local logger = need(pending, can.program "logger")
    local process, path, port = collect()
    run(logger, "-u", path, "-t", "spec", "-p", "mail.warning", "over Unix")
    process:expect "\nmail%.warning: [^\n]*spec: over Unix\n"
    run(logger, "-n", "127.0.0.1", "-P", tostring(port), "-d", "-t", "spec", "-p", "local7.debug", "over UDP")
    process:expect "\nlocal7%.debug from 127%.0%.0%.1 port %d+: %d%d%d%d%-[^\n ]+ [^\n ]+ spec%[%-%]: over UDP\n"
    run(logger, "-n", "127.0.0.1", "-P", tostring(port), "-d", "--rfc3164", "-t", "spec", "the old form")
    process:expect "\nuser%.notice from 127%.0%.0%.1 port %d+: [^\n]*spec: the old form\n"
    assert.is_truthy(example.interrupt(process):find "\nclosed after 3 messages\n$")
    assert.is_nil(uv.fs_stat(path))
  end)

  it("collects over IPv6", function()
    need(pending, can.ipv6())
    local logger = need(pending, can.program "logger")
    local process, _, port = collect "[::1]"
    run(logger, "-n", "::1", "-P", tostring(port), "-d", "-t", "spec", "hello")
    process:expect " from ::1 port %d+: [^\n]*spec%[%-%]: hello\n"
    assert.is_truthy(example.interrupt(process):find "\nclosed after 1 message\n$")
  end)

  it("finds the text behind structured data, and shows control characters as numbers", function()
    local process, path, port = collect()
    local client = sockets.new "udp4"
    local function send(msg, shown)
      client:send(msg, port, "127.0.0.1")
      process:expect((": " .. shown):gsub("%p", "%%%0") .. "\n")
    end
    local head = "<13>1 2030-01-02T03:04:05Z host prog 42 id "
    send(head .. '[a@1 x="] \\" ["][b@2 y=""] \239\187\191text "[1]"', '2030-01-02T03:04:05Z host prog[42]: text "[1]"')
    send(head .. "- [not data]", "2030-01-02T03:04:05Z host prog[42]: [not data]")
    send(head .. '[a x="never closed', "2030-01-02T03:04:05Z host prog[42]: ")
    send(head .. "-", "2030-01-02T03:04:05Z host prog[42]: ")
    send("<13>1 too short", "1 too short")
    send("<13>a\27[2Jb\nc\n\n", "a\\027[2Jb\\010c")
    send("<192>x", "<192>x")
    send("<191>y", "y")
    client:send("", port, "127.0.0.1")
    process:expect "\nunknown from 127%.0%.0%.1 port %d+: \n"
    example.interrupt(process)
    assert.equal("", process.err)
    client:close()
    loop.run()
    assert.is_nil(uv.fs_stat(path))
  end)
end)
