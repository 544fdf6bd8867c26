-- A datagram socket as luvit's is made: an emitter in Lua over luv's uv_udp.
local uv = require "luv"

local Socket = {}
Socket.__index = Socket

function Socket.on(self, name, listener)
  local list = self.handlers[name] or {}
  self.handlers[name] = list
  list[#list + 1] = listener
end

function Socket.emit(self, name, ...)
  local list = rawget(self.handlers, name)
  if not list then return end
  for i = 1, #list do
    local listener = list[i]
    if listener then listener(...) end
  end
  for i = #list, 1, -1 do
    if not list[i] then table.remove(list, i) end
  end
end

function Socket.bind(self, port, address)
  uv.udp_bind(self.handle, address, port)
  uv.udp_recv_start(self.handle, function(err, msg, rinfo, flags)
    if err then
      self:emit("error", err)
    elseif msg then
      self:emit("message", msg, rinfo, flags)
    end
  end)
end

function Socket.send(self, msg, port, address, callback)
  return uv.udp_send(self.handle, msg, address, port, callback)
end

function Socket.address(self) return uv.udp_getsockname(self.handle) end

function Socket.close(self)
  if not uv.is_closing(self.handle) then uv.close(self.handle) end
end

return { createSocket = function()
  return setmetatable({ handle = uv.new_udp "inet", handlers = {} }, Socket)
end }
