-- SPDX-License-Identifier: MIT
-- Datagrams go in the order of the sends, and so do their callbacks.
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local expect, new = loop.expect, sockets.new

describe("the order of sends", function()
  loop.guard()

  -- who receives: luv's handle takes datagrams as they are, ours may be handed several at once
  local receivers = {
    ["a peer"] = function()
      local peer = peers.new():listen()
      uv.recv_buffer_size(peer.handle, 200000)
      return peer, peer.port, peer.got
    end,
    ["a dgram socket"] = function()
      return sockets.collector { type = "udp4", recvBufferSize = 200000 }
    end,
  }

  -- how long the n-th message is: whatever is sent together must come apart as it was
  local lengths = {
    ["of one size"] = function() return 20 end,
    ["of sizes that change now and then"] = function(n) return n % 7 == 0 and 60 or 13 end,
    ["with shorter ones at the end of runs"] = function(n) return n % 5 == 0 and 9 or 50 end,
    ["growing"] = function(n) return 5 + n end,
    ["shrinking"] = function(n) return 200 - n end,
    ["of a packet's size"] = function(n) return n <= 60 and 1400 or 100 end,
    ["with large ones among them"] = function(n) return n % 40 == 7 and 30000 or 30 end,
  }

  for who, receive in pairs(receivers) do
    for what, length in pairs(lengths) do
      it(("is the order of arrival and of the callbacks: %s, to %s"):format(what, who), function()
        local receiver, port, got = receive()
        local socket = new "udp4"
        local wanted, called = {}, {}
        for i = 1, 100 do
          wanted[i] = (("%03d."):format(i)):rep(length(i)):sub(1, length(i))
          socket:send(wanted[i], port, "127.0.0.1", function(err, bytes)
            assert.is_nil(err)
            assert.equal(#wanted[i], bytes)
            called[#called + 1] = i
          end)
          assert.equal(0, #called)
        end
        loop.wait(function() return #got >= 100 and #called >= 100 end)
        for i = 1, 100 do
          assert.is_true(got[i].msg == wanted[i], "number " .. i)
          assert.equal(i, called[i])
        end
        receiver:close()
        socket:close()
        loop.run()
        assert.same({ 100, 100 }, { #got, #called })
      end)
    end
  end

  it("holds for each of several destinations", function()
    local socket = new "udp4"
    local list = {}
    for i = 1, 3 do list[i] = peers.new():listen() end
    for i = 1, 40 do
      for _, peer in ipairs(list) do socket:send("number " .. i, peer.port) end
    end
    for _, peer in ipairs(list) do
      peer:wait(40)
      for i = 1, 40 do assert.equal("number " .. i, peer.got[i].msg) end
      peer:close()
    end
    socket:close()
    loop.run()
  end)

  it("holds for empty datagrams among others", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    local wanted = { "", "", "a", "", "b", "b", "", "" }
    for _, msg in ipairs(wanted) do socket:send(msg, peer.port) end
    peer:wait(#wanted)
    assert.same(wanted, sockets.messages(peer.got))
    peer:close()
    socket:close()
    loop.run()
  end)

  it("holds for sends out of callbacks", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    local n = 0
    local function again(err)
      assert.is_nil(err)
      n = n + 1
      if n <= 100 then socket:send("number " .. n, peer.port, "127.0.0.1", again) end
    end
    again()
    peer:wait(100)
    for i = 1, 100 do assert.equal("number " .. i, peer.got[i].msg) end
    peer:close()
    socket:close()
    loop.run()
    assert.equal(101, n)
  end)
end)

describe("the send queue", function()
  loop.guard()

  it("counts what was accepted and has not left", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    assert.equal(0, socket:getSendQueueSize())
    assert.equal(0, socket:getSendQueueCount())
    socket:send("at once", peer.port, "127.0.0.1")
    assert.equal(0, socket:getSendQueueSize())
    assert.equal(0, socket:getSendQueueCount())
    socket:send("hello", peer.port, "127.0.0.1", expect(function()
      assert.equal(0, socket:getSendQueueSize())
      assert.equal(0, socket:getSendQueueCount())
    end))
    assert.equal(5, socket:getSendQueueSize())
    assert.equal(1, socket:getSendQueueCount())
    socket:send("", peer.port)
    assert.equal(5, socket:getSendQueueSize())
    assert.equal(2, socket:getSendQueueCount())
    peer:wait(3)
    assert.equal(0, socket:getSendQueueSize())
    assert.equal(0, socket:getSendQueueCount())
    peer:close()
    socket:close()
    loop.run()
  end)

  it("counts what waits for a look-up", function()
    local socket = new "udp4"
    socket:send("hello", 9, "nohost.invalid", expect(function()
      assert.equal(0, socket:getSendQueueCount())
    end))
    assert.equal(1, socket:getSendQueueCount())
    assert.equal(5, socket:getSendQueueSize())
    socket:close()
    loop.run(20)
    assert.equal(0, socket:getSendQueueCount())
  end)

  it("is told of a closed socket too", function()
    local peer = peers.new():listen()
    local socket = new "udp4"
    socket:send("hello", peer.port)
    socket:close()
    assert.is_true(socket:getSendQueueCount() <= 1)
    assert.is_true(socket:getSendQueueSize() <= 5)
    peer:wait(1)
    peer:close()
    loop.run()
    assert.equal(0, socket:getSendQueueCount())
    assert.equal(0, socket:getSendQueueSize())
  end)
end)

describe("100,000 datagrams in one loop", function()
  loop.guard()

  local total = 100000

  -- Every datagram has its number; the receiver takes note of the first that is not the next.
  local function receiver(done)
    local state = { n = 0 }
    local socket, port = sockets.bound("udp4", function(msg)
      state.n = state.n + 1
      if tonumber(msg) ~= state.n and not state.wrong then
        state.wrong = ("%s came as number %d"):format(msg, state.n)
      end
      if state.n == total then done() end
    end)
    state.socket, state.port = socket, port
    return state
  end

  local function check(state, called)
    loop.run(120)
    assert.is_nil(state.wrong)
    assert.equal(total, state.n)
    assert.equal(total, called())
  end

  it("paced by their callbacks, arrive each once and in order", function()
    local sender = new "udp4"
    local state
    state = receiver(function()
      sender:close()
      state.socket:close()
    end)
    local port, sent, called = state.port, 0, 0
    local function next_one()
      if sent < total then
        sent = sent + 1
        sender:send(("%06d"):format(sent), port, "127.0.0.1", function(err)
          if err then error(err, 0) end
          called = called + 1
          next_one()
        end)
      end
    end
    for _ = 1, 64 do next_one() end
    check(state, function() return called end)
  end)

  it("paced by the receiver, in sizes that change, arrive each once and in order", function()
    local sender = new "udp4"
    local state
    local sent, called = 0, 0
    local function window()
      for _ = 1, math.min(50, total - sent) do
        sent = sent + 1
        sender:send(("0"):rep(sent % 5) .. sent, state.port, "127.0.0.1", function(err)
          if err then error(err, 0) end
          called = called + 1
        end)
      end
    end
    state = receiver(function()
      sender:close()
      state.socket:close()
    end)
    state.socket:on("message", function()
      if state.n == sent then window() end
    end)
    window()
    check(state, function() return called end)
  end)
end)
