-- SPDX-License-Identifier: MIT
-- examples/lossy-proxy.lua, and examples/reliable-transfer.lua through it.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local example = require "spec.support.example"
local file = require "spec.support.file"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local need, read, write = can.need, file.read, file.write

local function counts(out)
  local came, lost, doubled, overtaken =
    out:match "\nclosed after (%d+) datagrams? %(lost: (%d+), doubled: (%d+), overtaken: (%d+)%)\n$"
  return { came = tonumber(came), lost = tonumber(lost), doubled = tonumber(doubled), overtaken = tonumber(overtaken) }
end

describe("lossy-proxy", function()
  loop.guard()

  -- Which of 120 datagrams come, in which order, and what the proxy counts.
  local function fates(...)
    local target, at, got = sockets.collector "udp4"
    local proxy, port = example.serve("lossy-proxy", { "127.0.0.1:" .. at, 0, ... })
    local client = sockets.bound "udp4"
    for i = 1, 120 do client:send(tostring(i), port, "127.0.0.1") end
    -- When a second end has come, all before the first have.
    local numbers, ends, seen = {}, 0, 0
    local function sort_out()
      while seen < #got do
        seen = seen + 1
        if got[seen].msg == "end" then ends = ends + 1 else numbers[#numbers + 1] = got[seen].msg end
      end
      return ends >= 2
    end
    repeat
      client:send("end", port, "127.0.0.1")
    until pcall(loop.wait, sort_out, 0.1)
    local out = example.interrupt(proxy)
    sockets.close_all(target, client)
    loop.run()
    return numbers, counts(out)
  end

  local function in_order(count)
    local list = {}
    for i = 1, count do list[i] = tostring(i) end
    return list
  end

  it("does nothing to datagrams unless told to", function()
    local numbers, count = fates()
    assert.same(in_order(120), numbers)
    assert.same({ 0, 0, 0 }, { count.lost, count.doubled, count.overtaken })
  end)

  it("loses and doubles the same ones with the same seed, and others with another", function()
    local function sorted(seed)
      local numbers = fates("loss=20", "duplicate=20", "seed=" .. seed)
      table.sort(numbers)
      return numbers
    end
    local one = sorted(1)
    assert.same(one, sorted(1))
    assert.are_not.same(one, sorted(2))
    local kinds = {}
    for _, number in ipairs(one) do kinds[number] = true end
    local different = 0
    for _ in pairs(kinds) do different = different + 1 end
    assert.is_true(different > 80 and different < 112 and #one > different + 8, ("%d, %d"):format(different, #one))
  end)

  it("lets datagrams overtake others, and loses none by it", function()
    local numbers, count = fates "reorder=30"
    assert.are_not.same(in_order(120), numbers)
    assert.is_true(count.overtaken > 10 and count.lost == 0)
    table.sort(numbers, function(a, b) return tonumber(a) < tonumber(b) end)
    assert.same(in_order(120), numbers)
  end)

  for _, way in ipairs { { "udp4", "udp6", "[::1]:%d" }, { "udp6", "udp4", "127.0.0.1:%d" } } do
    local kind, target_kind, target_at = way[1], way[2], way[3]
    local address = sockets.loopback[kind]

    it(("takes what comes by %s to %s, and the answers back, after the delay"):format(kind, target_kind), function()
      need(pending, can.ipv6())
      local target
      target = sockets.bound(target_kind, function(msg, rinfo) target:reply(msg:upper(), rinfo) end)
      local at = target_at:format(target:address().port)
      local proxy, port = example.serve("lossy-proxy", { at, 0, address, "delay=300" })
      local one, got
      local two, answer
      one = sockets.bound(kind, function(msg, rinfo) got = { msg, rinfo.address, rinfo.port } end)
      two = sockets.bound(kind, function(msg) answer = msg end)
      local started = uv.hrtime()
      one:send("a", port, address)
      two:send("b", port, address)
      loop.wait(function() return got and answer end)
      assert.is_true(uv.hrtime() - started > 300e6) -- 600, less what a busy loop's clock is behind
      assert.same({ "A", address, port, "B" }, { got[1], got[2], got[3], answer })
      assert.equal(4, counts(example.interrupt(proxy)).came)
      sockets.close_all(target, one, two)
      loop.run()
    end)
  end

  it("forgets clients who are silent, and takes them again", function()
    local target, at, got = sockets.collector "udp4"
    local proxy, port = example.serve("lossy-proxy", { "127.0.0.1:" .. at, 0, "idle=1" })
    local client = sockets.bound "udp4"
    client:send("one", port, "127.0.0.1")
    local who = ("127%%.0%%.0%%.1 %d\n"):format(client:address().port)
    proxy:expect("%+ " .. who .. "%- " .. who)
    client:send("two", port, "127.0.0.1")
    proxy:expect("%+ " .. who .. "%- " .. who .. "%+ " .. who)
    loop.wait(function() return #got == 2 end)
    assert.same({ "one", "two" }, { got[1].msg, got[2].msg })
    example.interrupt(proxy)
    sockets.close_all(target, client)
    loop.run()
  end)

  it("takes no more than 200 clients, and bears a target that is not there", function()
    local target, at, got = sockets.collector "udp4"
    local proxy, port = example.serve("lossy-proxy", { "127.0.0.1:" .. at, 0 })
    local clients = {}
    for i = 1, 203 do
      clients[i] = sockets.bound "udp4"
      clients[i]:send(tostring(i), port, "127.0.0.1")
      loop.wait(function() return i > 200 or #got == i end)
    end
    clients[1]:send("again", port, "127.0.0.1")
    loop.wait(function() return #got > 200 end)
    assert.same({ 201, "again" }, { #got, got[201].msg })
    target:close()
    loop.turn()
    for _ = 1, 3 do clients[2]:send("to nobody", port, "127.0.0.1") end
    loop.pass(20)
    local back
    local heir = sockets.new("udp4", function(msg) back = back or msg == "back" end)
    heir:bind(at, "127.0.0.1")
    repeat
      clients[2]:send("back", port, "127.0.0.1")
    until pcall(loop.wait, function() return back end, 0.2)
    example.interrupt(proxy)
    heir:close()
    sockets.close_all((table.unpack or unpack)(clients))
    loop.run()
  end)
end)

describe("reliable-transfer", function()
  loop.guard()

  local pieces = {}
  for i = 1, 251 do pieces[i] = string.char(i * 7 % 256) end
  local big = table.concat(pieces):rep(800)

  local function receiver()
    local folder = unix.folder()
    local process, port = example.serve("reliable-transfer", { "receive", folder .. "/got", 0 })
    return process, port, folder
  end

  -- What is in the folder, and no half files beside it.
  local function result(folder)
    assert.is_nil(read(folder .. "/got.part"))
    return read(folder .. "/got")
  end

  it("brings a file through a network that loses a fifth of all, doubles and reorders", function()
    local process, at, folder = receiver()
    write(folder .. "/big", big)
    local proxy, port = example.serve("lossy-proxy",
      { "127.0.0.1:" .. at, 0, "loss=20", "duplicate=10", "reorder=10", "delay=1", "seed=3" })
    local sender = example.run("reliable-transfer", { "send", folder .. "/big", "127.0.0.1:" .. port })
    assert.same({ 0, "" }, { sender.status, sender.err }, sender.out)
    local sum = sender.out:match "sent [^\n]*: 200800 bytes, checksum (%x+) %(169 packets, sent again: [1-9]%d*%)\n$"
    assert.is_truthy(sum, sender.out)
    process:expect("\nreceived [^\n]*: 200800 bytes, checksum " .. sum .. "\n")
    assert.is_true(result(folder) == big)
    local count = counts(example.interrupt(proxy))
    assert.is_true(count.lost > 30 and count.doubled > 10 and count.overtaken > 10, count.lost .. " lost")
    example.interrupt(process)
  end)

  for _, size in ipairs { 0, 1, 1200, 1201, 2400 } do
    it(("brings a file of %d bytes"):format(size), function()
      local process, port, folder = receiver()
      write(folder .. "/file", big:sub(1, size))
      local sender = example.run("reliable-transfer", { "send", folder .. "/file", "127.0.0.1:" .. port })
      assert.same({ 0, "" }, { sender.status, sender.err }, sender.out)
      process:expect "\nreceived "
      assert.is_true(result(folder) == big:sub(1, size))
      example.interrupt(process)
    end)
  end

  -- A sender of this spec.
  local function hand_made(port)
    local got, self = {}, {}
    local socket = sockets.bound("udp4", function(msg) got[#got + 1] = msg end)
    local id = "\1\2\3\4\5\6\7\8"
    local function four(number) return "\0\0\0" .. string.char(number) end
    function self.raw(text) socket:send(text, port, "127.0.0.1") end
    function self.send(kind, number, text) self.raw(kind .. id .. four(number) .. text) end
    function self.answered(kind, ...)
      local numbers = ""
      for i = 1, select("#", ...) do numbers = numbers .. four((select(i, ...))) end
      loop.wait(function() return #got > 0 end, 20)
      assert.equal(kind .. id .. numbers, table.remove(got, 1))
    end
    function self.close()
      socket:close()
      loop.run()
    end
    return self
  end

  it("puts in order what comes in another, once, and leaves alone what it does not know", function()
    local process, port, folder = receiver()
    local s = hand_made(port)
    for _, text in ipairs { "", "D", "D12345678", "X12345678\0\0\0\0x", "A12345678\0\0\0\0\0\0\0\1" } do s.raw(text) end
    s.send("D", 0, ("x"):rep(1201))
    s.send("D", 1, "b")
    s.answered("A", 1, 0)
    s.raw "D87654321\0\0\0\0other"
    s.send("D", 40, "far")
    s.send("E", 2, "\1\38\0\196") -- zlib's adler32 of "ab"
    s.answered("A", 2, 0)
    s.send("D", 1, "again")
    s.answered("A", 1, 0)
    assert.is_nil(read(folder .. "/got"))
    s.send("D", 0, "a")
    s.answered("A", 0, 3)
    process:expect "\nreceived "
    s.send("E", 2, "\1\38\0\196")
    s.answered("A", 2, 3)
    example.interrupt(process)
    s.close()
  end)

  it("keeps no file whose checksum is wrong, and tells the sender", function()
    local process, port, folder = receiver()
    local s = hand_made(port)
    s.send("D", 0, "ab")
    s.answered("A", 0, 1)
    s.send("E", 1, "\1\38\0\197")
    s.answered "F"
    process:wait()
    assert.same({ 1, "reliable-transfer: the checksum is wrong\n" }, { process.status, process.err })
    assert.is_nil(result(folder))
    s.close()
  end)

  it("says that nobody is there, that the receiver gives up, or that it was broken off", function()
    local gone = example.run("reliable-transfer", { "send", "README.md", "127.0.0.1:" .. example.free_port() })
    assert.equal(1, gone.status)
    assert.is_truthy(gone.err:find "^reliable%-transfer: [^\n]*ECONNREFUSED[^\n]*\n$", gone.err)

    local refusing
    refusing = sockets.bound("udp4", function(msg, rinfo) refusing:reply("F" .. msg:sub(2, 9), rinfo) end)
    local refused = example.run("reliable-transfer", { "send", "README.md", "127.0.0.1:" .. refusing:address().port })
    assert.same({ 1, "reliable-transfer: the receiver cannot take the file\n" }, { refused.status, refused.err })

    local mute, port, got = sockets.collector "udp4"
    local sender = example.start("reliable-transfer", { "send", "README.md", "127.0.0.1:" .. port })
    local process, _, folder = receiver()
    loop.wait(function() return #got > 0 end, 20)
    for _, each in ipairs { sender, process } do
      each:kill "sigint"
      each:wait()
      assert.same({ 1, "reliable-transfer: broken off\n" }, { each.status, each.err })
    end
    assert.is_nil(result(folder))
    sockets.close_all(refusing, mute)
    loop.run()
  end)
end)
