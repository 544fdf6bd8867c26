-- SPDX-License-Identifier: MIT
-- Lua may run finalizers wherever a function is called, and a finalizer may receive. Here the receiving calls of one socket are
-- made at each such place of others, one place at a time: no call and no datagram is lost.

local can = require "spec.support.can"
local loop = require "spec.support.loop"
local peers = require "spec.support.peer"
local sockets = require "spec.support.sockets"

local need = can.need

-- A socket, its peer, and the calls that were made, with what they have returned.
local function new_world()
  local socket, port = sockets.bound "udp4"
  local peer = peers.new()
  local world = { socket = socket, sent = 0, got = 0, heard = 0, returned = 0, open = {} }
  function world.send()
    world.sent = world.sent + 1
    peer:send("x", port)
  end
  -- Makes a call in a coroutine of its own. `timed`: it ends by itself.
  function world.call(name, timed, ...)
    local call = { timed = timed }
    world.open[call] = true
    local arguments, count = { ... }, select("#", ...)
    local co
    co = coroutine.create(function()
      if world.hook then debug.sethook(co, world.hook, "c") end
      local unpack = table.unpack or unpack -- luacheck: ignore 143
      local message, reason = socket[name](socket, unpack(arguments, 1, count))
      world.open[call] = nil
      world.returned = world.returned + 1
      if message == nil then
        assert(reason == "timeout" or reason == "closed", reason)
        if reason == "timeout" then assert(timed, "a call without a time-out has none") end
      elseif type(message) == "table" then
        world.got = world.got + #message
      else
        world.got = world.got + 1
      end
    end)
    local done, err = coroutine.resume(co)
    if not done then error(err, 0) end
  end
  function world.waiting(timed)
    local count = 0
    for call in pairs(world.open) do
      if call.timed == timed then count = count + 1 end
    end
    return count
  end
  -- Serves all calls, of which each takes a datagram.
  function world.serve()
    while world.waiting(false) ~= 0 do
      local before = world.returned
      world.send()
      loop.wait(function() return world.returned > before end)
    end
    loop.wait(function() return world.waiting(true) == 0 end)
  end
  -- Ends: what nobody has taken is there still, but for what a listener has seen.
  function world.finish()
    world.serve()
    while world.got + world.heard < world.sent do
      assert(socket:receive(0), "a datagram is lost")
      world.got = world.got + 1
    end
    socket:close()
    peer:close()
    loop.run()
  end
  return world
end

local scenarios = {
  ["a call that waits, and is served"] = function(world)
    world.call("receive", false)
    world.serve()
  end,
  ["several calls that wait"] = function(world)
    world.call("receive", false)
    world.call("receive", false)
    world.call("receiveMany", true, 3, 5)
    for _ = 1, 4 do world.send() end
    world.serve()
  end,
  ["calls whose time is over"] = function(world)
    world.call("receive", true, 2)
    world.call("receive", true, 1)
    world.call("receive", true, 5)
    world.serve()
  end,
  ["a listener that comes and goes"] = function(world)
    world.call("receive", false)
    local function listener() world.heard = world.heard + 1 end
    world.socket:on("message", listener)
    world.serve()
    world.socket:removeListener("message", listener)
    world.call("receive", false)
    world.serve()
  end,
}

local intruders = {
  ["receive()"] = function(world) world.call("receive", false) end,
  ["receive(3)"] = function(world) world.call("receive", true, 3) end,
  ["receive(0)"] = function(world) world.call("receive", true, 0) end,
  ["receiveMany(2, 3)"] = function(world) world.call("receiveMany", true, 2, 3) end,
}

-- Runs the scenario, and the intruder at call number `at` of those that receive.lua makes. Returns whether there were so many.
local function run(scenario, intruder, at)
  local world, count, over = new_world(), 0, false
  local function hook()
    local caller = not over and debug.getinfo(3, "S")
    if not caller or not caller.source:find("dgram[/.]receive") then return end
    count = count + 1
    if count ~= at then return end
    over = true
    intruder(world)
  end
  local done, err = pcall(function()
    world.hook = hook
    debug.sethook(hook, "c")
    scenario(world)
  end)
  debug.sethook()
  over = true
  if not done then error(("at call %d: %s"):format(at, tostring(err)), 0) end
  done, err = pcall(world.finish)
  if not done then error(("after call %d: %s"):format(at, tostring(err)), 0) end
  return count >= at
end

describe("calls of receive inside of", function()
  loop.guard()

  for name, scenario in pairs(scenarios) do
    for intruder_name, intruder in pairs(intruders) do
      it(name .. ": " .. intruder_name, function()
        need(pending, not rawget(_G, "jit") or nil, "compiled code calls no hooks")
        local at = 1
        while run(scenario, intruder, at) do at = at + 1 end
        assert.is_true(at > 5)
      end)
    end
  end
end)
