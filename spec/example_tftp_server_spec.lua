-- SPDX-License-Identifier: MIT
-- examples/tftp-server.lua with the clients curl, tftp (tftp-hpa) and atftp, and with a client of this spec that is slow.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local file = require "spec.support.file"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"
local need, read, write = can.need, file.read, file.write

local bytes = {}
for i = 1, 251 do bytes[i] = string.char(i % 251) end
local big = table.concat(bytes):rep(800)

local files = { big = big, empty = "", even = ("x"):rep(1024), ["below/one"] = "1", text = "a\nb\r\nc\r" }

--- Serves a folder of these files beside one that is not to be had. Returns the process, its port, and a folder to write to.
local function serve()
  local top, here = unix.folder(), unix.folder()
  assert(uv.fs_mkdir(top .. "/served", 448))
  assert(uv.fs_mkdir(top .. "/served/below", 448))
  assert(uv.fs_mkdir(top .. "/served-too", 448))
  for name, text in pairs(files) do write(top .. "/served/" .. name, text) end
  write(top .. "/secret", "secret")
  write(top .. "/served-too/secret", "secret")
  assert(uv.fs_symlink("../secret", top .. "/served/out"))
  assert(uv.fs_symlink("..", top .. "/served/below/up"))
  local process, port = example.serve("tftp-server", { top .. "/served", 0 })
  return process, port, here, top
end

--- Waits until the server has sent so many files.
local function sent(server, count)
  loop.wait(function() return select(2, server.out:gsub(": sent\n", "")) == count end, 20)
end

local function run(tool, args, input)
  local process = child.start(tool, args)
  if input then process:write(input) end
  process:end_input()
  return process:wait(60)
end

describe("tftp-server, with real clients", function()
  loop.guard()

  it("gives files to curl", function()
    local curl = need(pending, can.program "curl")
    local server, port, here = serve()
    for name, text in pairs(files) do
      for _, size in ipairs { "512", "1024", "8192" } do
        local to = here .. "/got"
        local process = run(curl, { "--silent", "--show-error", "--max-time", "50", "--tftp-blksize", size,
          "--output", to, ("tftp://127.0.0.1:%d/%s"):format(port, name) })
        assert.equal(0, process.status, name .. ": " .. process.err)
        assert.is_true((read(to) or "") == text, name)
        os.remove(to)
      end
    end
    sent(server, 15)
    assert.is_truthy(example.interrupt(server):find "\nclosed after 15 files\n$")
  end)

  it("gives files to tftp, in both modes, and takes none", function()
    local tftp = need(pending, can.program "tftp")
    local server, port, here, top = serve()
    local function get(mode, name)
      local to = here .. "/got"
      run(tftp, { "-4", "-m", mode, "127.0.0.1", tostring(port), "-c", "get", name, to })
      local text = read(to)
      os.remove(to)
      return text
    end
    assert.is_true(get("binary", "big") == big)
    assert.equal(files["below/one"], get("binary", "below/one"))
    -- both ends turn the ends of lines over
    assert.equal(files.text, get("netascii", "text"))
    local put = run(tftp, { "-4", "-m", "binary", "127.0.0.1", tostring(port), "-c", "put", "README.md", "new" })
    assert.is_truthy(put.out:find "Error code 2: this server only gives", put.out)
    assert.is_nil(read(top .. "/served/new"))
    sent(server, 3)
    example.interrupt(server)
  end)

  it("gives files to atftp", function()
    local atftp = need(pending, can.program "atftp")
    local server, port, here = serve()
    local process = run(atftp, { "--option", "blksize 1024", "--option", "tsize 0", "--get", "-r", "big",
      "-l", here .. "/got", "127.0.0.1", tostring(port) })
    assert.equal(0, process.status, process.out .. process.err)
    assert.is_true(read(here .. "/got") == big)
    example.interrupt(server)
  end)
end)

