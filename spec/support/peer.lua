-- SPDX-License-Identifier: MIT
-- A peer that is not dgram: luv's own UDP handle. What it sends is with the kernel when send() returns.

local uv = require "luv"
local loop = require "spec.support.loop"

local peer = {}
peer.__index = peer

--- A peer on the given loopback address (127.0.0.1 unless given) and a free port.
function peer.new(address)
  address = address or "127.0.0.1"
  local handle = uv.new_udp()
  assert(handle:bind(address, 0))
  return setmetatable({ handle = handle, address = address, port = handle:getsockname().port, got = {} }, peer)
end

function peer:send(data, port, address)
  assert(self.handle:try_send(data, address or self.address, port))
end

function peer:listen(fn)
  self.handle:recv_start(function(err, data, from)
    if err then error(err, 0) end
    if data == nil then return end -- luv's way to say: no more for now
    self.got[#self.got + 1] = { msg = data, from = from }
    if fn then fn(data, from) end
  end)
  return self
end

function peer:wait(n, seconds)
  loop.wait(function() return #self.got >= n end, seconds)
end

function peer:close()
  if not self.handle:is_closing() then self.handle:close() end
end

return peer
