-- SPDX-License-Identifier: MIT
-- unix_dgram sockets: bind, their files, and datagrams between them.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

local function unix_socket(listener)
  return new("unix_dgram", listener)
end

describe("unix_dgram bind", function()
  loop.guard()

  local CB = {}
  local forms = {
    ["(path)"] = function(path) return path end,
    ["(path, cb)"] = function(path) return path, CB end,
    ["{path}"] = function(path) return { path = path } end,
    ["({path}, cb)"] = function(path) return { path = path }, CB end,
    ["{path, exclusive}"] = function(path) return { path = path, exclusive = true } end,
  }
  for form, arguments in pairs(forms) do
    it("takes " .. form, function()
      local path = unix.path()
      local socket = unix_socket()
      local calls, returned = 0, false
      local function told(...)
        assert.equal(0, select("#", ...))
        assert.is_true(returned)
        calls = calls + 1
      end
      local first, second = arguments(path)
      socket:on("error", never())
      socket:on("listening", expect(told))
      assert.equal(socket, socket:bind(first, second == CB and told or nil))
      returned = true
      assert.same({ address = path, family = "unix" }, socket:address())
      assert.equal("socket", unix.kind(path))
      loop.turn()
      assert.equal(second == CB and 2 or 1, calls)
      socket:close()
      loop.run()
      assert.is_nil(unix.kind(path))
    end)
  end

  it("takes a path of 107 bytes, relative paths, spaces and bytes above 127", function()
    local folder = unix.folder()
    local longest = folder .. "/" .. ("x"):rep(106 - #folder)
    for _, path in ipairs { longest, folder .. "/a b c", folder .. "/\195\164\255", folder .. "/./x/../y" } do
      if path:find "/x/" then uv.fs_mkdir(folder .. "/x", 448) end
      local socket, _, got = unix.collector(path)
      assert.equal(path, socket:address().address)
      local sender = unix_socket()
      sender:send("hello", path)
      loop.wait(function() return #got == 1 end)
      sockets.close_all(socket, sender)
      loop.run()
      uv.fs_rmdir(folder .. "/x")
    end
    local here = uv.cwd()
    finally(function() uv.chdir(here) end)
    uv.chdir(folder)
    local socket, path, got = unix.collector "relative"
    assert.equal("relative", socket:address().address)
    assert.equal("socket", unix.kind(folder .. "/" .. path))
    socket:send("hello", "relative")
    loop.wait(function() return #got == 1 end)
    assert.equal("relative", got[1].rinfo.address)
    socket:close()
    loop.run()
    assert.is_nil(unix.kind(folder .. "/relative"))
  end)

  it("takes abstract names", function()
    need(pending, unix.has_abstract())
    for _, name in ipairs { unix.abstract(), unix.abstract() .. "\0inside\0", unix.abstract() .. ("x"):rep(70) } do
      local socket, _, got = unix.collector(name)
      assert.same({ address = name, family = "unix" }, socket:address())
      socket:send("hello", name)
      loop.wait(function() return #got == 1 end)
      assert.same({ address = name, family = "unix", size = 5 }, got[1].rinfo)
      assert.is_nil(tostring(socket):find "\0") -- it is for the eye
      socket:close()
      loop.run()
    end
  end)

  it("without a path takes a name that the system chooses", function()
    need(pending, unix.has_abstract())
    local names = {}
    for i, arguments in ipairs { {}, { expect() }, { {} }, { {}, expect() } } do
      local socket = unix_socket()
      socket:bind(arguments[1], arguments[2])
      local address = socket:address()
      assert.same({ address = address.address, family = "unix" }, address)
      assert.is_truthy(address.address:find "^%z%x+$", ("%q"):format(address.address))
      assert.is_nil(names[address.address])
      names[address.address] = i
      loop.turn()
      socket:close()
    end
    loop.run()
  end)

  it("that fails is an error event, and the socket can be bound again", function()
    local folder = unix.folder()
    local cases = {
      { "/" .. ("x"):rep(107), "ENAMETOOLONG" },
      { folder .. "/nothing/socket", "ENOENT" },
      { unix.file(folder .. "/file"), "EADDRINUSE" },
      { folder, "EADDRINUSE" },
      { folder .. "/file/socket", "ENOTDIR" },
    }
    local socket = unix_socket()
    socket:on("listening", expect())
    for _, case in ipairs(cases) do
      local seen, returned
      socket:once("error", expect(function(err)
        assert.is_true(returned)
        seen = err
      end))
      assert.equal(socket, socket:bind(case[1], never()))
      returned = true
      loop.turn()
      faults.system(seen, { code = case[2], syscall = "bind", address = case[1] })
      assert.is_nil(seen.port)
      local text = ("bind %s %s"):format(case[2], case[1])
      assert.equal(text, tostring(seen):sub(1, #text))
      faults.raised({ code = "EBADF", syscall = "getsockname" }, socket.address, socket)
    end
    assert.equal("a file", unix.read(folder .. "/file"))
    socket:bind(folder .. "/good")
    loop.turn()
    socket:close()
    loop.run()
  end)

  it("refuses what is no path", function()
    local socket = unix_socket()
    for _, value in ipairs { 0, 41234, true, io.stdout } do
      faults.raised(faults.bad_type, socket.bind, socket, value)
      faults.raised(faults.bad_type, socket.bind, socket, { path = value })
      faults.raised(faults.bad_type, socket.bindSync, socket, { path = value })
    end
    local path = unix.path()
    for _, value in ipairs { "", "a\0b", path .. "\0" } do
      faults.raised(faults.bad_value, socket.bind, socket, value)
      faults.raised(faults.bad_value, socket.bind, socket, { path = value })
      faults.raised(faults.bad_value, socket.bindSync, socket, { path = value })
    end
    faults.raised(faults.bad_type, socket.bind, socket, path, 1)
    faults.raised(faults.bad_value, socket.bind, socket, path, function() end, 1)
    faults.raised(faults.bad_value, socket.bind, socket, { paht = path })
    assert.is_nil(unix.kind(path))
    faults.raised({ code = "EBADF" }, socket.address, socket)
    socket:bind(path)
    for _, again in ipairs { path, {} } do
      faults.raised({ code = "ERR_SOCKET_ALREADY_BOUND", name = "Error" }, socket.bind, socket, again)
    end
    assert.equal(path, socket:address().address)
    loop.turn()
    socket:close()
    loop.run()
  end)
end)

describe("the file of a unix_dgram socket", function()
  loop.guard()

  local function bind_fails(path, code)
    local socket = new { type = "unix_dgram", reuseAddr = true }
    local seen
    socket:on("error", expect(function(err) seen = err end))
    socket:bind(path, never())
    loop.turn()
    faults.system(seen, { code = code or "EADDRINUSE", syscall = "bind", address = path })
    faults.raised({ code = code or "EADDRINUSE", syscall = "bind", address = path },
      socket.bindSync, socket, { path = path })
    socket:close()
    loop.turn()
  end

  it("that a dead socket left stands in the way", function()
    local path = unix.dead(unix.path())
    local socket = unix_socket()
    socket:on("error", expect(function(err) assert.equal("EADDRINUSE", err.code) end))
    socket:bind(path)
    loop.turn()
    socket:close()
    loop.run()
    assert.equal("socket", unix.kind(path))
  end)

  it("goes with reuseAddr where its socket is dead", function()
    for _, method in ipairs { "bind", "bindSync" } do
      local path = unix.dead(unix.path())
      local got = {}
      local socket = new({ type = "unix_dgram", reuseAddr = true }, function(msg) got[#got + 1] = msg end)
      socket:on("error", never())
      socket[method](socket, { path = path })
      assert.equal(path, socket:address().address)
      socket:send("to itself", path)
      loop.wait(function() return #got == 1 end)
      socket:close()
      loop.run()
      assert.is_nil(unix.kind(path))
    end
  end)

  it("stays with reuseAddr where its socket lives", function()
    local alive, path, got = unix.collector()
    bind_fails(path)
    local sender = unix_socket()
    sender:send("still there?", path)
    loop.wait(function() return #got == 1 end)
    sockets.close_all(alive, sender)
    loop.run()
  end)

  it("stays with reuseAddr where its socket is no datagram socket", function()
    local path = unix.path()
    local pipe = uv.new_pipe(false)
    assert(pipe:bind(path))
    assert(pipe:listen(1, function() end))
    bind_fails(path)
    assert.equal("socket", unix.kind(path))
    pipe:close()
    loop.run()
  end)

  it("stays with reuseAddr where it is no socket", function()
    local folder = unix.folder()
    local file = unix.file(folder .. "/file")
    bind_fails(file)
    assert.equal("a file", unix.read(file))
    bind_fails(folder)
    local dead = unix.dead(folder .. "/dead")
    local link = folder .. "/link"
    assert(uv.fs_symlink(dead, link))
    bind_fails(link)
    assert.same({ "link", "socket" }, { unix.kind(link), unix.kind(dead) })
    local dangling = folder .. "/dangling"
    assert(uv.fs_symlink(folder .. "/nothing", dangling))
    bind_fails(dangling)
    assert.equal("link", unix.kind(dangling))
  end)

  it("stays after close where it is another one by then", function()
    local socket, path = unix.bound()
    assert(uv.fs_unlink(path))
    unix.file(path, "somebody else's")
    socket:close()
    loop.run()
    assert.equal("somebody else's", unix.read(path))
    local heir
    socket, path = unix.bound()
    assert(uv.fs_unlink(path))
    heir = unix.bound(nil, path)
    socket:close()
    loop.turn()
    assert.equal("socket", unix.kind(path))
    heir:close()
    loop.run()
    assert.is_nil(unix.kind(path))
  end)

  it("that is gone, or moved, troubles close not", function()
    local socket, path = unix.bound()
    socket:on("error", never())
    assert(uv.fs_unlink(path))
    socket:close(expect())
    loop.run()
    socket, path = unix.bound()
    socket:on("error", never())
    assert(uv.fs_rename(path, path .. ".moved"))
    socket:close(expect())
    loop.run()
    assert.equal("socket", unix.kind(path .. ".moved"))
  end)

  it("goes with a socket that is collected", function()
    local path = unix.path()
    local socket = unix_socket()
    socket:bind(path)
    loop.turn()
    assert.equal("socket", unix.kind(path))
    socket = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    loop.turn()
    assert.is_nil(unix.kind(path))
  end)

  it("of a connected or sending socket is none", function()
    local server, path, got = unix.collector()
    local sender, client = unix_socket(), unix_socket()
    sender:send("hello", path)
    client:connect(path)
    client:send "hello"
    loop.wait(function() return #got == 2 end)
    sockets.close_all(sender, client)
    loop.turn()
    assert.equal("socket", unix.kind(path)) -- it is the server's
    server:close()
    loop.run()
  end)
end)

describe("unix_dgram", function()
  loop.guard()

  it("cannot do what is the Internet's", function()
    local socket = unix.bound()
    local calls = {
      { "setBroadcast", true }, { "setTTL", 5 }, { "setMulticastTTL", 5 }, { "setMulticastLoopback", true },
      { "setMulticastInterface", "127.0.0.1" }, { "addMembership", "239.255.77.1" },
      { "dropMembership", "239.255.77.1" }, { "addSourceSpecificMembership", "127.0.0.1", "232.77.0.1" },
      { "dropSourceSpecificMembership", "127.0.0.1", "232.77.0.1" },
    }
    for _, call in ipairs(calls) do
      local ok, err = pcall(socket[call[1]], socket, (table.unpack or unpack)(call, 2))
      -- SO_BROADCAST is a flag of every socket on Linux, of no use here
      if not ok or call[1] ~= "setBroadcast" then
        assert.is_false(ok, call[1])
        faults.system(err, { code = err.code }, call[1])
        assert.is_truthy(err.code:find "^E%u+$", call[1] .. ": " .. tostring(err.code))
      end
    end
    assert.is_true(socket:getRecvBufferSize() > 0)
    socket:setSendBufferSize(50000)
    assert.is_true(socket:getSendBufferSize() >= 50000)
    socket:close()
    loop.run()
  end)

  it("tells what it is", function()
    local socket, path = unix.bound()
    assert.equal(("dgram.Socket (unix_dgram %s)"):format(path), tostring(socket))
    assert.is_true(dgram.isSocket(socket))
    assert.is_true(socket:fileno() > 2)
    socket:close()
    loop.run()
  end)

  it("never looks a path up", function()
    local function lookup() error "looked up" end
    local socket = new { type = "unix_dgram", lookup = lookup }
    socket:on("error", never())
    local server, path, got = unix.collector()
    socket:bind(unix.path "localhost")
    socket:send("one", path)
    socket:connect(path)
    socket:send "two"
    loop.wait(function() return #got == 2 end)
    sockets.close_all(server, socket)
    loop.run()
  end)
end)
