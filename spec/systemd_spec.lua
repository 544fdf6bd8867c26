-- SPDX-License-Identifier: MIT
-- dgram.systemdSockets(), and programs that systemd-socket-activate starts.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local dgram = require "dgram"

local need, new = can.need, sockets.new

local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)

local function ends_well(process)
  process:wait()
  assert.same({ 0, 0 }, { process.status, process.signal }, process.out .. process.err)
  return process.out
end

describe("systemdSockets", function()
  loop.guard()

  local list = [[
    local dgram = require "dgram"
    local list = dgram.systemdSockets()
    assert(type(list) == "table")
    for _, one in ipairs(list) do print(one.fd, one.name) end
    print(#list)
  ]]

  -- Runs the list in a process with these variables; $$ stands for its own id.
  local function listed(variables)
    local shell = need(pending, can.program "sh")
    local script = ("unset LISTEN_PID LISTEN_FDS LISTEN_FDNAMES; %s exec \"$@\""):format(variables)
    return ends_well(child.start(shell, { "-c", script, "sh", child.interpreter(), "-e", paths, "-e", list },
      { own = true }))
  end

  it("is empty where systemd passed nothing", function()
    assert.same({}, dgram.systemdSockets())
    assert.equal("0\n", listed "")
    assert.equal("0\n", listed "LISTEN_FDS=2")
    assert.equal("0\n", listed "LISTEN_PID=$$")
    assert.equal("0\n", listed "LISTEN_PID=$$ LISTEN_FDS=0")
  end)

  it("is empty where it passed them to another process", function()
    assert.equal("0\n", listed "LISTEN_PID=1 LISTEN_FDS=2 LISTEN_FDNAMES=a:b")
  end)

  it("lists descriptors from 3 on, with their names", function()
    assert.equal("3\ta\n4\tb\n2\n", listed "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b")
    assert.equal("3\tunknown\n4\tunknown\n5\tunknown\n3\n", listed "LISTEN_PID=$$ LISTEN_FDS=3")
    assert.equal("3\ta\n4\tunknown\n2\n", listed "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a")
    assert.equal("3\ta\n1\n", listed "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b:c")
  end)

  it("is empty where the variables make no sense", function()
    for _, count in ipairs { "x", "-1", "''", "99999999999", "1.5", "0x2" } do
      assert.equal("0\n", listed("LISTEN_PID=$$ LISTEN_FDNAMES=a LISTEN_FDS=" .. count), count)
    end
    for _, pid in ipairs { "x", "''", "-1" } do
      assert.equal("0\n", listed("LISTEN_FDS=2 LISTEN_PID=" .. pid), pid)
    end
  end)

  it("answers with a list of the caller's own, and takes no arguments", function()
    local first = dgram.systemdSockets()
    first[1] = "changed"
    assert.same({}, dgram.systemdSockets())
    faults.raised(faults.bad_value, dgram.systemdSockets, 1)
  end)
end)

describe("a program that systemd starts", function()
  loop.guard()

  -- Starts systemd-socket-activate, which listens and starts the program at the first datagram.
  local function activate(listen, names, source)
    local tool = need(pending, can.program "systemd-socket-activate")
    local args = { "--datagram" }
    for _, where in ipairs(listen) do
      args[#args + 1] = "--listen=" .. where
    end
    if names then args[#args + 1] = "--fdname=" .. names end
    for _, name in ipairs { "LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS" } do
      local value = os.getenv(name)
      if value then args[#args + 1] = ("--setenv=%s=%s"):format(name, value) end
    end
    for _, arg in ipairs { child.interpreter(), "-e", paths, "-e", source } do args[#args + 1] = arg end
    local process = child.start(tool, args)
    process:expect(("Listening on .* as %d%%."):format(2 + #listen), "err")
    return process
  end

  -- It takes no port 0: one that was free a moment ago.
  local function free_port()
    local handle = uv.new_udp()
    assert(handle:bind("127.0.0.1", 0))
    local port = handle:getsockname().port
    handle:close()
    loop.turn()
    return port
  end

  it("finds its sockets by name, and the datagram that started it", function()
    local path, port = unix.path(), free_port()
    local process = activate({ path, "127.0.0.1:" .. port }, "local:net", [[
      local dgram = require "dgram"
      local list = dgram.systemdSockets()
      assert(#list == 2)
      local types = { ["local"] = "unix_dgram", net = "udp4" }
      local left = 2
      for _, one in ipairs(list) do
        local s
        s = dgram.createSocket(types[one.name], function(msg, rinfo)
          print(one.name, msg)
          if rinfo.port then
            s:send("net: " .. msg, rinfo.port, rinfo.address)
          else
            s:send("local: " .. msg, rinfo.address)
          end
          s:close()
        end)
        s:bind { fd = one.fd }
        local a = s:address()
        print(one.name, one.fd == s:fileno(), a.address, a.family, a.port)
      end
      dgram.run()
      print "done"
    ]])
    local near, _, heard = unix.collector()
    local far, _, got = sockets.collector "udp4"
    near:send("hello", path)
    loop.wait(function() return #heard == 1 end, 20)
    assert.same({ msg = "local: hello", rinfo = { address = path, family = "unix", size = 12 } }, heard[1])
    far:send("hello too", port)
    loop.wait(function() return #got == 1 end, 20)
    assert.same({ msg = "net: hello too", rinfo = { address = "127.0.0.1", family = "IPv4", port = port, size = 14 } },
      got[1])
    assert.equal(("local\ttrue\t%s\tunix\tnil\nnet\ttrue\t127.0.0.1\tIPv4\t%d\nlocal\thello\nnet\thello too\ndone\n")
      :format(path, port), ends_well(process))
    assert.equal("socket", unix.kind(path)) -- it is systemd's to remove
    sockets.close_all(near, far)
    loop.run()
  end)

  it("gets all that came before it was there", function()
    local path = unix.path()
    local process = activate({ path }, nil, [[
      local dgram = require "dgram"
      local list = dgram.systemdSockets()
      print(#list, list[1].fd)
      local n = 0
      local s
      s = dgram.createSocket("unix_dgram", function(msg)
        assert(msg == "number " .. n + 1)
        n = n + 1
        if n == 100 then s:close() end
      end)
      s:bind { fd = list[1].fd }
      dgram.run()
      print(n)
    ]])
    local client = new "unix_dgram"
    for i = 1, 100 do client:send("number " .. i, path) end
    assert.equal("1\t3\n100\n", ends_well(process))
    client:close()
    loop.run()
  end)

  it("serves on an abstract name as well", function()
    need(pending, unix.has_abstract())
    local name = unix.abstract()
    local process = activate({ "@" .. name:sub(2) }, "abstract", [[
      local dgram = require "dgram"
      local s
      s = dgram.createSocket("unix_dgram", function(msg, rinfo)
        s:send("echo: " .. msg, rinfo.address)
        s:close()
      end)
      s:bind { fd = dgram.systemdSockets()[1].fd }
      dgram.run()
    ]])
    local client = new "unix_dgram"
    local got
    client:on("message", function(msg, rinfo) got = { msg, rinfo.address } end)
    client:send("hello", name)
    loop.wait(function() return got end, 20)
    assert.same({ "echo: hello", name }, got)
    ends_well(process)
    client:close()
    loop.run()
  end)
end)
