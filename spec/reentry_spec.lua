-- SPDX-License-Identifier: MIT
-- Whatever a program does in a callback, the loop goes on and nothing is left: each callback with each action.
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local purpose = "on purpose"

-- how to get hook() called out of each callback of a socket
local callbacks = {
  ["bind's callback"] = function(socket, hook) socket:bind(0, "127.0.0.1", hook) end,
  listening = function(socket, hook)
    socket:on("listening", hook)
    socket:bind(0, "127.0.0.1")
  end,
  ["listening of an implied bind"] = function(socket, hook)
    socket:on("listening", hook)
    socket:send("x", 9)
  end,
  message = function(socket, hook)
    socket:on("message", hook)
    socket:bind(0, "127.0.0.1")
    for _ = 1, 30 do socket:send("x", socket:address().port) end
  end,
  ["a second listener's message"] = function(socket, hook)
    socket:on("message", function() end):on("message", hook):on("message", function() end)
    socket:bind(0, "127.0.0.1")
    for _ = 1, 3 do socket:send("x", socket:address().port) end
  end,
  ["once message"] = function(socket, hook)
    socket:once("message", hook)
    socket:bind(0, "127.0.0.1")
    for _ = 1, 3 do socket:send("x", socket:address().port) end
  end,
  ["send's callback"] = function(socket, hook)
    for _ = 1, 10 do socket:send("x", 9, "127.0.0.1", hook) end
  end,
  ["send's callback with an error"] = function(socket, hook)
    for _ = 1, 3 do socket:send(("x"):rep(65508), 9, "127.0.0.1", hook) end
  end,
  ["a failed look-up's callback"] = function(socket, hook)
    for _ = 1, 3 do socket:send("x", 9, "nohost.invalid", hook) end
  end,
  ["error of bind"] = function(socket, hook)
    socket:on("error", hook)
    socket:bind { address = "203.0.113.1" }
  end,
  ["error of bind by name"] = function(socket, hook)
    socket:on("error", hook)
    socket:bind { address = "nohost.invalid" }
  end,
  ["error of send"] = function(socket, hook)
    socket:on("error", hook)
    for _ = 1, 3 do socket:send(("x"):rep(65508), 9) end
  end,
  ["close's callback"] = function(socket, hook) socket:close(hook) end,
  ["close of a bound socket"] = function(socket, hook)
    socket:on("close", hook)
    socket:bind(0, "127.0.0.1")
    socket:send("x", 9)
    socket:close()
  end,
}

local actions = {
  close = function(socket) socket:close() end,
  ["close with a callback"] = function(socket) socket:close(function() collectgarbage() end) end,
  ["send, then close"] = function(socket)
    for i = 1, 100 do
      socket:send("number " .. i, 9, "127.0.0.1", function()
        if i % 10 == 0 then collectgarbage() end
      end)
    end
    socket:close()
  end,
  ["bind, send, bind"] = function(socket)
    pcall(socket.bind, socket, 0, "127.0.0.1")
    socket:send("x", 9)
    socket:bind(0)
  end,
  ["send by name"] = function(socket)
    socket:send("x", 9, "localhost", function() pcall(socket.address, socket) end)
  end,
  ["send to itself"] = function(socket)
    for _ = 1, 70 do socket:send("x", socket:address().port, "127.0.0.1") end
  end,
  ["remove all listeners"] = function(socket) socket:removeAllListeners() end,
  ["remove all listeners and collect"] = function(socket)
    socket:removeAllListeners()
    collectgarbage()
    collectgarbage()
  end,
  ["add listeners"] = function(socket)
    for _ = 1, 5 do socket:on("message", function() end):on("listening", function() end) end
  end,
  ["make others and drop them"] = function()
    for _ = 1, 10 do dgram.createSocket("udp4", function() end) end
    for _ = 1, 10 do dgram.createSocket("udp4"):bind(0, "127.0.0.1") end
    collectgarbage()
    collectgarbage()
  end,
  ["make others and close them"] = function()
    for _ = 1, 10 do dgram.createSocket("udp4", function() end):bind(0, "127.0.0.1"):close(collectgarbage) end
  end,
  ["run the loop again"] = function() dgram.run "nowait" end,
  ["unref and ref"] = function(socket) socket:unref():ref():unref() end,
  ["set everything"] = function(socket)
    socket:setTTL(3)
    socket:setBroadcast(true)
    socket:setRecvBufferSize(10000)
    socket:addMembership("239.255.77.1", "127.0.0.1")
  end,
  raise = function() error(purpose, 0) end,
  ["close and raise"] = function(socket)
    socket:close()
    error(purpose, 0)
  end,
  ["change the handler and raise"] = function()
    dgram.setUncaughtHandler(function() dgram.setUncaughtHandler(nil) end)
    error(purpose, 0)
  end,
}

for where, start in pairs(callbacks) do
  describe("in " .. where, function()
    loop.guard()

    for what, act in pairs(actions) do
      it(what, function()
        finally(function() dgram.setUncaughtHandler(nil) end)
        local socket = sockets.new "udp4"
        local calls = 0
        start(socket, function()
          calls = calls + 1
          collectgarbage()
          if calls > 1 then return end
          local ok, err = pcall(act, socket)
          -- what a closed socket refuses is no matter here; what was raised on purpose goes on
          if not ok and err == purpose then error(err, 0) end
        end)
        local function step(fn, ...)
          local ok, err = pcall(fn, ...)
          local text = tostring(err) -- a send that failed is raised once nobody listens any more
          if not ok and not text:find(purpose, 1, true) and not text:find "send EMSGSIZE" then error(err, 0) end
          return ok
        end
        repeat until step(loop.wait, function() return calls > 0 end, 20)
        step(loop.turn)
        pcall(socket.close, socket)
        repeat
          collectgarbage()
          collectgarbage()
        until step(loop.run, 20)
      end)
    end
  end)
end

describe("coroutines", function()
  loop.guard()

  it("may end after they started things", function()
    local got, sent = {}, 0
    local socket
    coroutine.wrap(function()
      socket = sockets.new("udp4", function(msg)
        got[#got + 1] = msg
        collectgarbage()
      end)
      socket:bind(0, "127.0.0.1")
      socket:send("hello", socket:address().port, "127.0.0.1", function() sent = sent + 1 end)
    end)()
    collectgarbage()
    collectgarbage()
    loop.wait(function() return #got == 1 and sent == 1 end)
    socket:close()
    loop.run()
  end)

  it("may wait for a callback and go on in it", function()
    local log = {}
    local socket = sockets.new "udp4"
    coroutine.wrap(function()
      local me = coroutine.running()
      local function go(...) assert(coroutine.resume(me, ...)) end
      socket:bind(0, "127.0.0.1", function() go() end)
      coroutine.yield()
      log[#log + 1] = "bound"
      socket:send("hello", socket:address().port, "127.0.0.1", function(_, bytes) go(bytes) end)
      log[#log + 1] = "sent " .. coroutine.yield()
      socket:once("message", function(msg) go(msg) end)
      log[#log + 1] = "got " .. coroutine.yield()
      socket:close(function() go() end)
      coroutine.yield()
      log[#log + 1] = "closed"
    end)()
    loop.run()
    assert.same({ "bound", "sent 5", "got hello", "closed" }, log)
  end)
end)
