-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: connected sockets. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, port, NIL, NAN = words.cb, words.port, words.NIL, words.NAN

local LO = "127.0.0.1"

-- The steps, after a bound socket `a` and an unbound one, `b`, which connects.
local function to_a(...)
  return { { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "new", "b", "udp4" }, ... }
end

-- The same, after the connection.
local function connected(...)
  return to_a({ "b", "bind", 0, LO }, { "wait", "b listening" }, { "b", "connect", port "a", LO },
    { "wait", "b connect" }, ...)
end

return {
  { name = "connect: events, and remoteAddress", steps = to_a(
    { "b", "connect", port "a", LO, cb "connected", show = true }, { "say", "connect has returned" },
    { "wait", "connected" },
    { "b", "remoteAddress", show = true }
  ) },
  { name = "connect of a bound socket", steps = connected({ "b", "remoteAddress", show = true }) },
  { name = "connect without an address", steps = to_a(
    { "b", "connect", port "a", cb "connected" }, { "wait", "connected" }, { "b", "remoteAddress", show = true }
  ) },
  { name = "connect without a callback", steps = to_a({ "b", "connect", port "a" }, { "wait", "b connect" }) },
  { name = "connect right after bind", steps = to_a(
    { "b", "bind", 0, LO, cb "bound" }, { "b", "connect", port "a", LO, cb "connected" }, { "wait", "connected" }
  ) },
  { name = "connect of udp6", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bind", 0, "::1" }, { "wait", "a listening" }, { "new", "b", "udp6" },
    { "b", "connect", port "a", cb "connected" }, { "wait", "connected" }, { "b", "remoteAddress", show = true },
  } },
  { name = "connect: bad ports", steps = to_a(
    { "b", "connect" }, { "b", "connect", NIL }, { "b", "connect", 0 }, { "b", "connect", 65536 },
    { "b", "connect", -1 },
    { "b", "connect", NAN }, { "b", "connect", "x" }, { "b", "connect", true }, { "b", "connect", cb "connected" }
  ) },
  { name = "connect: bad addresses", steps = to_a(
    { "b", "connect", 9, 1 }, { "b", "connect", 9, true }, { "b", "connect", 9, { "x" } }
  ) },
  { name = "connect twice at once", steps = to_a(
    { "b", "connect", port "a", LO, cb "connected" }, { "b", "connect", port "a", LO, cb "again" },
    { "wait", "connected" }
  ) },
  { name = "connect when connected", steps = connected({ "b", "connect", port "a", LO, cb "again" }) },
  { name = "connect in connect", steps = to_a(
    { "b", "once", "connect", cb("inner", { "b", "connect", port "a", LO }) }, { "b", "connect", port "a", LO },
    { "wait", "inner" }
  ) },
  { name = "connect after close", steps = to_a({ "b", "close" }, { "wait", "b close" }, { "b", "remoteAddress" }) },
  { name = "connect, and close at once", steps = to_a(
    { "b", "bind", 0, LO }, { "wait", "b listening" }, { "b", "connect", port "a", LO }, { "b", "close" },
    { "wait", "b close" }
  ) },
  { name = "close in connect", steps = to_a(
    { "b", "once", "connect", cb("inner", { "b", "close" }) }, { "b", "connect", port "a", LO, cb "connected" },
    { "wait", "b close" }
  ) },
  { name = "close in the callback of connect", steps = to_a(
    { "b", "connect", port "a", LO, cb("connected", { "b", "close" }) }, { "wait", "b close" }
  ) },
  { name = "disconnect", steps = connected(
    { "b", "disconnect", show = true }, { "b", "remoteAddress" }, { "b", "disconnect" }
  ) },
  { name = "disconnect, and connect again", steps = connected(
    { "b", "disconnect" }, { "b", "connect", port "a", LO, cb "again" }, { "wait", "again" },
    { "b", "remoteAddress", show = true }
  ) },
  { name = "disconnect and remoteAddress of a socket that never was connected", steps = to_a(
    { "b", "disconnect" }, { "b", "remoteAddress" }, { "b", "bind", 0, LO }, { "wait", "b listening" },
    { "b", "disconnect" },
    { "b", "remoteAddress" }
  ) },
  { name = "disconnect in connect", steps = to_a(
    { "b", "once", "connect", cb("inner", { "b", "disconnect" }) }, { "b", "connect", port "a", LO },
    { "wait", "inner" },
    { "b", "remoteAddress" }
  ) },
  { name = "connected: send", steps = connected(
    { "b", "send", "hello", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "connected: send without a callback", steps = connected({ "b", "send", "hello" },
    { "wait", "a message" }) },
  { name = "connected: send of a list", steps = connected(
    { "b", "send", { "one", "two" }, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "connected: send of a part", steps = connected(
    { "b", "send", "one two three", 4, 3, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "connected: send of an empty message", steps = connected(
    { "b", "send", "", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "connected: send with a port, or an address", steps = connected(
    { "b", "send", "x", 0, 1, 9 }, { "b", "send", "x", 0, 1, 9, LO }, { "b", "sendto", "x", 0, 1, 9, LO },
    { "b", "send", "x", 0, 1, NIL, LO }
  ) },
  { name = "connected: bad messages and parts", steps = connected(
    { "b", "send" }, { "b", "send", 42 }, { "b", "send", { 42 } }, { "b", "send", "abc", 4, 0 },
    { "b", "send", "abc", 0, 4 }
  ) },
  { name = "connected: a message from the peer, none from others", steps = connected(
    { "new", "c", "udp4" }, { "c", "bind", 0, LO }, { "wait", "c listening" },
    { "c", "send", "stranger", port "b", LO, cb "sent" },
    { "wait", "sent" }, { "a", "send", "peer", port "b", LO }, { "wait", "b message" }
  ) },
  { name = "a send without a port before it is connected", steps = to_a(
    { "b", "send", "x" }, { "b", "send", "x", cb "sent" }, { "b", "bind", 0, LO }, { "wait", "b listening" },
    { "b", "send", "x" }
  ) },
  { name = "after disconnect a send needs a port again", steps = connected(
    { "b", "disconnect" }, { "b", "send", "x" }, { "b", "send", "hello", port "a", LO, cb "sent" },
    { "wait", "a message" },
    { "wait", "sent" }
  ) },
  { name = "an IPv6 address for udp4", steps = to_a(
    { "b", "bind", 0, LO }, { "wait", "b listening" }, { "b", "connect", 9, "::1", cb "connected" },
    { "wait", "connected" }
  ) },
  { name = "an IPv6 address for udp4, without a callback", steps = to_a(
    { "b", "bind", 0, LO }, { "wait", "b listening" }, { "b", "connect", 9, "::1" }, { "wait", "b error" },
    { "b", "connect", port "a", LO, cb "again" }, { "wait", "again" }
  ) },
}
