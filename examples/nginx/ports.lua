--- UDP ports that live as long as nginx does: the master binds each once, and its workers adopt the descriptor. So a
-- reload loses nothing: what comes while the workers change waits in the one buffer.
--
-- The master's Lua state is made anew by each reload. What is left of the old one is the descriptor; its number is kept
-- in a shared dictionary, which outlives a reload.
local dgram = require "dgram"

local ports = {}

local function key_of(name) return "descriptor of " .. name end

--- The socket that an earlier configuration has bound there, or nil.
local function find(kept, name, options)
  local fd = kept:get(key_of(name))
  if not fd then return nil end
  local socket = dgram.createSocket(options.type)
  local adopted, at = pcall(socket.bindSync, socket, { fd = fd })
  local same = adopted and at.address == options.address and (options.port == 0 or at.port == options.port)
  if same then return socket end
  socket:close() -- the configuration has another address for it now
end

--- Binds a port, unless an earlier configuration has. For init_by_lua: the master has no loop, and must not have one, so
-- this calls nothing that needs one.
-- @param kept     an ngx.shared dictionary
-- @param name     what the workers call the port
-- @param options  those of dgram.createSocket, and address, port
function ports.bind(kept, name, options)
  local made_of = {}
  for option, value in pairs(options) do
    if option ~= "address" and option ~= "port" then made_of[option] = value end
  end
  local socket = find(kept, name, options)
  if not socket then
    socket = dgram.createSocket(made_of)
    socket:bindSync { address = options.address, port = options.port }
  end
  assert(kept:set(key_of(name), socket:detach()))
end

--- A socket on that port, for init_worker_by_lua.
function ports.adopt(kept, name, listener)
  local socket = dgram.createSocket("udp4", listener)
  socket:bind { fd = assert(kept:get(key_of(name)), "no port of this name was bound: " .. name) }
  return socket
end

return ports
