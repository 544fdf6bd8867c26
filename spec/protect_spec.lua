-- SPDX-License-Identifier: MIT
-- dgram.protect: what a callback of luv's raises goes where the errors of dgram's own listeners go.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local uv = require "luv"
local dgram = require "dgram"

local function pack(...) return { n = select("#", ...), ... } end

-- fn is called by a timer of luv's.
local function soon(fn)
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    timer:close()
    return fn()
  end)
end

describe("dgram.protect", function()
  loop.guard()
  after_each(function() dgram.setUncaughtHandler(nil) end)

  it("makes a function that passes arguments and results through", function()
    local fn = dgram.protect(pack)
    assert.same({ n = 0 }, fn())
    assert.same({ n = 4, nil, "x", nil, nil }, fn(nil, "x", nil, nil))
    local many = {}
    for i = 1, 200 do many[i] = i end
    assert.equal(200, select("#", dgram.protect(table.unpack or unpack)(many)))
    assert.equal(0, select("#", dgram.protect(function() end)()))
    assert.same({ n = 2, nil, false }, pack(dgram.protect(function() return nil, false end)()))
  end)

  it("takes one function", function()
    for _, value in ipairs { 1, "x", true, {}, io.stdout } do faults.raised(faults.bad_type, dgram.protect, value) end
    faults.raised(faults.bad_type, dgram.protect)
    faults.raised(faults.bad_value, dgram.protect, print, 1)
  end)

  it("has dgram.run raise what a timer raises, and stop", function()
    local thrown, ran = { "as it is" }, 0
    local again = uv.new_timer()
    soon(dgram.protect(function() error(thrown) end))
    again:start(20, 0, function()
      ran = ran + 1
      again:close()
    end)
    local ok, err = pcall(dgram.run)
    assert.is_false(ok)
    assert.is_true(rawequal(thrown, err))
    assert.equal(0, ran)
    loop.run()
    assert.equal(1, ran)
  end)

  local function culprit() error "boom" end

  it("adds the traceback of the place where it was raised", function()
    soon(dgram.protect(function() culprit() end))
    local ok, err = pcall(dgram.run)
    assert.is_false(ok)
    assert.is_truthy(err:find "boom\n+stack traceback:", err)
    assert.is_truthy(err:find "culprit", err)
    soon(dgram.protect(function() dgram.createSocket "none" end))
    ok, err = pcall(dgram.run)
    assert.is_false(ok)
    assert.equal("ERR_SOCKET_BAD_TYPE", err.code)
    assert.is_truthy(err.traceback:find("protect_spec", 1, true), err.traceback)
  end)

  it("tells the handler, and the loop goes on", function()
    local told = {}
    dgram.setUncaughtHandler(function(err, traceback) told[#told + 1] = { err, traceback } end)
    soon(dgram.protect(function() culprit() end))
    soon(dgram.protect(function() error(nil) end))
    soon(dgram.protect(function() error "second" end))
    loop.run()
    assert.equal(3, #told)
    assert.is_truthy(told[1][1]:find "boom$")
    assert.is_truthy(told[1][2]:find "culprit")
    assert.is_truthy(told[3][1]:find "second$")
    assert.same({ n = 0 }, pack(dgram.protect(function() error "third" end)()))
    assert.is_truthy(told[4][1]:find "third$")
  end)

  it("nests, and calls itself", function()
    local told = {}
    dgram.setUncaughtHandler(function(err) told[#told + 1] = err end)
    local fn
    fn = dgram.protect(function(depth)
      if depth > 0 then fn(depth - 1) end
      error(depth, 0)
    end)
    fn(3)
    dgram.protect(dgram.protect(dgram.protect(function() error("inner", 0) end)))()
    assert.same({ 0, 1, 2, 3, "inner" }, told)
  end)

  it("inside of a listener leaves the error to what runs the listener", function()
    local socket, port = sockets.bound("udp4", dgram.protect(function() error("listener", 0) end))
    local heard = 0
    socket:on("message", function() heard = heard + 1 end)
    socket:send("x", port)
    local ok, err = pcall(loop.wait, function() return false end)
    assert.is_false(ok)
    assert.is_truthy(err:find "^listener", err)
    assert.equal(1, heard)
    socket:close()
    loop.run()
  end)

  it("takes what a coroutine raises that a callback resumes, with the coroutine's traceback", function()
    local co = coroutine.create(dgram.protect(function() culprit() end))
    soon(function() assert(coroutine.resume(co)) end)
    local ok, err = pcall(dgram.run)
    assert.is_false(ok)
    assert.is_truthy(err:find "boom\n+stack traceback:", err)
    assert.is_truthy(err:find "culprit", err)
    assert.equal("dead", coroutine.status(co))
  end)

  it("may be yielded across", function()
    local co = coroutine.create(function() return xpcall(coroutine.yield, type, "yielded") end)
    if select(2, coroutine.resume(co)) ~= "yielded" then pending "not in Lua 5.1" end
    local told
    dgram.setUncaughtHandler(function(err, traceback) told = { err, traceback } end)
    local values = {}
    local resume = coroutine.wrap(function(...)
      local got = pack(dgram.protect(function(first)
        values[1] = first
        values[2] = coroutine.yield "one"
        values[3] = coroutine.yield "two"
        return "done", nil
      end)(...))
      local nothing = pack(dgram.protect(function()
        coroutine.yield "three"
        culprit()
      end)())
      return got, nothing
    end)
    assert.equal("one", resume "a")
    soon(function() assert.equal("two", resume "b") end)
    loop.run()
    assert.equal("three", resume "c")
    local got, nothing = resume()
    assert.same({ "a", "b", "c" }, values)
    assert.same({ n = 2, "done", nil }, got)
    assert.same({ n = 0 }, nothing)
    assert.is_truthy(told[1]:find "boom$")
    assert.is_truthy(told[2]:find "culprit", told[2])
  end)

  it("tells where a coroutine cannot be yielded across it", function()
    local co = coroutine.create(function() return xpcall(coroutine.yield, type, "yielded") end)
    if select(2, coroutine.resume(co)) == "yielded" then pending "here a coroutine yields across xpcall" end
    local told
    dgram.setUncaughtHandler(function(err) told = err end)
    coroutine.wrap(dgram.protect(function() coroutine.yield() end))()
    assert.is_truthy(told:find "attempt to yield across", told)
  end)

  it("takes stack overflows", function()
    local told = {}
    dgram.setUncaughtHandler(function(err) told[#told + 1] = tostring(err) end)
    local function deep() return 1 + deep() end
    soon(dgram.protect(deep))
    loop.run()
    assert.equal(1, #told)
    assert.is_truthy(told[1]:find "overflow", told[1])
  end)

  it("takes errors without memory", function()
    if os.getenv "LD_PRELOAD" then pending "a sanitizer is preloaded: it needs more memory than that" end
    local process = child.lua_short_of_memory [[
      local dgram, uv = require "dgram", require "luv"
      dgram.setUncaughtHandler(function(err) print("told", err) end)
      local timer = uv.new_timer()
      timer:start(0, 0, dgram.protect(function()
        timer:close()
        local s = ("x"):rep(2 ^ 20)
        while true do s = s .. s end
      end))
      dgram.run()
      print "alive"
    ]]
    assert.is_truthy(process.out:find "^told\t.*alive\n$", process.out .. process.err)
  end)
end)

describe("outside of dgram.run dgram.protect", function()
  loop.guard()

  it("leaves the error to luv, as a string with a traceback", function()
    local process = child.lua [[
      local dgram, uv = require "dgram", require "luv"
      local timer = uv.new_timer()
      timer:start(0, 0, dgram.protect(function()
        timer:close()
        dgram.createSocket "none"
      end))
      uv.run()
    ]]
    assert.is_truthy(process.err:find "ERR_SOCKET_BAD_TYPE", process.err)
    assert.is_truthy(process.err:find "stack traceback", process.err)
    assert.is_nil(process.err:find("(null)", 1, true), process.err)
  end)

  it("raises the same to whoever else calls", function()
    local thrown = setmetatable({}, { __tostring = function() return "own" end })
    local ok, err = pcall(dgram.protect(function() error(thrown) end))
    assert.is_false(ok)
    assert.equal("string", type(err))
    assert.is_truthy(err:find "^own", err)
    local function raise() error "no text" end
    thrown = setmetatable({}, { __tostring = raise, __index = raise })
    ok, err = pcall(dgram.protect(function() error(thrown) end))
    assert.is_false(ok)
    assert.equal("string", type(err))
    loop.run()
  end)
end)
