-- SPDX-License-Identifier: MIT
-- Files of unix_dgram sockets: whose they are, which mode they have, and processes that want the same one.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

local function can_fork()
  if pcall(require, "ffi") then return true end
  return nil, "nothing here forks: LuaJIT's ffi could"
end

local function can_trace()
  if os.getenv "LD_PRELOAD" then return nil, "a sanitizer is preloaded" end
  return can.program "strace"
end

local function is_alive(path)
  local probe = new "unix_dgram"
  local alive = pcall(probe.connectSync, probe, path)
  probe:close()
  return alive
end

describe("the file of a unix_dgram socket belongs to", function()
  loop.guard()

  it("the process that made it: a forked child's end leaves it", function()
    need(pending, can_fork())
    local endings = { "return", "s:close() dgram.run() return", "s = nil collectgarbage() collectgarbage() return" }
    for _, ending in ipairs(endings) do
      local path = unix.path()
      local out = child.lua_ok([[
        local ffi = require "ffi"
        ffi.cdef "int fork(void); int waitpid(int, int *, int);"
        local dgram, uv = require "dgram", require "luv"
        local s = dgram.createSocket "unix_dgram"
        s:bindSync { path = %q }
        local pid = ffi.C.fork()
        if pid == 0 then %s end
        ffi.C.waitpid(pid, nil, 0)
        local function kind() return uv.fs_lstat(%q) and "there" or "gone" end
        print(kind())
        s:close()
        dgram.run()
        print(kind())
      ]], path, ending, path)
      assert.equal("there\ngone\n", out, ending)
    end
  end)

  it("the folder in which it was made, wherever the process goes", function()
    local here, folder, other = uv.cwd(), unix.folder(), unix.folder()
    finally(function() uv.chdir(here) end)
    local function bound()
      local socket = new "unix_dgram"
      socket:bindSync { path = "relative" }
      assert.equal("relative", socket:address().address)
      return socket
    end
    local function forget() bound() end
    for _, how in ipairs { "closed", "collected" } do
      uv.chdir(folder)
      local socket = how == "closed" and bound() or forget()
      loop.turn()
      assert.equal("socket", unix.kind "relative")
      uv.chdir(other)
      unix.file(other .. "/relative", "somebody else's")
      if socket then socket:close() end
      collectgarbage()
      collectgarbage()
      loop.turn()
      assert.is_nil(unix.kind(folder .. "/relative"), how)
      assert.equal("somebody else's", unix.read(other .. "/relative"))
      uv.fs_unlink(other .. "/relative")
    end
    loop.run()
  end)

  it("its folder even where that has no path any more", function()
    local here, folder = uv.cwd(), unix.folder()
    finally(function() uv.chdir(here) end)
    uv.chdir(folder)
    uv.fs_rmdir(folder)
    local socket = new "unix_dgram"
    faults.raised({ code = "ENOENT", syscall = "bind" }, socket.bindSync, socket, { path = "relative" })
    socket:close()
    loop.run()
  end)

  it("the socket that bound an adopted descriptor to it, not to one that was bound before", function()
    if not uv.socketpair then pending "this luv makes no pairs of sockets" end
    local path = unix.path()
    local maker, heir = new "unix_dgram", new { type = "unix_dgram", reuseAddr = true }
    unix.dead(path)
    heir:bind { fd = maker:fileno(), path = path, mode = "0600" } -- an unbound one, by two names
    assert.same({ path, "socket" }, { heir:address().address, unix.kind(path) })
    assert.equal(384, uv.fs_lstat(path).mode % 512)
    heir:close()
    loop.turn()
    assert.is_nil(unix.kind(path))
    maker:close() -- its number is nobody's any more
    loop.run()
  end)
end)

