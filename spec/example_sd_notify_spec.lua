-- SPDX-License-Identifier: MIT
-- examples/sd-notify.lua, heard by socat in the place of systemd.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local unix = require "spec.support.unix"
local need = can.need

--- Starts a socat that prints each datagram, with a line before it that says how long it is.
local function manager(address)
  local process = child.start(need(pending, can.program "socat"), { "-x", "-d", "-d", "-u", address, "-" })
  process:expect("starting data transfer loop", "err")
  return process
end

local function notify(args, variables)
  variables.WATCHDOG_USEC = variables.WATCHDOG_USEC or ""
  local process = example.run("sd-notify", args, variables)
  return { process.status, process.out .. process.err }
end

describe("sd-notify", function()
  loop.guard()

  it("tells all states in one datagram, by a path", function()
    local path = unix.path()
    local socat = manager("UNIX-RECV:" .. path)
    assert.same({ 0, "" }, notify({ "READY=1", "STATUS=All is well, a=b" }, { NOTIFY_SOCKET = path }))
    socat:expect "^READY=1\nSTATUS=All is well, a=b$"
    socat:stop()
    assert.equal(1, select(2, socat.err:gsub("\n[<>] %d+", "")), socat.err)
  end)

  it("tells them by an abstract name", function()
    need(pending, unix.has_abstract())
    local name = unix.abstract():sub(2)
    local socat = manager("ABSTRACT-RECV:" .. name)
    assert.same({ 0, "" }, notify({ "STOPPING=1" }, { NOTIFY_SOCKET = "@" .. name }))
    socat:expect "^STOPPING=1$"
    socat:stop()
  end)

  it("feeds the watchdog until Ctrl-C, then says that it stops", function()
    local path = unix.path()
    local socat = manager("UNIX-RECV:" .. path)
    local process = example.start("sd-notify", { "READY=1", "watchdog" },
      { NOTIFY_SOCKET = path, WATCHDOG_USEC = "20000" })
    socat:expect "^READY=1WATCHDOG=1WATCHDOG=1WATCHDOG=1"
    assert.equal("", example.interrupt(process))
    socat:expect "WATCHDOG=1STOPPING=1$"
    socat:stop()
  end)

  it("says what is wrong", function()
    local function complaint(args, variables)
      local result = notify(args, variables)
      assert.equal(1, result[1])
      return result[2]:match "^sd%-notify: ([^\n]*)\n$"
    end
    local path = unix.path()
    assert.equal("there is no $NOTIFY_SOCKET: only a service manager sets it",
      complaint({ "READY=1" }, { NOTIFY_SOCKET = "" }))
    for _, wrong in ipairs { "vsock:2:1", "relative", "@", "/" .. ("x"):rep(107) } do
      assert.equal("$NOTIFY_SOCKET is no socket's name: " .. wrong, complaint({ "READY=1" }, { NOTIFY_SOCKET = wrong }))
    end
    assert.equal("send ENOENT " .. path, complaint({ "READY=1" }, { NOTIFY_SOCKET = path }):sub(1, 12 + #path))
    assert.equal("there is no $WATCHDOG_USEC: nobody watches", complaint({ "watchdog" }, { NOTIFY_SOCKET = path }))
  end)
end)