describe("tftp-server", function()
  loop.guard()

  local function request(name, mode, ...)
    return "\0\1" .. table.concat({ name, mode or "octet", ... }, "\0") .. "\0"
  end

  it("gives nothing but what is below its folder", function()
    local mkfifo = need(pending, can.program "mkfifo")
    local server, port, _, top = serve()
    local fifo = child.start(mkfifo, { top .. "/served/fifo" }):wait()
    assert.equal(0, fifo.status)
    local client, _, got = sockets.collector "udp4"
    local names = { "../secret", "below/../../secret", "/etc/passwd", "out", "below/up/../secret", "../served",
      "../served-too/secret", top .. "/secret", "below", ".", "", "/", "big/", "fifo", "nothing", ("x"):rep(300) }
    for i, name in ipairs(names) do
      client:send(request(name), port, "127.0.0.1")
      loop.wait(function() return #got == i end, 20)
      assert.equal("\0\5\0\1there is no such file\0", got[i].msg, name)
      assert.equal(port, got[i].rinfo.port)
    end
    -- names that lead back are names
    client:send(request "below/up/below/one", port, "127.0.0.1")
    loop.wait(function() return #got == #names + 1 end, 20)
    assert.equal("\0\3\0\0011", got[#names + 1].msg)
    example.interrupt(server)
    client:close()
    loop.run()
  end)

  it("answers what is no request with an error, or not", function()
    local server, port = serve()
    local client, _, got = sockets.collector "udp4"
    for _, msg in ipairs { "", "\0", "\0\1", "\0\1big", "\0\1big\0", "\0\1big\0octet", request("big", "mail"),
      "\0\4\0\1", "\0\9big\0octet\0" } do
      client:send(msg, port, "127.0.0.1")
    end
    client:send("\0\2big\0octet\0", port, "127.0.0.1")
    loop.wait(function() return #got == 10 end, 20)
    for i = 1, 9 do assert.equal("\0\5\0\4no request\0", got[i].msg) end
    assert.equal("\0\5\0\2this server only gives\0", got[10].msg)
    example.interrupt(server)
    client:close()
    loop.run()
  end)

  it("sends a block again, goes on with its acknowledgement alone, and hears nobody else", function()
    local server, port = serve()
    local client, _, got = sockets.collector "udp4"
    local stranger = sockets.new "udp4"
    client:send(request("even", "OCTET", "BlkSize", "512", "tsize", "0", "unknown", "1"), port, "127.0.0.1")
    loop.wait(function() return #got == 1 end, 20)
    assert.equal("\0\6blksize\000512\0tsize\0001024\0", got[1].msg)
    local from = got[1].rinfo
    assert.is_true(from.port ~= port)
    loop.wait(function() return #got == 2 end, 20) -- nobody acknowledged
    assert.equal(got[1].msg, got[2].msg)
    stranger:send("\0\4\0\0", from.port, "127.0.0.1")
    client:send("\0\4\0\1", from.port, "127.0.0.1")
    client:send("", from.port, "127.0.0.1")
    client:send("\0\4\0\0", from.port, "127.0.0.1")
    client:send("\0\4\0\0", from.port, "127.0.0.1") -- twice: the second one is old
    local block = "\0\3\0\1" .. ("x"):rep(512)
    loop.wait(function() return got[#got].msg == block end, 20)
    loop.wait(function() return got[#got - 1].msg == block end, 20)
    client:send("\0\4\0\1", from.port, "127.0.0.1")
    loop.wait(function() return got[#got].msg == "\0\3\0\2" .. ("x"):rep(512) end, 20)
    client:send("\0\4\0\2", from.port, "127.0.0.1")
    loop.wait(function() return got[#got].msg == "\0\3\0\3" end, 20) -- the last one is shorter: it is empty
    client:send("\0\4\0\3", from.port, "127.0.0.1")
    server:expect "even to 127%.0%.0%.1 %d+: sent\n"
    assert.is_truthy(example.interrupt(server):find "closed after 1 file\n$")
    sockets.close_all(client, stranger)
    loop.run()
  end)

  it("breaks off when the client gives up, has gone, or Ctrl-C comes", function()
    local server, port = serve()
    local client, _, got = sockets.collector "udp4"
    client:send(request "big", port, "127.0.0.1")
    client:send(request "big", port, "127.0.0.1") -- the same, asked twice
    loop.wait(function() return #got >= 1 end, 20)
    client:send("\0\5\0\3disk full\0", got[1].rinfo.port, "127.0.0.1")
    server:expect "big to 127%.0%.0%.1 %d+: the client gives up\n"
    local gone = sockets.new "udp4"
    gone:send(request "big", port, "127.0.0.1")
    gone:close()
    server:expect "big to 127%.0%.0%.1 %d+: [^\n]*ECONNREFUSED"
    client:send(request "big", port, "127.0.0.1")
    local before = got[#got].rinfo.port
    loop.wait(function() return got[#got].rinfo.port ~= before end, 20)
    local out = example.interrupt(server)
    assert.is_truthy(out:find "big to 127%.0%.0%.1 %d+: broken off\nclosed after 0 files\n$", out)
    client:close()
    loop.run()
  end)
end)
