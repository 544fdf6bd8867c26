-- SPDX-License-Identifier: MIT
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local need, expect, never, new = can.need, loop.expect, loop.never, sockets.new

-- Sends and waits for the verdict: returns what the callback got.
local function told(socket, ...)
  local err, bytes
  local done = false
  local arguments = { ... }
  arguments[#arguments + 1] = function(...)
    err, bytes = ...
    done = true
  end
  socket:send((table.unpack or unpack)(arguments))
  assert.is_false(done)
  loop.wait(function() return done end)
  return err, bytes
end

describe("unix_dgram send", function()
  loop.guard()

  it("takes every form, with and without a callback", function()
    local server, path, got = unix.collector()
    local socket = new "unix_dgram"
    local calls = {}
    local function cb(err, bytes)
      assert.is_nil(err)
      calls[#calls + 1] = bytes
    end
    assert.is_true(socket:send("1 hello", path))
    socket:send("2 hello", path, cb)
    socket:send("...3 hello...", 3, 7, path)
    socket:send("...4 hello...", 3, 7, path, cb)
    socket:send({ "5 ", "", "hel", "lo" }, path, cb)
    socket:send("", path, cb)
    socket:send("a\0b", path, cb)
    loop.wait(function() return #got == 7 and #calls == 5 end)
    assert.same({ "1 hello", "2 hello", "3 hello", "4 hello", "5 hello", "", "a\0b" }, sockets.messages(got))
    assert.same({ 7, 7, 7, 0, 3 }, calls)
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("gives an unbound socket a name, so that answers reach it", function()
    need(pending, unix.has_abstract())
    local server, path, got = unix.collector()
    local answers = {}
    local socket = new("unix_dgram", function(msg, rinfo) answers[#answers + 1] = { msg = msg, rinfo = rinfo } end)
    socket:on("listening", expect())
    socket:send("question", path)
    local name = socket:address().address
    assert.is_truthy(name:find "^%z%x+$")
    loop.wait(function() return #got == 1 end)
    assert.same({ address = name, family = "unix", size = 8 }, got[1].rinfo)
    server:send("answer", got[1].rinfo.address)
    loop.wait(function() return #answers == 1 end)
    assert.same({ msg = "answer", rinfo = { address = path, family = "unix", size = 6 } }, answers[1])
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("from a path can be answered there", function()
    local server, path, got = unix.collector()
    local socket, here, answers = unix.collector()
    socket:send("question", path)
    loop.wait(function() return #got == 1 end)
    assert.same({ address = here, family = "unix", size = 8 }, got[1].rinfo)
    server:send("answer", got[1].rinfo.address)
    loop.wait(function() return #answers == 1 end)
    assert.equal("answer", answers[1].msg)
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("carries 200,000 bytes whole, and more where the buffers are larger", function()
    local server, path, got = unix.collector()
    local socket = new "unix_dgram"
    local sizes = { 1, 65507, 65536, 200000 }
    socket:setSendBufferSize(210000)
    for i, size in ipairs(sizes) do
      local msg = ("0123456789"):rep(math.ceil(size / 10)):sub(1, size)
      local err, bytes = told(socket, msg, path)
      assert.same({ nil, size }, { err, bytes })
      loop.wait(function() return #got == i end)
      assert.is_true(got[i].msg == msg, size .. " bytes")
      assert.equal(size, got[i].rinfo.size)
      assert.is_nil(got[i].rinfo.truncated)
    end
    local room = socket:getSendBufferSize() - 20000 -- it counts more than the payload
    local err = told(socket, ("x"):rep(room), path)
    assert.is_nil(err)
    loop.wait(function() return #got == 5 end)
    assert.equal(room, #got[5].msg)
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("fails what is too long, and that one only", function()
    local server, path, got = unix.collector()
    local socket = new "unix_dgram"
    socket:on("error", never())
    local size = socket:getSendBufferSize() + 1
    socket:send("before", path)
    local err, bytes = told(socket, ("x"):rep(size), path)
    socket:send("after", path)
    faults.system(err, { code = "EMSGSIZE", syscall = "send", address = path })
    assert.is_nil(err.port)
    assert.equal(size, bytes)
    loop.wait(function() return #got == 2 end)
    assert.same({ "before", "after" }, sockets.messages(got))
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("to nobody fails for its callback, or else as an error event", function()
    local folder = unix.folder()
    local pipe = uv.new_pipe(false)
    assert(pipe:bind(folder .. "/stream"))
    assert(pipe:listen(1, function() end))
    local cases = {
      { folder .. "/nobody", "ENOENT" },
      { folder .. "/nothing/nobody", "ENOENT" },
      { unix.dead(folder .. "/dead"), "ECONNREFUSED" },
      { unix.file(folder .. "/file"), "ECONNREFUSED" },
      { folder .. "/file/nobody", "ENOTDIR" },
      { folder .. "/stream", "EPROTOTYPE" },
      { "/" .. ("x"):rep(107), "ENAMETOOLONG" },
    }
    local socket = new "unix_dgram"
    local errors = {}
    socket:on("error", function(err) errors[#errors + 1] = err end)
    for i, case in ipairs(cases) do
      local want = { code = case[2], syscall = "send", address = case[1] }
      local err, bytes = told(socket, "hello", case[1])
      assert.equal(5, bytes)
      socket:send("hello", case[1])
      loop.wait(function() return #errors == i end)
      for _, one in ipairs { err, errors[i] } do
        faults.system(one, want)
        assert.is_nil(one.port)
        local text = ("send %s %s"):format(case[2], case[1])
        assert.equal(text, tostring(one):sub(1, #text))
      end
    end
    loop.turn()
    assert.equal(#cases, #errors)
    pipe:close()
    socket:close()
    loop.run()
  end)

  it("to an abstract name that nobody has fails", function()
    need(pending, unix.has_abstract())
    local name = unix.abstract()
    local socket = new "unix_dgram"
    local err = told(socket, "hello", name)
    faults.system(err, { code = "ECONNREFUSED", syscall = "send", address = name })
    assert.is_nil(tostring(err):find("\0", 1, true)) -- it is for the eye
    socket:close()
    loop.run()
  end)

  it("fails alone among others, whose order stays", function()
    local server, path, got = unix.collector()
    local missing = unix.path "nobody"
    local socket = new "unix_dgram"
    local log = {}
    for i = 1, 30 do
      socket:send("number " .. i, i % 3 == 0 and missing or path, function(err)
        log[i] = err and err.code or "sent"
      end)
    end
    loop.wait(function() return #got == 20 and #log == 30 end)
    local n = 0
    for i = 1, 30 do
      assert.equal(i % 3 == 0 and "ENOENT" or "sent", log[i])
      if i % 3 ~= 0 then
        n = n + 1
        assert.equal("number " .. i, got[n].msg)
      end
    end
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("reaches whoever has the path by then", function()
    local socket = new "unix_dgram"
    local path = unix.path()
    for round = 1, 3 do
      local server, _, got = unix.collector(path)
      local err = told(socket, "round " .. round, path)
      assert.is_nil(err)
      loop.wait(function() return #got == 1 end)
      assert.equal("round " .. round, got[1].msg)
      server:close()
      loop.turn()
      assert.equal("ENOENT", told(socket, "nobody", path).code)
    end
    socket:close()
    loop.run()
  end)

  it("to a socket that is connected to another is refused", function()
    local server, path = unix.bound()
    local other, elsewhere = unix.bound()
    server:connect(elsewhere)
    local socket = new "unix_dgram"
    faults.system(told(socket, "hello", path), { code = "EPERM", syscall = "send", address = path })
    sockets.close_all(server, socket, other)
    loop.run()
  end)

  it("refuses wrong arguments and does nothing", function()
    local socket = new "unix_dgram"
    local path = unix.path()
    for _, value in ipairs { 9, true, io.stdout } do
      faults.raised(faults.bad_type, socket.send, socket, "hello", value)
      faults.raised(faults.bad_type, socket.send, socket, "hello", 0, 5, value)
      faults.raised(faults.bad_type, socket.send, socket, "hello", path, value)
    end
    faults.raised(faults.bad_type, socket.send, socket, "hello")
    faults.raised(faults.bad_type, socket.send, socket, "hello", never())
    faults.raised(faults.bad_type, socket.send, socket, "hello", 9, "127.0.0.1")
    for _, value in ipairs { 42, true, print, io.stdout } do
      faults.raised(faults.bad_type, socket.send, socket, value, path)
    end
    faults.raised(faults.bad_type, socket.send, socket, nil, path)
    faults.raised(faults.bad_type, socket.send, socket, { "a", 1 }, path)
    for _, value in ipairs { "", "a\0b", path .. "\0" } do
      faults.raised(faults.bad_value, socket.send, socket, "hello", value)
      faults.raised(faults.bad_value, socket.send, socket, "hello", 0, 5, value)
    end
    faults.raised(faults.bad_value, socket.send, socket, "hello", 0, 5, path, never(), 1)
    faults.raised(faults.out_of_range, socket.send, socket, "hello", -1, 5, path)
    faults.raised({ code = "ERR_BUFFER_OUT_OF_BOUNDS" }, socket.send, socket, "hello", 1, 5, path)
    loop.turn()
    faults.raised({ code = "EBADF" }, socket.address, socket)
    assert.equal(0, socket:getSendQueueCount())
    socket:close()
    faults.raised(faults.not_running, socket.send, socket, "hello", path)
    loop.run()
  end)
end)

describe("unix_dgram connect", function()
  loop.guard()

  it("is done when it returns, and told later", function()
    local server, path, got = unix.collector()
    local socket = new "unix_dgram"
    local returned = false
    local function later(...)
      assert.equal(0, select("#", ...))
      assert.is_true(returned)
    end
    socket:on("connect", expect(later))
    socket:on("listening", expect(later))
    socket:connect(path, expect(later))
    returned = true
    assert.same({ address = path, family = "unix" }, socket:remoteAddress())
    loop.turn()
    local calls = 0
    local function cb(err) calls = calls + (err and 0 or 1) end
    socket:send "one"
    socket:send("two", cb)
    socket:send("..three..", 2, 5, cb)
    socket:send({ "fo", "ur" }, cb)
    loop.wait(function() return #got == 4 and calls == 3 end)
    assert.same({ "one", "two", "three", "four" }, sockets.messages(got))
    assert.is_truthy(got[1].rinfo.address ~= "") -- it was bound for answers
    local answer
    socket:on("message", function(msg) answer = msg end)
    server:send("answer", got[1].rinfo.address)
    loop.wait(function() return answer end)
    faults.raised({ code = "ERR_SOCKET_DGRAM_IS_CONNECTED", name = "Error" }, socket.connect, socket, path)
    for _, arguments in ipairs { { path }, { path, never() }, { 0, 1, path } } do
      faults.raised({ code = "ERR_SOCKET_DGRAM_IS_CONNECTED", name = "Error" },
        socket.send, socket, "x", (table.unpack or unpack)(arguments))
    end
    sockets.close_all(server, socket)
    loop.run()
  end)

  it("hears its peer only, and disconnect ends that", function()
    local server, path, got = unix.collector()
    local socket, here, heard = unix.collector()
    local stranger = new "unix_dgram"
    socket:connect(path)
    assert.equal("EPERM", told(stranger, "from a stranger", here).code)
    server:send("from the peer", here)
    loop.wait(function() return #heard == 1 end)
    socket:send "still to the peer"
    socket:disconnect()
    faults.raised({ code = "ERR_SOCKET_DGRAM_NOT_CONNECTED", name = "Error" }, socket.remoteAddress, socket)
    faults.raised({ code = "ERR_SOCKET_DGRAM_NOT_CONNECTED", name = "Error" }, socket.disconnect, socket)
    assert.equal(here, socket:address().address)
    assert.is_nil(told(stranger, "from a stranger", here))
    loop.wait(function() return #heard == 2 and #got == 1 end)
    assert.same({ "from the peer", "from a stranger" }, sockets.messages(heard))
    assert.equal("still to the peer", got[1].msg)
    sockets.close_all(server, socket, stranger)
    loop.run()
  end)

  it("that fails tells its callback, or else is an error event", function()
    local folder = unix.folder()
    local cases = {
      { folder .. "/nobody", "ENOENT" },
      { unix.dead(folder .. "/dead"), "ECONNREFUSED" },
      { unix.file(folder .. "/file"), "ECONNREFUSED" },
      { "/" .. ("x"):rep(107), "ENAMETOOLONG" },
    }
    for _, case in ipairs(cases) do
      local want = { code = case[2], syscall = "connect", address = case[1] }
      local socket = new "unix_dgram"
      socket:on("connect", never())
      socket:on("error", expect(function(err) faults.system(err, want) end))
      socket:connect(case[1], expect(function(err) faults.system(err, want) end))
      loop.turn()
      socket:connect(case[1])
      loop.turn()
      faults.raised({ code = "ERR_SOCKET_DGRAM_NOT_CONNECTED" }, socket.remoteAddress, socket)
      socket:close()
      loop.run()
    end
  end)

  it("refuses wrong arguments", function()
    local socket = new "unix_dgram"
    for _, value in ipairs { 9, true, {}, io.stdout } do
      faults.raised(faults.bad_type, socket.connect, socket, value)
      faults.raised(faults.bad_type, socket.connectSync, socket, value)
      faults.raised(faults.bad_type, socket.connect, socket, "/nobody", value)
    end
    faults.raised(faults.bad_type, socket.connect, socket)
    faults.raised(faults.bad_type, socket.connect, socket, 9, "127.0.0.1")
    for _, value in ipairs { "", "a\0b" } do
      faults.raised(faults.bad_value, socket.connect, socket, value)
      faults.raised(faults.bad_value, socket.connectSync, socket, value)
    end
    faults.raised(faults.bad_value, socket.connect, socket, "/nobody", never(), 1)
    loop.turn()
    faults.raised({ code = "EBADF" }, socket.address, socket)
    socket:close()
    loop.run()
  end)

  it("to a peer that goes away makes sends fail, once each", function()
    local server, path, got = unix.collector()
    local socket = new "unix_dgram"
    socket:on("error", never())
    socket:connect(path)
    assert.is_nil(told(socket, "one"))
    loop.wait(function() return #got == 1 end)
    server:close()
    loop.turn()
    faults.system(told(socket, "nobody there"), { code = "ECONNREFUSED", syscall = "send", address = path })
    for _ = 1, 3 do
      local err = told(socket, "still nobody")
      -- the kernel has forgotten the peer by now
      if err.code ~= "ENOTCONN" then faults.system(err, { code = "ECONNREFUSED", syscall = "send" }) end
    end
    socket:disconnect()
    local heir
    heir, path, got = unix.collector(path)
    socket:connect(path)
    assert.is_nil(told(socket, "two"))
    loop.wait(function() return #got == 1 end)
    sockets.close_all(heir, socket)
    loop.run()
  end)
end)
