-- SPDX-License-Identifier: MIT
-- Sockets of the specs: those made here are closed after the spec, whatever became of it.

local dgram = require "dgram"
local loop = require "spec.support.loop"

local sockets = {}

local made = setmetatable({}, { __mode = "k" })

loop.leftover(function()
  for socket in pairs(made) do
    made[socket] = nil
    pcall(socket.close, socket)
  end
end)

--- dgram.createSocket, remembered.
function sockets.new(...)
  local socket = dgram.createSocket(...)
  made[socket] = true
  return socket
end

local own = { udp4 = "127.0.0.1", udp6 = "::1" }
sockets.loopback = own

--- A socket on the loopback address of its family and a free port; and that port.
function sockets.bound(options, listener)
  local socket = sockets.new(options, listener)
  local kind = type(options) == "table" and options.type or options
  socket:bind(0, own[kind])
  return socket, socket:address().port
end

--- A bound socket, its port, and the list of all that it received: each {msg = ..., rinfo = ...}.
function sockets.collector(options)
  local got = {}
  local socket, port = sockets.bound(options, function(msg, rinfo)
    got[#got + 1] = { msg = msg, rinfo = rinfo }
  end)
  return socket, port, got
end

--- The messages of such a list.
function sockets.messages(got)
  local list = {}
  for i, datagram in ipairs(got) do list[i] = datagram.msg end
  return list
end

function sockets.close_all(...)
  for i = 1, select("#", ...) do (select(i, ...)):close() end
end

return sockets