describe("the option mode of bind", function()
  loop.guard()

  local function mode_of(path) return ("%o"):format(uv.fs_lstat(path).mode % 4096) end

  for _, method in ipairs { "bind", "bindSync" } do
    it("of " .. method .. " is the file's, whatever the umask", function()
      local modes = { ["0660"] = "660", [432] = "660", ["777"] = "777", ["0"] = "0", [0] = "0", ["00600"] = "600" }
      for mode, want in pairs(modes) do
        local socket, path = new "unix_dgram", unix.path()
        socket[method](socket, { path = path, mode = mode })
        assert.same({ want, path }, { mode_of(path), socket:address().address })
        socket:close()
        loop.turn()
        assert.is_nil(unix.kind(path))
      end
      loop.run()
    end)
  end

  it("gives what a strict umask would take", function()
    local path = unix.path()
    local process = child.start("/bin/sh", { "-c", 'umask 077; exec "$@"', "sh", child.interpreter(), "-e",
      ([[package.path = %q; package.cpath = %q
        local s = require "dgram".createSocket "unix_dgram"
        s:bindSync { path = %q, mode = "0666" }
        io.stdout:write "bound" io.stdout:flush()
        io.read()
        s:close()]]):format(package.path, package.cpath, path) }, { own = true })
    process:expect "bound"
    assert.equal("666", mode_of(path))
    process:end_input()
    process:wait()
  end)

  it("goes with address in path's place and over a dead file, and is gone after a bind that failed", function()
    local path, taken = unix.dead(unix.path()), unix.path()
    local owner = unix.bound(nil, taken)
    local socket = new { type = "unix_dgram", reuseAddr = true }
    socket:on("error", expect(function(err) assert.equal("EADDRINUSE", err.code) end))
    socket:bind({ path = taken, mode = "0600" }, never())
    loop.turn()
    socket:removeAllListeners "error"
    socket:bind({ address = path, mode = "0640" }, expect())
    assert.equal("640", mode_of(path))
    loop.turn()
    sockets.close_all(owner, socket)
    loop.turn()
    local probe, usual = new "unix_dgram", new "unix_dgram"
    local one, two = unix.path(), unix.path()
    pcall(probe.bindSync, probe, { path = one .. "/no/folder", mode = "0" })
    probe:bindSync { path = one }
    usual:bindSync { path = two }
    assert.equal(mode_of(two), mode_of(one))
    sockets.close_all(probe, usual)
    loop.run()
  end)

  it("is refused before anything happens where it is no mode, or there is no file", function()
    local path = unix.path()
    local socket = new "unix_dgram"
    socket:on("error", never())
    local function refused(want, options, on)
      for _, method in ipairs { "bind", "bindSync" } do
        faults.raised(want, (on or socket)[method], on or socket, options)
      end
    end
    for _, mode in ipairs { true, {}, print, io.stdout } do refused(faults.bad_type, { path = path, mode = mode }) end
    for _, mode in ipairs { "", "rw", "0o660", "0x1ff", " 660", "660\0", "-1", "888", "6.0" } do
      refused(faults.bad_value, { path = path, mode = mode })
    end
    for _, mode in ipairs { -1, 512, 660, 1.5, 0 / 0, 1 / 0, -1 / 0, 2 ^ 53, "1000", "7777", ("7"):rep(100) } do
      refused(faults.out_of_range, { path = path, mode = mode })
    end
    refused(faults.bad_value, { mode = "0660" })
    refused(faults.bad_value, { path = "\0abstract", mode = "0660" })
    for _, kind in ipairs { "udp4", "udp6" } do
      local other = new(kind)
      refused(faults.bad_value, { mode = "0660" }, other)
      refused(faults.bad_value, { port = 0, address = "localhost", mode = 432 }, other)
      refused(faults.bad_type, { mode = {} }, other)
      other:close()
    end
    faults.raised({ code = "EBADF" }, socket.address, socket)
    assert.is_nil(unix.kind(path))
    socket:close()
    loop.run()
  end)

  -- A child under strace, with a umask, that binds with a mode. Returns the process, and the path.
  local function traced(inject, umask, mode, more)
    local strace = need(pending, can_trace())
    local path = unix.path()
    local process = child.start("/bin/sh", { "-c", 'umask "$1"; shift; exec "$@"', "sh", umask, strace, "-qq", "-o",
      "/dev/null", "-e", "trace=bind,chmod,fchmodat,?fchmodat2,fchmod", "-e", "inject=" .. inject, child.interpreter(),
      "-e",
      ([[package.path = %q; package.cpath = %q
        local dgram, path, mode = require "dgram", %q, %q
        local s = dgram.createSocket { type = "unix_dgram", recvBufferSize = 30000 }
        local ok, err = pcall(s.bindSync, s, { path = path, mode = mode })
        print(ok, not ok and err.code or "")
        %s]]):format(package.path, package.cpath, path, mode, more or "") }, { own = true })
    return process, path
  end

  it("holds from the file's first instant on", function()
    local process, path = traced("bind:delay_exit=300000", "0", "0600")
    local look, stat = uv.new_timer(), nil
    look:start(1, 1, function() stat = stat or uv.fs_lstat(path) end)
    loop.wait(function() return stat ~= nil or process.open == 0 end)
    look:close()
    need(pending, not process.err:find "ptrace", "strace cannot trace here")
    process:wait()
    assert.equal("true\t\n", process.out, process.err)
    assert.equal(384, stat and stat.mode % 4096)
  end)

  it("that cannot be set leaves no file, and a socket that is unbound as before", function()
    for call, umask in pairs { ["chmod,fchmodat,?fchmodat2"] = "077", fchmod = "0" } do
      local process, path = traced(call .. ":error=EPERM:when=1", umask, "0666", [[
        print(pcall(s.address, s))
        print(require "luv".fs_lstat(path) == nil, s:getRecvBufferSize() == 60000)
        s:on("message", function(msg) print(msg) s:close() end)
        s:bindSync { path = path }
        s:send("hello", path)
        dgram.run()
        print(require "luv".fs_lstat(path) == nil)]])
      process:wait()
      need(pending, not process.err:find "ptrace", "strace cannot trace here")
      local want = "false\tEPERM\nfalse\tgetsockname EBADF: the socket is not bound yet\ntrue\ttrue\nhello\ntrue\n"
      assert.equal(want, process.out, call .. process.err)
      assert.is_nil(unix.kind(path))
    end
  end)
end)

