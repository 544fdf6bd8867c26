-- SPDX-License-Identifier: MIT
-- Sockets and bare emitters: on, once, off, emit and the other methods of Node's EventEmitter.
local loop = require "spec.support.loop"
local faults = require "spec.support.faults"
local sockets = require "spec.support.sockets"
local dgram = require "dgram"

-- Sockets are emitters, and a bare one is the same: all that follows holds for both.
local kinds = {
  ["EventEmitter()"] = dgram.EventEmitter,
  ["a socket"] = function() return sockets.new "udp4" end,
}

for kind, make in pairs(kinds) do
  describe(kind .. " as an emitter", function()
    local emitter, log

    after_each(function()
      if emitter.close then emitter:close() end
      emitter = nil
    end)
    loop.guard()
    before_each(function()
      emitter, log = make(), {}
    end)

    local function note(name)
      return function(...)
        local values = { name }
        for i = 1, select("#", ...) do values[i + 1] = tostring((select(i, ...))) end
        log[#log + 1] = table.concat(values, " ")
      end
    end

    it("calls the listeners in order, with all arguments", function()
      emitter:on("thing", note "a")
      emitter:on("thing", note "b")
      emitter:on("other", note "never")
      emitter:emit("thing", 1, nil, "x", nil)
      assert.same({ "a 1 nil x nil", "b 1 nil x nil" }, log)
    end)

    it("emit is synchronous and tells whether anybody listened", function()
      assert.is_false(emitter:emit "thing")
      emitter:on("thing", note "a")
      assert.is_true(emitter:emit "thing")
      assert.same({ "a" }, log)
    end)

    for _, name in ipairs { "on", "addListener", "once", "prependListener", "prependOnceListener" } do
      it(name .. " returns the emitter", function()
        assert.equal(emitter, emitter[name](emitter, "thing", note "a"))
        emitter:emit "thing"
        assert.same({ "a" }, log)
      end)
    end

    it("off, removeListener and removeAllListeners return the emitter", function()
      local a = note "a"
      emitter:on("thing", a)
      assert.equal(emitter, emitter:off("thing", a))
      assert.equal(emitter, emitter:removeListener("thing", a))
      assert.equal(emitter, emitter:removeAllListeners "thing")
      assert.equal(emitter, emitter:removeAllListeners())
    end)

    it("once hears one emit", function()
      emitter:once("thing", note "once")
      emitter:on("thing", note "on")
      emitter:emit("thing", 1)
      emitter:emit("thing", 2)
      assert.same({ "once 1", "on 1", "on 2" }, log)
    end)

    it("once is gone before its listener runs", function()
      local depth = 0
      emitter:once("thing", function()
        depth = depth + 1
        emitter:emit "thing"
      end)
      emitter:emit "thing"
      assert.equal(1, depth)
    end)

    it("once hears one emit, even where emits nest", function()
      local depth, heard = 0, 0
      emitter:on("thing", function()
        depth = depth + 1
        if depth < 3 then emitter:emit "thing" end
      end)
      emitter:once("thing", function() heard = heard + 1 end)
      emitter:emit "thing"
      assert.equal(3, depth)
      assert.equal(1, heard)
    end)

    it("prepend goes to the front", function()
      emitter:on("thing", note "c")
      emitter:prependListener("thing", note "b")
      emitter:prependOnceListener("thing", note "a")
      emitter:emit "thing"
      emitter:emit "thing"
      assert.same({ "a", "b", "c", "b", "c" }, log)
    end)

    it("a function may listen twice, off removes one of them", function()
      local a = note "a"
      emitter:on("thing", a):on("thing", a)
      assert.equal(2, emitter:listenerCount "thing")
      emitter:off("thing", a)
      assert.equal(1, emitter:listenerCount "thing")
      emitter:emit "thing"
      assert.same({ "a" }, log)
    end)

    it("off removes what was added latest", function()
      local a = note "a"
      emitter:on("thing", a):on("thing", note "b"):on("thing", a)
      emitter:off("thing", a)
      emitter:emit "thing"
      assert.same({ "a", "b" }, log)
    end)

    it("off removes a once listener by its function", function()
      local a = note "a"
      emitter:once("thing", a)
      emitter:off("thing", a)
      assert.equal(0, emitter:listenerCount "thing")
      emitter:emit "thing"
      assert.same({}, log)
    end)

    it("off of a stranger changes nothing", function()
      emitter:on("thing", note "a")
      emitter:off("thing", note "b")
      emitter:off("no such event", note "b")
      assert.equal(1, emitter:listenerCount "thing")
    end)

    it("listeners answers with a copy, once listeners as they were given", function()
      local a, b = note "a", note "b"
      emitter:on("thing", a):once("thing", b)
      local list = emitter:listeners "thing"
      assert.equal(2, #list)
      assert.equal(a, list[1])
      assert.equal(b, list[2])
      list[1], list[2] = nil, nil
      assert.equal(2, emitter:listenerCount "thing")
      assert.same({}, emitter:listeners "no such event")
    end)

    it("counts and names what is listened to", function()
      assert.equal(0, emitter:listenerCount "thing")
      assert.same({}, emitter:eventNames())
      local a = note "a"
      emitter:on("thing", a):once("other", a):on("other", a)
      assert.equal(1, emitter:listenerCount "thing")
      assert.equal(2, emitter:listenerCount "other")
      local names = emitter:eventNames()
      table.sort(names)
      assert.same({ "other", "thing" }, names)
      emitter:off("thing", a)
      assert.same({ "other" }, emitter:eventNames())
      emitter:emit "other"
      emitter:removeAllListeners "other"
      assert.same({}, emitter:eventNames())
    end)

    it("removeAllListeners removes those of one event, or all", function()
      emitter:on("a", note "a"):on("b", note "b"):on("c", note "c")
      emitter:removeAllListeners "a"
      assert.equal(0, emitter:listenerCount "a")
      assert.equal(1, emitter:listenerCount "b")
      emitter:removeAllListeners()
      assert.same({}, emitter:eventNames())
      assert.is_false(emitter:emit "b")
    end)

    it("adding during an emit acts on the next one", function()
      emitter:once("thing", function()
        note "first"()
        emitter:on("thing", note "late")
        emitter:prependListener("thing", note "early")
      end)
      emitter:emit "thing"
      assert.same({ "first" }, log)
      emitter:emit "thing"
      assert.same({ "first", "early", "late" }, log)
    end)

    it("removing during an emit acts on the next one", function()
      local b = note "b"
      emitter:on("thing", function()
        note "a"()
        emitter:off("thing", b)
      end)
      emitter:on("thing", b)
      emitter:emit "thing"
      emitter:emit "thing"
      assert.same({ "a", "b", "a" }, log)
    end)

    it("removing itself during an emit skips nobody", function()
      local function own()
        note "own"()
        emitter:off("thing", own)
      end
      emitter:on("thing", own):on("thing", note "b"):on("thing", note "c")
      emitter:emit "thing"
      emitter:emit "thing"
      assert.same({ "own", "b", "c", "b", "c" }, log)
    end)

    it("a listener that raises stops its emit and leaves the emitter whole", function()
      emitter:on("thing", note "a")
      emitter:once("thing", function() error("boom", 0) end)
      emitter:on("thing", note "b")
      local ok, err = pcall(emitter.emit, emitter, "thing")
      assert.is_false(ok)
      assert.equal("boom", err)
      assert.same({ "a" }, log)
      emitter:emit "thing"
      assert.same({ "a", "a", "b" }, log)
    end)

    it("an error that nobody listens to is raised", function()
      local problem = setmetatable({}, { __tostring = function() return "my own error" end })
      local ok, err = pcall(emitter.emit, emitter, "error", problem)
      assert.is_false(ok)
      assert.equal(problem, err)
      emitter:on("error", note "error")
      assert.is_true(emitter:emit("error", problem))
      assert.same({ "error my own error" }, log)
    end)

    it("an error event without an error raises one that says so", function()
      faults.raised({ name = "Error", code = "ERR_UNHANDLED_ERROR" }, emitter.emit, emitter, "error")
    end)

    it("any value but nil and NaN is a name; nobody listens to those", function()
      for _, name in ipairs { 1, 0.5, true, {}, print, io.stdout } do
        emitter:on(name, note "heard")
        assert.is_true(emitter:emit(name))
        emitter:removeAllListeners(name)
        assert.is_false(emitter:emit(name))
      end
      local nan = 0 / 0
      for _, method in ipairs { "on", "once", "off", "prependListener", "prependOnceListener" } do
        faults.raised(faults.bad_type, emitter[method], emitter, nan, print)
      end
      emitter:on("thing", note "heard")
      assert.equal(emitter, emitter:removeAllListeners(nan))
      assert.equal(1, emitter:listenerCount "thing")
      assert.is_false(emitter:emit(nan))
      assert.same({}, emitter:listeners(nan))
      assert.equal(0, emitter:listenerCount(nan))
    end)

    it("refuses what cannot listen", function()
      for _, name in ipairs { "on", "addListener", "once", "prependListener", "prependOnceListener", "off",
        "removeListener" } do
        for _, value in ipairs { 1, "x", true, {}, io.stdout } do
          faults.raised(faults.bad_type, emitter[name], emitter, "thing", value)
        end
        faults.raised(faults.bad_type, emitter[name], emitter, "thing")
        faults.raised(faults.bad_type, emitter[name], emitter, nil, print)
      end
      assert.same({}, emitter:eventNames())
    end)
  end)
end

describe("a socket's events", function()
  loop.guard()

  it("are also emitted by hand", function()
    local socket = sockets.new("udp4", loop.expect(function(msg) assert.equal("by hand", msg) end))
    socket:emit("message", "by hand", {})
    socket:close()
    loop.run()
  end)

  it("work after close: the emitter outlives it", function()
    local socket = sockets.new "udp4"
    socket:close()
    socket:on("close", loop.expect())
    loop.run()
    local heard = 0
    socket:on("thing", function() heard = heard + 1 end)
    socket:emit "thing"
    assert.equal(1, heard)
    assert.equal(1, socket:listenerCount "thing")
    socket:removeAllListeners()
    assert.same({}, socket:eventNames())
  end)

  it("listening and close come once each, in order", function()
    local log = {}
    local socket = sockets.new "udp4"
    for _, name in ipairs { "listening", "close", "error", "message" } do
      socket:on(name, function() log[#log + 1] = name end)
    end
    socket:bind(0, "127.0.0.1")
    assert.same({}, log)
    loop.turn()
    socket:close()
    assert.same({ "listening" }, log)
    loop.run()
    loop.turn()
    assert.same({ "listening", "close" }, log)
  end)
end)
