-- SPDX-License-Identifier: MIT
-- examples/traceroute.lua, across two routers.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local dgram = require "dgram"
local example = require "spec.support.example"
local namespaces = require "spec.support.namespace"
local need = can.need

local function needed()
  local has, socket = pcall(dgram.createSocket, { type = "udp4", recvErrors = true })
  if not has then pending(tostring(socket)) end
  socket:close()
  loop.run()
  need(pending, namespaces.possible())
  local a, b, first, second = namespaces.routed_twice()
  need(pending, a, b)
  return a, b, first, second
end

-- A line of three answers, or stars, from one address.
local function hop(number, address)
  return ("\n%3d   %s   %%d+%%.%%d+ ms   %%d+%%.%%d+ ms   %%d+%%.%%d+ ms"):format(number, (address:gsub("%p", "%%%0")))
end

describe("traceroute", function()
  loop.guard()

  for _, to in ipairs {
    { "10.78.2.1", "10.78.1.2", "10.78.3.2" },
    { "fd78:2::1", "fd78:1::2", "fd78:3::2" },
    { "::ffff:10.78.2.1", "::ffff:10.78.1.2", "::ffff:10.78.3.2" },
  } do
    local host, one, two = to[1], to[2], to[3]

    it("names the routers on the way to " .. host, function()
      local a = needed()
      local process = example.start("traceroute", { host }, nil, a):wait(60)
      assert.same({ 0, "" }, { process.status, process.err }, process.out)
      assert.is_truthy(process.out:find(hop(1, one) .. hop(2, two) .. hop(3, host) .. "\n$"), process.out)
    end)
  end

  it("says where it does not get to the host, and why", function()
    local a, _, _, second = needed()
    -- so many hops are too few
    local short = example.start("traceroute", { "10.78.2.1", "2" }, nil, a):wait(60)
    assert.same({ 1, "traceroute: the host was not reached\n" }, { short.status, short.err }, short.out)
    -- a router that knows no way says so
    second:ip "route add unreachable 10.99.0.0/16"
    local lost = example.start("traceroute", { "10.99.0.1" }, nil, a):wait(60)
    assert.same({ 1, "traceroute: the host was not reached\n" }, { lost.status, lost.err }, lost.out)
    local last = "\n  2   10%.78%.3%.2   [^\n]*%(EHOSTUNREACH: ICMP type 3, code 1%)[^\n]*\n$"
    assert.is_truthy(lost.out:find(last), lost.out)
    -- with no route at all nothing is sent
    local none = example.start("traceroute", { "10.99.0.1" }, nil, namespaces.new()):wait(60)
    assert.equal(1, none.status)
    assert.is_truthy(none.err:find "^traceroute: connect ENETUNREACH [^\n]*\n$", none.err)
    -- silence is a star
    second:ip "route del 10.78.1.0/24 via 10.78.3.1"
    local silent = example.start("traceroute", { "10.78.2.1", "2" }, nil, a):wait(60)
    assert.is_truthy(silent.out:find "\n  2   %*   %*   %*\n$", silent.out)
  end)

  it("ends on Ctrl-C, and hears answers", function()
    local a, b = needed()
    local server = b:program()
    server:call [[
      s = dgram.createSocket("udp4", function(msg, rinfo) s:reply("here", rinfo) end)
      s:bind(33440, "10.78.2.1") ]]
    local process = example.start("traceroute", { "10.78.2.1" }, nil, a):wait(60)
    assert.is_truthy(process.out:find(hop(3, "10.78.2.1") .. "\n$"), process.out)
    server:stop()
    b:ip "route del default"
    local waiting = example.start("traceroute", { "10.78.2.1" }, nil, a)
    waiting:expect "\n  2   10%.78%.3%.2"
    example.interrupt(waiting)
  end)
end)
