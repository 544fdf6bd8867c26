-- SPDX-License-Identifier: MIT
-- dgram.socketpair: two Unix sockets that are connected to each other.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local expect, never = loop.expect, loop.never

-- Both are closed after the spec, whatever became of it.
local function pair(options)
  local a, b = dgram.socketpair(options)
  finally(function()
    for _, socket in ipairs { a, b } do pcall(socket.close, socket) end
  end)
  return a, b
end

local function collect(socket)
  local got = {}
  socket:on("message", function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
  return got
end

describe("socketpair", function()
  loop.guard()

  it("makes two sockets that are connected to each other, without a name", function()
    local a, b = pair()
    for _, socket in ipairs { a, b } do
      assert.is_true(dgram.isSocket(socket))
      local state = socket:state()
      assert.same({ "unix_dgram", true, true }, { state.type, state.bound, state.connected })
      assert.same({ address = "", family = "unix" }, socket:address())
      assert.same({ address = "", family = "unix" }, socket:remoteAddress())
      assert.equal("dgram.Socket (unix_dgram unnamed)", tostring(socket))
      socket:on("listening", never()):on("connect", never()):on("error", never())
    end
    assert.is_not_equal(a:fileno(), b:fileno())
    loop.turn()
    sockets.close_all(a, b)
    loop.run()
  end)

  it("carries messages both ways, in order, empty and long ones; reply answers", function()
    local a, b = pair()
    local at_a, at_b = collect(a), collect(b)
    local sent = { "one", "", ("x"):rep(60000), "\0\255" }
    for _, msg in ipairs(sent) do a:send(msg, expect(function(err) assert.is_nil(err) end)) end
    loop.wait(function() return #at_b == #sent end)
    assert.same(sent, sockets.messages(at_b))
    assert.same({ address = "", family = "unix", size = 3 }, at_b[1].rinfo)
    b:reply("back", at_b[1].rinfo)
    b:sendMany { "1", "2" }
    loop.wait(function() return #at_a == 3 end)
    assert.same({ "back", "1", "2" }, sockets.messages(at_a))
    sockets.close_all(a, b)
    loop.run()
  end)

  it("says so when the other end is closed, and delivers what came before", function()
    local a, b = pair()
    local got = collect(b)
    a:send "the last one"
    a:flush()
    a:close()
    loop.wait(function() return #got == 1 end)
    local told
    b:send("to nobody", function(err) told = err end)
    loop.wait(function() return told end)
    faults.system(told, { code = "ECONNREFUSED", syscall = "send" })
    assert.is_nil(told.address)
    assert.equal("send ECONNREFUSED: nobody reads from this name any more", told.message)
    b:close()
    loop.run()
  end)

  it("keeps what waits for a reader, and drains", function()
    local a, b = pair { sendQueueLimit = 100000 }
    local got, n = collect(b), 0
    b:pause()
    repeat
      n = n + 1
      local more = a:send(("%06d"):format(n))
    until not more or n == 2000
    a:send "last"
    b:resume()
    loop.wait(function() return #got == n + 1 end)
    assert.equal("last", got[#got].msg)
    sockets.close_all(a, b)
    loop.run()
  end)

  it("gives both ends the options", function()
    local lone = sockets.new { type = "unix_dgram", recvBufferSize = 40000, sendBufferSize = 50000 }
    local a, b = pair { type = "unix_dgram", recvBufferSize = 40000, sendBufferSize = 50000, sendQueueLimit = 100 }
    for _, socket in ipairs { a, b } do
      assert.equal(lone:getRecvBufferSize(), socket:getRecvBufferSize())
      assert.equal(lone:getSendBufferSize(), socket:getSendBufferSize())
    end
    sockets.close_all(a, b, lone)
    loop.run()
  end)

  it("closes both ends by a signal", function()
    local signal = dgram.EventEmitter()
    local a, b = pair { signal = signal }
    a:on("close", expect())
    b:on("close", expect())
    signal:emit "abort"
    loop.run()
    assert.is_true(a:state().closed and b:state().closed)
    local late = dgram.EventEmitter()
    late.aborted = true
    a, b = pair { signal = late }
    loop.run()
    assert.is_true(a:state().closed and b:state().closed)
  end)

  it("can disconnect, and bind no more", function()
    local a, b = pair()
    faults.raised({ code = "ERR_SOCKET_ALREADY_BOUND" }, a.bind, a)
    faults.raised({ code = "ERR_SOCKET_DGRAM_IS_CONNECTED" }, a.connect, a, "/nowhere")
    a:disconnect()
    assert.is_false(a:state().connected)
    sockets.close_all(a, b)
    loop.run()
  end)

  it("raises for wrong arguments, and leaves nothing open", function()
    local before = loop.descriptors()
    for _, value in ipairs { 1, "unix_dgram", true, print, io.stdout } do
      faults.raised(faults.bad_type, dgram.socketpair, value)
    end
    for _, kind in ipairs { "udp4", "udp6", "", 1, false, {} } do
      faults.raised({ name = "TypeError", code = "ERR_SOCKET_BAD_TYPE" }, dgram.socketpair, { type = kind })
    end
    faults.raised(faults.bad_value, dgram.socketpair, { typ = "unix_dgram" })
    faults.raised(faults.bad_value, dgram.socketpair, { interface = "lo" })
    faults.raised(faults.bad_value, dgram.socketpair, { multicastAll = false })
    faults.raised(faults.bad_value, dgram.socketpair, {}, 1)
    faults.raised(faults.bad_type, dgram.socketpair, { recvBufferSize = "1" })
    faults.raised(faults.bad_type, dgram.socketpair, { signal = 1 })
    faults.raised(faults.out_of_range, dgram.socketpair, { sendQueueLimit = 0 })
    collectgarbage()
    collectgarbage()
    assert.equal(before, loop.descriptors())
  end)

  it("is forgotten with its sockets", function()
    collectgarbage()
    loop.run()
    local before = loop.descriptors()
    for _ = 1, 20 do dgram.socketpair() end
    collectgarbage()
    collectgarbage()
    loop.run()
    assert.equal(before, loop.descriptors())
  end)

  it("gives a child one of its ends", function()
    local a, b = pair()
    local got = collect(a)
    local code = [[
      local dgram = require "dgram"
      local s = dgram.createSocket("unix_dgram", function(msg) io.stdout:write(msg) end)
      s:bind { fd = 0 }
      s:once("message", function() s:send("from the child", function() s:close() end) end)
      dgram.run()
    ]]
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local process = child.start(child.interpreter(), { "-e", paths, "-e", code }, { own = true, stdin = b:fileno() })
    a:send "from the parent"
    process:wait()
    loop.wait(function() return #got == 1 end)
    assert.same({ 0, "from the parent", "from the child" }, { process.status, process.out, got[1].msg }, process.err)
    sockets.close_all(a, b)
    loop.run()
  end)
end)