describe("reuseAddr and a dead file", function()
  loop.guard()

  local ROUNDS = 200

  it("that two processes find at the same instant: one of them has the path, and keeps it", function()
    local folder = unix.folder()
    child.lua_ok([[
      local dgram = require "dgram"
      for i = 1, %d do dgram.createSocket "unix_dgram":bindSync { path = %q .. "/" .. i } end
      os.exit(0, false)
    ]], ROUNDS, folder)
    local begin = uv.hrtime() + 4e8
    local function racer(offset)
      return child.start(child.interpreter(), { "-e", ([[
        package.path = %q; package.cpath = %q
        local dgram, uv = require "dgram", require "luv"
        local kept, bound = {}, {}
        for i = 1, %d do
          local s = dgram.createSocket { type = "unix_dgram", reuseAddr = true }
          local start = %.0f + i * 1e6 + %d * (i %% 40) * 1000 -- the second one's tries are spread over the first one's
          while uv.hrtime() < start do end
          local ok, err = pcall(s.bindSync, s, { path = %q .. "/" .. i })
          kept[i], bound[i] = s, ok and "1" or err.code == "EADDRINUSE" and "0" or err.code
        end
        print(table.concat(bound))
        io.stdout:flush()
        io.read()
        os.exit(0, false)
      ]]):format(package.path, package.cpath, ROUNDS, begin, offset, folder) }, { own = true })
    end
    local one, two = racer(0), racer(1)
    local first, second = one:expect "^(%S+)\n", two:expect "^(%S+)\n"
    assert.same({ ROUNDS, ROUNDS }, { #first, #second }, first .. "\n" .. second)
    for i = 1, ROUNDS do
      local won = tonumber(first:sub(i, i)) + tonumber(second:sub(i, i))
      assert.same({ 1, true }, { won, is_alive(folder .. "/" .. i) }, "round " .. i)
    end
    one:end_input()
    two:end_input()
    one:wait()
    two:wait()
    loop.run()
  end)

  it("that one finds dead while another binds: whoever has the path keeps it", function()
    local strace = need(pending, can_trace())
    local path, trace = unix.dead(unix.path()), unix.path "trace"
    local slow = child.start(strace, { "-qq", "-o", trace, "-e", "trace=connect,unlink", "-e",
      "inject=unlink:delay_enter=150000", child.interpreter(), "-e", ([[
        package.path = %q; package.cpath = %q
        local s = require "dgram".createSocket { type = "unix_dgram", reuseAddr = true }
        print(pcall(s.bindSync, s, { path = %q }) and "bound" or "not bound")
        io.stdout:flush()
        io.read()
        os.exit(0, false)]]):format(package.path, package.cpath, path) }, { own = true })
    local look, found = uv.new_timer(), false
    look:start(1, 1, function() found = found or (unix.read(trace) or ""):find "ECONNREFUSED" end)
    loop.wait(function() return found or slow.open == 0 end)
    look:close()
    need(pending, not slow.err:find "ptrace", "strace cannot trace here")
    local quick = new { type = "unix_dgram", reuseAddr = true }
    local mine = pcall(quick.bindSync, quick, { path = path })
    local other = slow:expect "^(.-)\n" == "bound"
    assert.equal(not mine, other, "one of them has it")
    assert.is_true(is_alive(path))
    slow:end_input()
    slow:wait()
    quick:close()
    loop.run()
  end)

  it("whose folder somebody else holds locked: bind fails in the end, and removes nothing", function()
    local flock = need(pending, can.program "flock")
    local path = unix.dead(unix.path())
    local holder = child.start(flock, { path:match "(.*)/", "sh", "-c", "echo locked; read line" })
    holder:expect "locked"
    local socket = new { type = "unix_dgram", reuseAddr = true }
    faults.raised({ code = "EADDRINUSE", syscall = "bind" }, socket.bindSync, socket, { path = path })
    assert.equal("socket", unix.kind(path))
    holder:end_input()
    holder:wait()
    socket:bindSync { path = path }
    socket:close()
    loop.run()
    assert.is_nil(unix.kind(path))
  end)

  it("that goes leaves the folder as it was", function()
    local path = unix.dead(unix.path())
    local before = loop.descriptors()
    local socket = new { type = "unix_dgram", reuseAddr = true }
    socket:bindSync { path = path }
    assert.equal(before and before + 1, loop.descriptors())
    socket:close()
    loop.run()
    assert.is_true(uv.fs_rmdir(path:match "(.*)/"))
  end)
end)
