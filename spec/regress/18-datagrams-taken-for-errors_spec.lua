-- SPDX-License-Identifier: MIT
-- A Unix socket whose peer connects elsewhere gets ECONNRESET. What waited in the socket was thrown away with it: Unix
-- sockets have no error queue, and read their datagrams where they are asked for it.
local can = require "spec.support.can"
local loop = require "spec.support.loop"
local unix = require "spec.support.unix"
local dgram = require "dgram"

describe("a peer that connects elsewhere", function()
  loop.guard()

  it("costs none of the datagrams that it had sent", function()
    can.need(pending, unix.has_abstract())
    local socket, peer = dgram.socketpair()
    local other, path = unix.bound(nil, unix.abstract())
    local got, errors = {}, {}
    socket:on("message", function(msg) got[#got + 1] = msg end)
    socket:on("error", function(err) errors[#errors + 1] = err.code end)
    loop.turn()
    socket:send "not read"
    socket:flush()
    for i = 1, 3 do peer:send(tostring(i)) end
    peer:flush()
    peer:disconnect()
    peer:connectSync(path)
    loop.wait(function() return #got == 3 and #errors == 1 end)
    assert.same({ "1", "2", "3" }, got)
    assert.same({ "ECONNRESET" }, errors)
    for _, each in ipairs { socket, peer, other } do each:close() end
    loop.run()
  end)
end)
