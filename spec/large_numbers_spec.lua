-- SPDX-License-Identifier: MIT
-- Numbers that 31, 32 or 53 bits do not hold are taken as what they are, or refused: never as what is left of them.
local loop = require "spec.support.loop"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local uv = require "luv"
local dgram = require "dgram"

local new = sockets.new
local B31, B32, B53 = 2147483648, 4294967296, 9007199254740992
local bases = { B31, B32, 2 * B32, B53 / 2, B53, 512 * B53 }

-- Calls fn with numbers whose lowest 31 or 32 bits are n.
local function each_beyond(n, fn)
  for _, base in ipairs(bases) do
    fn(base + n) -- the largest of them have no room for n; they are large all the same
    fn(-base + n)
  end
end

describe("a number beyond 32 bits", function()
  loop.guard()

  it("is no offset and no length", function()
    local outside = { name = "RangeError", code = "ERR_BUFFER_OUT_OF_BOUNDS" }
    local socket, to_peer = new "udp4", new "udp4"
    to_peer:connectSync(9, "127.0.0.1")
    for n = 0, 3 do
      each_beyond(n, function(value)
        local want = value < 0 and faults.out_of_range or outside
        for _, part in ipairs { { value, 1 }, { 1, value }, { value, value } } do
          for _, send in ipairs { socket.send, socket.sendto } do
            faults.raised(want, send, socket, "hello", part[1], part[2], 9, "127.0.0.1")
          end
          faults.raised(want, to_peer.send, to_peer, "hello", part[1], part[2])
        end
      end)
    end
    faults.raised({ code = "EBADF" }, socket.address, socket)
    sockets.close_all(socket, to_peer)
    loop.run()
  end)

  it("is no port", function()
    local socket = new "udp4"
    each_beyond(9, function(port)
      faults.raised(faults.bad_port, socket.send, socket, "x", port, "127.0.0.1")
      faults.raised(faults.bad_port, socket.sendMany, socket, { "x" }, port, "127.0.0.1")
      faults.raised(faults.bad_port, socket.connect, socket, port, "127.0.0.1")
      faults.raised(faults.bad_port, socket.connectSync, socket, port, "127.0.0.1")
      faults.raised(faults.bad_port, socket.bind, socket, port, "127.0.0.1")
      faults.raised(faults.bad_port, socket.bind, socket, { port = port })
      faults.raised(faults.bad_port, socket.bindSync, socket, { port = port })
    end)
    faults.raised({ code = "EBADF" }, socket.address, socket)
    socket:close()
    loop.run()
  end)

  it("is no hop limit, no prefix, no interval", function()
    local socket, list = new "udp4", dgram.BlockList()
    each_beyond(8, function(value)
      faults.raised(faults.out_of_range, socket.setTTL, socket, value)
      faults.raised(faults.out_of_range, socket.setMulticastTTL, socket, value)
      faults.raised(faults.out_of_range, list.addSubnet, list, "10.0.0.0", value)
      faults.raised(faults.out_of_range, list.addSubnet, list, "fe80::", value, "ipv6")
      faults.raised(faults.out_of_range, dgram.createSocket, { type = "udp4", moderation = value })
      faults.raised(faults.out_of_range, dgram.createSocket, { type = "udp4", busyPoll = value })
    end)
    assert.is_false(list:check "10.0.0.1")
    socket:close()
    loop.run()
  end)

  it("is no descriptor, though its lowest bits are one", function()
    local other, socket = new "udp4", new "udp4"
    each_beyond(other:fileno(), function(fd)
      faults.raised({ code = "EBADF", syscall = "bind" }, socket.bind, socket, { fd = fd })
    end)
    assert.is_truthy((uv.fs_fstat(other:fileno())))
    sockets.close_all(other, socket)
    loop.run()
  end)

  it("is no buffer size; one of 32 bits is, though the system has none so large", function()
    local socket = new "udp4"
    for _, which in ipairs { "Recv", "Send" } do
      local set = socket["set" .. which .. "BufferSize"]
      each_beyond(5000, function(bytes)
        local none = bytes < 0 or bytes >= B32
        faults.raised({ code = none and "ERR_SOCKET_BAD_BUFFER_SIZE" or "ERR_SOCKET_BUFFER_SIZE" }, set, socket, bytes)
      end)
      faults.raised({ code = "ERR_SOCKET_BUFFER_SIZE" }, set, socket, B32 - 1)
    end
    socket:close()
    loop.run()
  end)

  it("is a limit of the send queue", function()
    for _, base in ipairs(bases) do
      local socket, port, got = sockets.collector { type = "udp4", sendQueueLimit = base + 1 }
      local told = 0
      for _ = 1, 5 do
        socket:send("hello", port, "127.0.0.1", function(err)
          assert.is_nil(err)
          told = told + 1
        end)
      end
      loop.wait(function() return told == 5 and #got == 5 end)
      socket:close()
      loop.run()
    end
  end)

  it("may be what the strings of a list are together", function()
    local large, list = ("x"):rep(1048576), {}
    for i = 1, 4097 do list[i] = large end
    list[4098] = "hello"
    local socket = new { type = "udp4", lookup = function(_, _, cb) cb(nil, "127.0.0.1", 4) end }
    local codes = {}
    local function told(err) codes[#codes + 1] = err.code end
    socket:send(list, 9, "127.0.0.1", told)
    socket:send(list, 9, "some.name", told)
    socket:sendMany(list, 9, "some.name", told)
    local local_socket = new "unix_dgram"
    local_socket:send(list, "/nobody", told)
    assert.equal(0, socket:getSendQueueSize() + local_socket:getSendQueueSize())
    loop.wait(function() return #codes == 4 end)
    table.sort(codes)
    assert.same({ "EMSGSIZE", "EMSGSIZE", "EMSGSIZE", "ENOBUFS" }, codes)
    sockets.close_all(socket, local_socket)
    loop.run()
  end)
end)
