-- SPDX-License-Identifier: MIT
-- A listener that a finalizer added, while a method of the emitter allocated, was lost: the method had looked before.
local collector = require "spec.support.collector"
local finalized = require "spec.support.finalized"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

local ROUNDS = 8

local function first() end
local function second() end
local function third() end

-- What a finalizer does inside of what the program does, and who must listen to what then. Whose change is the later one
-- does not matter.
local cases = {
  { "another event's, inside of an event's first on", { "message", first }, { "close", second }, { "error", third } },
  { "a second one, in another event's first on", { "message", first }, { "message", second }, { "error", third } },
  { "the first one, inside of the first", nil, { "message", second }, { "message", third } },
  { "the first one of an event, in its first on", { "message", first }, { "error", second }, { "error", third } },
  { "another one, inside of a second on", { "error", first }, { "error", second }, { "error", third } },
}

local function listens(emitter, event, fn)
  for _, each in ipairs(emitter:listeners(event)) do
    if each == fn then return true end
  end
  return false
end

for kind, make in pairs {
  ["a socket"] = function() return sockets.new "udp4" end,
  ["an emitter"] = function() return dgram.EventEmitter() end,
} do
  describe("a listener of " .. kind .. " that a finalizer adds", function()
    loop.guard()

    for _, case in ipairs(cases) do
      it("is not lost: " .. case[1], function()
        local inside = 0
        local set_back = collector(100, 100000)
        for _ = 1, ROUNDS do
          local emitter, busy, done = make(), false, false
          if case[2] then emitter:on(case[2][1], case[2][2]) end
          collectgarbage()
          collectgarbage "stop"
          finalized(function()
            if not done then
              done = true
              inside = inside + (busy and 1 or 0)
              emitter:on(case[3][1], case[3][2])
            end
          end)
          busy = true
          collectgarbage "restart"
          emitter:on(case[4][1], case[4][2])
          busy = false
          if done then
            for i = 2, 4 do
              if case[i] then assert.is_true(listens(emitter, case[i][1], case[i][2])) end
            end
            assert.equal(case[2] and 3 or 2, emitter:listenerCount "message" + emitter:listenerCount "error" +
              emitter:listenerCount "close")
          end
          done = true
          if emitter.close then emitter:close() end
        end
        set_back()
        loop.run()
        if inside == 0 then pending "the collector did not come inside of the call" end
      end)
    end
  end)
end
