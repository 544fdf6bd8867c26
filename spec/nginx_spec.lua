-- SPDX-License-Identifier: MIT
-- examples/nginx in a real nginx: its workers serve UDP with dgram.
local can = require "spec.support.can"
local loop = require "spec.support.loop"
local nginx = require "spec.support.nginx"
local sockets = require "spec.support.sockets"
local uv = require "luv"

local need, new = can.need, sockets.new

local function contents(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

--- How often the processes have gone to sleep so far, all threads together.
local function sleeps(pids)
  local sum = 0
  for _, pid in ipairs(pids) do
    for thread in uv.fs_scandir_next, assert(uv.fs_scandir(("/proc/%d/task"):format(pid))) do
      local status = contents(("/proc/%d/task/%s/status"):format(pid, thread))
      sum = sum + tonumber(status:match "\nvoluntary_ctxt_switches:%s*(%d+)" or 0)
    end
  end
  return sum
end

describe("in nginx", function()
  loop.guard()

  local server

  local function start(changes)
    local root = need(pending, nginx.installed())
    need(pending, can.program "curl")
    finally(function()
      if server then server:stop() end
      server = nil
    end)
    server = nginx.start(root, changes)
    return server
  end

  --- Ends it; nothing but these lines may be in its log above the level of a notice.
  local function ends_well(...)
    local log, expected = server:stop(), { ... }
    server = nil
    for line in log:gmatch "[^\n]+" do
      if line:find "%[%l+%]" and not line:find "%[notice%]" then
        local known = false
        for _, pattern in ipairs(expected) do known = known or line:find(pattern) ~= nil end
        assert.is_true(known, line)
      end
    end
    for _, pattern in ipairs(expected) do assert.is_truthy(log:find(pattern), pattern) end
    assert.is_nil(log:find "exited on signal")
  end

  --- Sends so many datagrams to the port, one each turn of the loop or so, and calls at(i) before the i-th one.
  local function send(socket, count, msg, port, at)
    for i = 1, count do
      if at then at(i) end
      socket:send(msg, port, "127.0.0.1")
      loop.pass(1)
    end
  end

  it("metrics are counted, and echoes come", function()
    start()
    local got = {}
    local client = new("udp4", function(msg) got[#got + 1] = msg end)
    client:bind(0, "127.0.0.1")
    client:send("visits:1|c\nbytes.sent:200|c", server.metrics, "127.0.0.1")
    client:send("visits:-3|c", server.metrics, "127.0.0.1")
    for i = 1, 20 do client:send("echo " .. i, server.echo, "127.0.0.1") end
    loop.wait(function() return #got == 20 end, 20)
    nginx.wait(function() return server:total "visits" == -2 and server:total "bytes.sent" == 200 end)
    client:close()
    loop.turn()
    ends_well()
  end)

  it("a request sends, and its callback comes though nothing else does", function()
    start()
    for i = 1, 3 do
      assert.equal("sent\n", server:get "/push?name=pushed")
      nginx.wait(function() return server:total "pushed" == i and server:total "push.sent" == i end)
    end
    ends_well()
  end)

  it("an error in a listener is a line in error.log, and no worker ends", function()
    start()
    local workers = server:workers()
    local client = new "udp4"
    for i = 1, 5 do
      client:send("oops", server.metrics, "127.0.0.1")
      client:send("after:1|c", server.metrics, "127.0.0.1")
      nginx.wait(function() return server:total "after" == i end)
    end
    client:close()
    loop.turn()
    assert.same(workers, server:workers())
    local _, lines = server:log():gsub("no counter: oops", "")
    assert.equal(5, lines)
    ends_well "%[error%].*no counter: oops"
  end)

  local ways = {
    ["woken by the doorbell"] = {},
    ["woken by a timer"] = {
      ["doorbell.start {"] = "doorbell.timer(0.01, {",
      ["    end,\n  }\nend"] = "    end,\n  })\nend",
    },
  }

  for way, changes in pairs(ways) do
    it(way .. ", reloads under load lose nothing", function()
      start(changes)
      local before = server:workers()
      local echoes = 0
      local client = new("udp4", function() echoes = echoes + 1 end)
      client:bind(0, "127.0.0.1")
      send(client, 1000, "load:1|c", server.metrics, function(i)
        if i % 250 == 0 and i < 1000 then server:signal "sighup" end
        if i % 5 == 0 then client:send("echo", server.echo, "127.0.0.1") end
      end)
      nginx.wait(function() return server:total "load" == 1000 end)
      loop.wait(function() return echoes == 200 end, 20)
      nginx.wait(function() return #server:workers() == 2 end) -- the old ones end
      for _, old in ipairs(before) do
        for _, pid in ipairs(server:workers()) do assert.not_equal(old, pid) end
      end
      client:send("load:1|c", server.metrics, "127.0.0.1")
      nginx.wait(function() return server:total "load" == 1001 end)
      client:close()
      loop.turn()
      ends_well()
    end)
  end

  it("a worker that is killed is replaced, and what waits is served", function()
    start()
    local client = new "udp4"
    client:send("before:1|c", server.metrics, "127.0.0.1")
    nginx.wait(function() return server:total "before" == 1 end)
    for _, pid in ipairs(server:workers()) do uv.kill(pid, "sigkill") end
    send(client, 50, "load:1|c", server.metrics)
    nginx.wait(function() return server:total "load" == 50 end)
    client:close()
    loop.turn()
    assert.is_truthy(server:log():find "exited on signal 9")
  end)

  it("a worker with nothing to do sleeps", function()
    start()
    local client = new "udp4"
    client:send("visits:1|c", server.metrics, "127.0.0.1")
    nginx.wait(function() return server:total "visits" == 1 end)
    client:close()
    loop.turn()
    local workers = server:workers()
    -- a machine that is busy with other things may take its time until all is quiet
    local last = sleeps(workers)
    nginx.wait(function()
      local before = last
      loop.pass(500)
      last = sleeps(workers)
      return last == before
    end)
    ends_well()
  end)
end)
