-- SPDX-License-Identifier: MIT
-- examples/statsd-server.lua, sent to by socat.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local need = can.need

--- Sends a text to the server, as one datagram. It has come when the next report counts its lines.
local function send(socat, port, text)
  local process = child.start(socat, { "-", "UDP:127.0.0.1:" .. port })
  process:write(text)
  process:end_input()
  process:wait()
  assert.equal(0, process.status, process.err)
end

--- Asks for reports until one has something to tell, and returns that.
local function report(server, pattern)
  local from = #server.out + 1
  for _ = 1, 200 do
    server:kill "sigusr1"
    loop.pass(20)
    if server.out:find(pattern, from) then return server.out:sub(from) end
  end
  error("no report has " .. pattern .. ": " .. server.out:sub(from))
end

describe("statsd-server", function()
  loop.guard()

  it("reports what socat sent", function()
    local socat = need(pending, can.program "socat")
    local server, port = example.serve("statsd-server", { 0, "127.0.0.1", 0 })
    send(socat, port, "hits:1|c\nhits:2|c\nseldom:1|c|@0.25\nload:5|g\nload:-2|g\nload:+0.5|g\n"
      .. "answer:10|ms\nanswer:20|ms|#tag:x\nusers:ann|s\nusers:bob|s\nusers:ann|s")
    local out = report(server, "%-%- 11 lines, 0 of them bad")
    assert.is_truthy(out:find "\ncounter  hits +3, [%d.]+ a second\n", out)
    assert.is_truthy(out:find "\ncounter  seldom +4, [%d.]+ a second\n", out)
    assert.is_truthy(out:find "\ngauge    load +3%.500\n", out)
    assert.is_truthy(out:find "\ntimer    answer +count 2, 10 to 20, mean 15\n", out)
    assert.is_truthy(out:find "\nset      users +2 members\n", out)
    -- the next report begins anew, but for the gauges; the last one comes at the end
    send(socat, port, "hits:1|c\nusers:cleo|s\n")
    out = report(server, "%-%- 2 lines, 0 of them bad")
    assert.is_truthy(out:find "\ncounter  hits +1, ", out)
    assert.is_truthy(out:find "\nset      users +1 member\n", out)
    assert.is_truthy(out:find "\ngauge    load +3%.500\n", out)
    assert.is_nil(out:find "seldom")
    out = example.interrupt(server)
    assert.is_truthy(out:find "%-%- 0 lines, 0 of them bad, in [%d.]+ s\ngauge    load +3%.500\n$", out)
  end)

  it("counts lines that are none", function()
    local socat = need(pending, can.program "socat")
    local server, port = example.serve("statsd-server", { 0, "127.0.0.1", 0 })
    send(socat, port, "good:1|c\n\n:1|c\n"
      .. "x\nx:\nx:1\nx:1|\nx:1|q\nx:nan|c\nx:inf|g\nx:0x10|c\nx:1e9|c\nx:1|c|@0\nx:1|c|@2\n"
      .. "x:|s\nx:1|c!\nx:1|c|@\n\27[2Jx:1|c\nx:" .. ("9"):rep(400) .. "|c\n")
    local out = report(server, "%-%- 18 lines")
    assert.is_truthy(out:find "%-%- 18 lines, 17 of them bad, in [%d.]+ s\ncounter  good +1, [%d.]+ a second\n", out)
    assert.is_nil(out:find " x ")
    example.interrupt(server)
  end)

  it("reports by itself", function()
    local socat = need(pending, can.program "socat")
    local server, port = example.serve("statsd-server", { 0, "127.0.0.1", 1 })
    send(socat, port, "hits:1|c")
    server:expect "counter  hits +1"
    example.interrupt(server)
  end)
end)
