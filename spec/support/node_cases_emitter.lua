-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: the emitter's behaviour, of a bare one and of a socket. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, cb_all, NIL = words.cb, words.cb_all, words.NIL

-- Each step's target is a bare emitter, and a socket.
local function both(name, ...)
  local cases = {}
  for _, kind in ipairs { "emitter", "socket" } do
    local steps = { { "new",
      "e", kind == "socket" and "udp4" or nil, bare = true, kind = kind == "emitter" and kind or nil } }
    for _, step in ipairs { ... } do steps[#steps + 1] = step end
    cases[#cases + 1] = { name = kind .. ": " .. name, steps = steps }
  end
  return cases
end

local lists = {
  both("listeners are called in the order of their coming", { "e", "on", "x", cb "one" },
    { "e", "addListener", "x", cb "two" },
    { "e", "prependListener", "x", cb "zero" }, { "e", "emit", "x", 1, "two", true, show = true }),
  both("emit without listeners", { "e", "emit", "x", 1, show = true }),
  both("emit hands nil on", { "e", "on", "x", cb_all "heard" }, { "e", "emit", "x", NIL, 2, show = true }),
  both("the same listener twice", { "e", "on", "x", cb "one" }, { "e", "on", "x", cb "one" }, { "e", "emit", "x" },
    { "e", "off", "x", cb "one" }, { "e", "emit", "x" }, { "e", "off", "x", cb "one" },
    { "e", "emit", "x", show = true }),
  both("off takes the one that came last", { "e", "on", "x", cb "one" }, { "e", "on", "x", cb "two" },
    { "e", "on", "x", cb "one" }, { "e", "off", "x", cb "one" }, { "e", "emit", "x" }),
  both("once", { "e", "once", "x", cb "one" }, { "e", "prependOnceListener", "x", cb "zero" },
    { "e", "emit", "x", 1 },
    { "e", "emit", "x", 2, show = true }),
  both("a once listener can be taken away", { "e", "once", "x", cb "one" }, { "e", "off", "x", cb "one" },
    { "e", "emit", "x", show = true }),
  both("a once listener that emits", { "e", "once", "x", cb("one", { "e", "emit", "x", show = true }) },
    { "e", "emit", "x", show = true }),
  both("a listener added during an emit waits for the next",
    { "e", "on", "x", cb("one", { "e", "on", "x", cb "two" }) },
    { "e", "emit", "x" }, { "say", "again" }, { "e", "emit", "x" }),
  both("a listener removed during an emit is still called",
    { "e", "on", "x", cb("one", { "e", "off", "x", cb "two" }) },
    { "e", "on", "x", cb "two" }, { "e", "emit", "x" }, { "say", "again" }, { "e", "emit", "x" }),
  both("removeAllListeners during an emit", { "e", "on", "x", cb("one", { "e", "removeAllListeners", "x" }) },
    { "e", "on", "x", cb "two" }, { "e", "emit", "x" }, { "e", "emit", "x", show = true }),
  both("removeAllListeners", { "e", "on", "x", cb "one" }, { "e", "on", "y", cb "two" },
    { "e", "removeAllListeners", "x" },
    { "e", "emit", "x", show = true }, { "e", "emit", "y", show = true }, { "e", "removeAllListeners", show = true },
    { "e", "emit", "y", show = true }),
  both("counting", { "e", "listenerCount", "x", show = true }, { "e", "on", "x", cb "one" },
    { "e", "on", "x", cb "two" },
    { "e", "once", "x", cb "one" }, { "e", "listenerCount", "x", show = true },
    { "e", "listenerCount", "x", cb "one", show = true }, { "e", "listenerCount", "y", show = true },
    { "e", "listeners", "x", show = true }, { "e", "listeners", "y", show = true }, { "e", "off", "x", cb "one" },
    { "e", "listenerCount", "x", show = true }),
  both("what the methods return", { "e", "on", "x", cb "one", show = true },
    { "e", "off", "x", cb "one", show = true },
    { "e", "once", "x", cb "one", show = true }, { "e", "prependListener", "x", cb "one", show = true },
    { "e", "prependOnceListener", "x", cb "one", show = true }, { "e", "removeListener", "x", cb "one", show = true },
    { "e", "removeAllListeners", "x", show = true }, { "e", "eventNames", show = true }),
  both("bad listeners", { "e", "on", "x" }, { "e", "on", "x", 1 }, { "e", "once", "x", "f" }, { "e", "off", "x" },
    { "e", "prependListener", "x", true }, { "e", "emit", "x", show = true }),
  both("off of a listener that is none", { "e", "off", "x", cb "one", show = true }, { "e", "on", "x", cb "two" },
    { "e", "off", "x", cb "one", show = true }, { "e", "emit", "x" }),
  both("a listener that raises ends the emit", { "e", "on", "x", cb("one", { "raise", "boom" }) },
    { "e", "on", "x", cb "two" },
    { "e", "emit", "x" }),
  both("error events with a listener", { "e", "on", "error", cb_all "heard" },
    { "e", "emit", "error", "boom", 2, show = true }),
}

local cases = {}
for _, list in ipairs(lists) do
  for _, case in ipairs(list) do cases[#cases + 1] = case end
end
return cases
