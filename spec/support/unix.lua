-- SPDX-License-Identifier: MIT
-- unix_dgram for the specs: fresh folders for paths, abstract names, sockets, files that stand in the way.

local uv = require "luv"
local child = require "spec.support.child"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"

local unix = {}

local folders = {}
local names = 0

local function remove(path)
  local scan = uv.fs_scandir(path)
  while scan do
    local name, kind = uv.fs_scandir_next(scan)
    if not name then break end
    if kind == "directory" then remove(path .. "/" .. name) else uv.fs_unlink(path .. "/" .. name) end
  end
  uv.fs_rmdir(path)
end

loop.leftover(function()
  for path in pairs(folders) do
    folders[path] = nil
    remove(path)
  end
end)

--- A folder of the running spec; gone after it, with all that is in it.
function unix.folder()
  local top = uv.os_tmpdir()
  if #top > 50 then top = "/tmp" end -- the path of a socket has room for 107 bytes
  local path = assert(uv.fs_mkdtemp(top .. "/dgram-XXXXXX"))
  folders[path] = true
  return path
end

--- A path in a fresh folder where nothing is yet.
function unix.path(name)
  return unix.folder() .. "/" .. (name or "socket")
end

-- A process's number alone may be another one's in another namespace.
local begun = uv.hrtime() % 1000000007

--- An abstract name that nobody else has.
function unix.abstract()
  names = names + 1
  return ("\0dgram-spec-%d-%d-%d"):format(uv.os_getpid(), begun, names)
end

--- Whether there are abstract names.
function unix.has_abstract()
  if uv.os_uname().sysname == "Linux" then return true end
  return nil, "only Linux has abstract names"
end

--- A socket bound to a fresh path (or to `path`), and the path.
function unix.bound(listener, path)
  path = path or unix.path()
  local socket = sockets.new("unix_dgram", listener)
  socket:bind(path)
  return socket, path
end

--- A bound socket, its path, and the list of what it received: each {msg = ..., rinfo = ...}.
function unix.collector(path)
  local got = {}
  local socket
  socket, path = unix.bound(function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end, path)
  return socket, path, got
end

--- What is at a path, not following a link: libuv's name of the kind, or nil.
function unix.kind(path)
  local stat = uv.fs_lstat(path)
  return stat and stat.type
end

--- Makes a file with a text in it.
function unix.file(path, text)
  local fd = assert(uv.fs_open(path, "wx", 384)) -- 0600
  assert(uv.fs_write(fd, text or "a file", 0))
  assert(uv.fs_close(fd))
  return path
end

function unix.read(path)
  local fd = uv.fs_open(path, "r", 0)
  if not fd then return nil end
  local text = uv.fs_read(fd, 1000, 0)
  uv.fs_close(fd)
  return text
end

--- Leaves a dead socket file at the path: that of a process which ended without closing it.
function unix.dead(path)
  child.lua_ok([[
    local socket = require "dgram".createSocket "unix_dgram"
    socket:bindSync { path = %q }
    os.exit(0, false)
  ]], path)
  assert(unix.kind(path) == "socket", "the child left no socket file")
  return path
end

--- Sends numbered messages to a path until some of them wait; the reader must not be reading.
-- Returns how many were sent. Without `to` the sender is connected.
function unix.fill(sender, to, report)
  local sent = 0
  local function one()
    sent = sent + 1
    local arguments = { ("number %d"):format(sent) }
    if to then arguments[2] = to end
    arguments[#arguments + 1] = report
    sender:send((table.unpack or unpack)(arguments))
  end
  -- each turn hands over what the kernel takes
  repeat
    for _ = 1, 50 do one() end
    loop.turn()
    if sent > 100000 then error "the peer's queue takes everything" end
  until sender:getSendQueueCount() > 0
  for _ = 1, 50 do one() end
  loop.turn()
  return sent
end

--- Makes sure that the messages of unix.fill came, all of them and in order.
function unix.check_filled(got, total)
  if #got ~= total then error(("%d came of %d"):format(#got, total), 2) end
  for i = 1, total do
    if got[i].msg ~= "number " .. i then error(("%s came as number %d"):format(got[i].msg, i), 2) end
  end
end

return unix
