-- SPDX-License-Identifier: MIT
-- Stands in luv's place where the specs run without luv: a loop of dgram.poll's on lua-posix' poll, for dgram and for the
-- specs. It has what the support needs besides. A spec that calls another of luv's functions is skipped, and says so.
--
--   DGRAM_LOOP=poll DGRAM_BUILD=luajit scripts/test.sh --run=poll       the files that .busted names, or any others

local busted = require "busted"
local lfs = require "lfs"
local luasocket = require "socket"
local posix_poll = require "posix.poll".poll
local sockets = require "posix.sys.socket"
local dgram = require "dgram"
local poll = require "dgram.poll"
local unistd = require "posix.unistd"
local clock = require "dgram.core".clock

local prepares = {}
local stopped = false

local loop = poll(function(fds, timeout)
  stopped = false
  for prepare in pairs(prepares) do prepare.callback() end
  return posix_poll(fds, stopped and 0 or timeout)
end)

local stop = loop.stop
function loop.stop()
  stopped = true
  stop()
end

--- A prepare handle: called before the loop waits.
local Prepare = {}
Prepare.__index = Prepare
function Prepare:start(callback) self.callback, prepares[self] = callback, true end
function Prepare:stop() prepares[self] = nil end
function Prepare:close() self.closing, prepares[self] = true, nil end
function Prepare:is_closing() return self.closing == true end
function Prepare.unref() end

function loop.new_prepare() return setmetatable({}, Prepare) end

local handles = setmetatable({}, { __mode = "k" })

for _, name in ipairs { "new_poll", "new_idle", "new_timer" } do
  local make = loop[name]
  loop[name] = function(...)
    local handle = make(...)
    handles[handle] = true
    return handle
  end
end

--- Handles that are closed are gone, as luv's after a turn; those that nothing keeps are with the next collection.
function loop.walk(fn)
  for handle in pairs(handles) do
    if not handle:is_closing() then fn(handle) end
  end
end

function loop.getaddrinfo(name, _, hints, callback)
  local family = hints.family == "inet6" and sockets.AF_INET6 or sockets.AF_INET
  local list = sockets.getaddrinfo(name, nil, { family = family, socktype = sockets.SOCK_DGRAM })
  if not callback then return list end
  local timer = loop.new_timer()
  timer:start(0, 0, function()
    timer:close()
    callback(not list and "EAI_NONAME" or nil, list)
  end)
  return timer
end

function loop.interface_addresses() return {} end

function loop.hrtime() return clock() * 1e6 end

function loop.fs_scandir(path)
  if lfs.attributes(path, "mode") ~= "directory" then return nil end
  local names = { path = path }
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  return names
end

function loop.fs_scandir_next(names)
  local name = table.remove(names)
  return name, name and lfs.symlinkattributes(names.path .. "/" .. name, "mode")
end

function loop.fs_lstat(path)
  local mode = lfs.symlinkattributes(path, "mode")
  return mode and { type = mode }
end

function loop.os_tmpdir() return "/tmp" end
function loop.os_uname() return require "posix.sys.utsname".uname() end

loop.fs_mkdtemp, loop.fs_rmdir, loop.fs_unlink = require "posix.stdlib".mkdtemp, unistd.rmdir, unistd.unlink
loop.os_getpid = unistd.getpid

--- A UDP handle, LuaSocket's: a peer that is not dgram. (lua-posix' getsockname does not always know the port.)
local Udp = {}
Udp.__index = Udp

function loop.new_udp() return setmetatable({}, Udp) end

function Udp:bind(address, port)
  self.socket = assert(address:find ":" and luasocket.udp6() or luasocket.udp4())
  self.socket:settimeout(0)
  return self.socket:setsockname(address, port)
end

function Udp:getsockname()
  local address, port = self.socket:getsockname()
  return { ip = address, port = tonumber(port) }
end

function Udp:try_send(data, address, port) return self.socket:sendto(data, address, port) end

function Udp:recv_start(callback)
  self.poll = loop.new_poll(self.socket:getfd())
  self.poll:start("r", function()
    local data, address, port = self.socket:receivefrom()
    callback(nil, data, { ip = address, port = port })
  end)
end

function Udp:ref()
  if self.poll then self.poll:ref() end
end

function Udp:unref()
  if self.poll then self.poll:unref() end
end

function Udp:is_closing() return self.closing == true end

function Udp:close()
  self.closing = true
  if self.poll then self.poll:close() end
  if self.socket then self.socket:close() end
end

dgram.setLoop(loop)

local skip -- `pending` of the spec that runs

busted.subscribe({ "test", "start" }, function(element)
  skip = element.env and element.env.pending
  return nil, true
end)

return setmetatable(loop, { __index = function(_, name)
  return function() (skip or error)(("needs luv's %s"):format(name)) end
end })
