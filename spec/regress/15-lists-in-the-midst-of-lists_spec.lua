-- SPDX-License-Identifier: MIT
-- What finalizers did to a list that was being sent: one that sent a list, too, got the other's count and error; one
-- that connected the socket to another peer sent the rest there.
local finalized = require "spec.support.finalized"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local expect, new = loop.expect, sockets.new

-- Lets a finalizer run `fn` inside the next call of one of luv's functions, where luv allocates.
local restore = function() end
local function inside(name, fn)
  local original = uv[name]
  restore = function() uv[name] = original end
  finalized(fn)
  uv[name] = function(...)
    restore()
    collectgarbage()
    collectgarbage()
    return original(...)
  end
end

local function list_of(count, text)
  local list = {}
  for i = 1, count do list[i] = text .. i end
  return list
end

describe("once wrong", function()
  loop.guard()
  after_each(function() restore() end)

  -- A sender whose list of 200 its reader does not take; another list is sent in the midst of it.
  local function nested(outer_told, inner_told, after)
    local reader, path = unix.bound()
    local sender = new "unix_dgram"
    sender:connect(path)
    loop.turn(3)
    inside("poll_start", function() sender:sendMany(list_of(3, "inner"), inner_told) end)
    sender:sendMany(list_of(200, "outer"), outer_told)
    after(reader, sender)
  end

  it("a list that was sent inside of another one's call got that one's count", function()
    local got, done = { outer = 0, inner = 0 }, 0
    local function told(count)
      return expect(1, function(err, sent)
        assert.is_nil(err)
        assert.equal(count, sent)
        done = done + 1
      end)
    end
    nested(told(200), told(3), function(reader, sender)
      reader:on("message", function(msg)
        local which = msg:match "^%a+"
        got[which] = got[which] + 1
      end)
      loop.wait(function() return done == 2 and got.outer == 200 and got.inner == 3 end)
      sockets.close_all(reader, sender)
      loop.run()
    end)
  end)

  it("and its error", function()
    local counts, done = {}, 0
    local function told(which)
      return expect(1, function(err, sent)
        assert.equal("ECONNREFUSED", err.code)
        counts[which] = sent
        done = done + 1
      end)
    end
    nested(told "outer", told "inner", function(reader, sender)
      local waiting = sender:getSendQueueCount()
      reader:close()
      loop.wait(function() return done == 2 end)
      assert.same({ inner = 0, outer = 203 - waiting }, counts)
      sender:close()
      loop.run()
    end)
  end)

  it("a list without memory in its midst left its count to the next one", function()
    local reader, path = unix.bound()
    local sender = new "unix_dgram"
    sender:connect(path)
    loop.turn(3)
    local start = uv.poll_start
    uv.poll_start = function()
      restore()
      error "not enough memory"
    end
    restore = function() uv.poll_start = start end
    assert.is_false(pcall(sender.sendMany, sender, list_of(200, "outer"), loop.never()))
    local done
    reader:on("message", function() end)
    sender:sendMany(list_of(2, "next"), expect(1, function(err, sent)
      assert.is_nil(err)
      assert.equal(2, sent)
      done = true
    end))
    loop.wait(function() return done end)
    sockets.close_all(reader, sender)
    loop.run()
  end)

  for _, how in ipairs { "send", "sendMany" } do
    it(how .. " to the peer went to another one, to which a finalizer had connected the socket meanwhile", function()
      local old, old_port, to_old = sockets.collector "udp4"
      local other, other_port, to_other = sockets.collector "udp4"
      local sender = new "udp4"
      sender:connectSync(old_port, "127.0.0.1")
      loop.turn(3)
      inside("idle_start", function()
        sender:disconnect()
        sender:connectSync(other_port, "127.0.0.1")
      end)
      local what = how == "send" and "1" or { "1", "2", "3", "4", "5", "6" }
      sender[how](sender, what, expect(1, function(err, count)
        assert.is_nil(err)
        assert.equal(#what, count)
      end))
      sender:send("other", expect(1))
      loop.wait(function() return #to_old == #what and #to_other == 1 end)
      assert.same(how == "send" and { "1" } or what, sockets.messages(to_old))
      assert.same({ "other" }, sockets.messages(to_other))
      sockets.close_all(old, other, sender)
      loop.run()
    end)
  end
end)
