-- SPDX-License-Identifier: MIT
-- A connected socket whose peer is not there: the error comes late, by ICMP, and is one `error` event.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local need, never = can.need, loop.never

local families = { udp4 = "127.0.0.1", udp6 = "::1" }

-- A socket connected to a port where nobody is, that port, and the list of its errors.
local function refused(kind, listener)
  if kind == "udp6" then need(pending, can.ipv6()) end
  local gone = peers.new(families[kind])
  gone:close()
  loop.turn()
  local socket = sockets.bound(kind, listener)
  local errors = {}
  socket:on("error", function(err) errors[#errors + 1] = err end)
  socket:connect(gone.port, families[kind])
  return socket, gone.port, errors
end

for kind, address in pairs(families) do
  for how, listener in pairs { ["with a listener"] = never, ["without one"] = function() end } do
    describe(("a refusal, %s, %s"):format(kind, how), function()
      loop.guard()

      local function start()
        return refused(kind, listener())
      end

      it("is one error event, and no failure of the send", function()
        local socket, port, errors = start()
        local sent = 0
        socket:send("refused", function(err, bytes)
          assert.same({ nil, 7 }, { err, bytes })
          sent = sent + 1
        end)
        loop.wait(function() return #errors > 0 and sent > 0 end)
        faults.system(errors[1], { code = "ECONNREFUSED", syscall = "recvmsg", address = address, port = port })
        loop.pass(20)
        assert.same({ 1, 1 }, { #errors, sent })
        socket:close()
        loop.run()
      end)

      it("leaves the socket in order: the next datagram goes out, and answers come", function()
        local socket, port, errors = start()
        socket:send "refused"
        loop.wait(function() return #errors > 0 end)
        local heir = uv.new_udp()
        assert(heir:bind(address, port))
        local heard
        heir:recv_start(function(_, data) heard = heard or data end)
        socket:removeAllListeners "message"
        local got
        socket:on("message", function(msg) got = msg end)
        socket:send "heard"
        loop.wait(function() return heard end)
        assert.equal("heard", heard)
        assert(heir:try_send("answer", address, socket:address().port))
        loop.wait(function() return got end)
        assert.equal("answer", got)
        assert.equal(1, #errors)
        heir:close()
        socket:close()
        loop.run()
      end)

      it("costs no datagram that trips over it", function()
        local socket, port, errors = start()
        socket:send "refused"
        loop.wait(function() return #errors > 0 end)
        -- more than one batch: the system knows of refusals before the later ones are handed to it
        local sent = 0
        for i = 1, 200 do
          socket:send("number " .. i, function(err)
            assert.is_nil(err)
            sent = sent + 1
          end)
        end
        loop.wait(function() return sent == 200 end)
        loop.pass(20)
        assert.equal(200, sent)
        assert.is_true(#errors > 1 and #errors <= 201, #errors .. " errors")
        for _, err in ipairs(errors) do
          assert.same({ "ECONNREFUSED", address, port }, { err.code, err.address, err.port })
        end
        socket:close()
        loop.run()
      end)
    end)
  end
end

describe("a refusal", function()
  loop.guard()

  it("without a listener for errors is raised, once", function()
    local socket, port = refused("udp4", never())
    socket:removeAllListeners "error"
    socket:send "refused"
    faults.raised({ code = "ECONNREFUSED", syscall = "recvmsg", port = port }, loop.wait, function() return false end)
    loop.turn(5)
    socket:close()
    loop.run()
  end)

  it("is told to the socket that it concerns", function()
    local socket, _, errors = refused("udp4", never())
    local other, _, none = refused("udp4", never())
    local third = sockets.bound("udp4", never())
    third:on("error", never())
    socket:send "refused"
    loop.wait(function() return #errors > 0 end)
    loop.pass(10)
    assert.same({ 1, 0 }, { #errors, #none })
    sockets.close_all(socket, other, third)
    loop.run()
  end)

  it("of what was sent before disconnect spoils nothing after it", function()
    local socket, _, errors = refused "udp4"
    local peer = peers.new():listen()
    socket:send "refused"
    socket:disconnect()
    local sent = 0
    for i = 1, 3 do
      socket:send("number " .. i, peer.port, "127.0.0.1", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    peer:wait(3)
    loop.wait(function() return sent == 3 end)
    assert.is_true(#errors <= 1)
    peer:close()
    socket:close()
    loop.run()
  end)

  for way in pairs { connect = true, connectSync = true } do
    it(("that was pending at disconnect and %s names the old peer"):format(way), function()
      local socket, port, errors = refused "udp4"
      local living, there = sockets.bound "udp4"
      socket:send "refused"
      socket:disconnect()
      socket[way](socket, there, "127.0.0.1")
      local sent
      socket:send("to the living", function(err) sent = err or true end)
      loop.wait(function() return #errors == 1 and sent end)
      loop.pass(10)
      assert.is_true(sent)
      assert.equal(1, #errors)
      faults.system(errors[1], { code = "ECONNREFUSED", syscall = "recvmsg", address = "127.0.0.1", port = port })
      sockets.close_all(socket, living)
      loop.run()
    end)
  end

  it("is told before what comes of the new peer, which nobody had before", function()
    local socket, port, errors = refused "udp4"
    for _ = 1, 3 do
      local ghost = peers.new()
      ghost:close()
      loop.turn()
      socket:send "refused"
      socket:flush()
      socket:disconnect()
      socket:connect(ghost.port, "127.0.0.1")
      loop.turn()
      assert.equal(port, errors[#errors].port)
      port = ghost.port
    end
    assert.equal(3, #errors)
    socket:close()
    loop.run()
  end)

  it("while the socket closes hurts nobody", function()
    local socket = refused("udp4", never())
    local sent = 0
    for _ = 1, 100 do
      socket:send("x", function(err)
        assert.is_nil(err)
        sent = sent + 1
      end)
    end
    socket:close(loop.expect())
    loop.run()
    assert.equal(100, sent)
  end)

  for what, listener in pairs { ["a listener"] = never, ["no listener"] = function() end } do
    it("costs nothing once it was told, with " .. what, function()
      local socket, _, errors = refused("udp4", listener())
      for _ = 1, 3 do socket:send "refused" end
      loop.wait(function() return #errors > 0 end)
      loop.turn(5)
      local turns = 0
      local counter = uv.new_prepare()
      counter:start(function() turns = turns + 1 end)
      local before = os.clock()
      loop.pass(200)
      local used = os.clock() - before
      counter:close()
      socket:close()
      loop.run()
      assert.is_true(turns < 30, turns .. " turns of the loop")
      assert.is_true(used < 0.1, used .. " s of CPU")
    end)
  end
end)
