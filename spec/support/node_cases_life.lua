-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: bind, close, and calls inside of events. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, port, NIL = words.cb, words.port, words.NIL

local LO = "127.0.0.1"

-- The steps, after a socket that has an address.
local function beside(...)
  return { { "new", "first", "udp4" }, { "first", "bind", 0, LO }, { "wait", "first listening" }, ... }
end

return {
  { name = "bind, address, close", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO, show = true }, { "say", "bind has returned" },
    { "wait", "a listening" },
    { "a", "address", show = true }, { "a", "close", show = true }, { "say", "close has returned" },
    { "wait", "a close" },
  } },
  { name = "bind without arguments", steps = {
    { "new", "a", "udp4" }, { "a", "bind" }, { "wait", "a listening" }, { "a", "address", show = true },
  } },
  { name = "bind of udp6 without arguments", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bind" }, { "wait", "a listening" }, { "a", "address", show = true },
  } },
  { name = "bind of udp6", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bind", 0, "::1" }, { "wait", "a listening" }, { "a", "address", show = true },
  } },
  { name = "bind with a callback alone", steps = {
    { "new", "a", "udp4" }, { "a", "bind", cb "bound" }, { "wait", "bound" },
  } },
  { name = "bind with port and callback", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, cb "bound" }, { "wait", "bound" }, { "a", "address", show = true },
  } },
  { name = "bind with everything: the callback comes after the listeners that were there", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO, cb "bound" }, { "wait", "bound" },
  } },
  { name = "bind with options", steps = {
    { "new", "a", "udp4" }, { "a", "bind", { port = 0, address = LO, exclusive = true }, cb "bound" },
    { "wait", "bound" },
    { "a", "address", show = true },
  } },
  { name = "a listener that is added after bind hears listening", steps = {
    { "new", "a", "udp4", bare = true }, { "a", "bind", 0, LO }, { "a", "on", "listening", cb "late" },
    { "wait", "late" },
  } },
  { name = "bind with nil for a port", steps = {
    { "new", "a", "udp4" }, { "a", "bind", NIL, LO }, { "wait", "a listening" }, { "a", "address", show = true },
  } },
  { name = "bind twice at once", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "a", "bind", 0, LO }, { "wait", "a listening" },
  } },
  { name = "bind twice, in listening", steps = {
    { "new", "a", "udp4", on = { listening = { { "a", "bind", 0, LO } } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" },
  } },
  { name = "bind after close", steps = {
    { "new", "a", "udp4" }, { "a", "close" }, { "a", "bind", 0, LO }, { "wait", "a close" }, { "a", "bind", 0, LO },
  } },
  { name = "bind in close", steps = {
    { "new", "a", "udp4", on = { close = { { "a", "bind", 0, LO } } } }, { "a", "close" }, { "wait", "a.bind" },
  } },
  { name = "bind to a taken address, and then to another", steps = beside(
    { "new", "a", "udp4", on = { error = { { "a", "bind", 0, LO } } } },
    { "a", "bind", port "first", LO, cb "bound" }, { "wait", "a listening" }, { "a", "address", show = true }
  ) },
  { name = "bind to a taken address, without a callback", steps = beside(
    { "new", "a", "udp4" },
    { "a", "bind", port "first", LO }, { "wait", "a error" }, { "settle" }
  ) },
  { name = "bind to a taken address, nobody listening", steps = beside(
    { "new", "a", "udp4", bare = true },
    { "a", "bind", port "first", LO }, { "wait", "uncaught" }
  ) },
  { name = "bind to a taken address with a callback, nobody listening", steps = beside(
    { "new", "a", "udp4", bare = true },
    { "a", "bind", port "first", LO, cb "bound" }, { "wait", "uncaught" }, { "settle" }
  ) },
  { name = "bind to a taken address, and close in error", steps = beside(
    { "new", "a", "udp4", on = { error = { { "a", "close" } } } },
    { "a", "bind", port "first", LO }, { "wait", "a close" }
  ) },
  { name = "both with reuseAddr", steps = beside(
    { "new", "a", { type = "udp4", reuseAddr = true } },
    { "new", "b", { type = "udp4", reuseAddr = true } }, { "a", "bind", 0, LO }, { "wait", "a listening" },
    { "b", "bind", port "a", LO }, { "wait", "b listening" }
  ) },
  { name = "bind: addresses that are none", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, 1 }, { "settle" }, { "new", "b", "udp4" }, { "b", "bind", 0, true },
    { "settle" },
    { "new", "c", "udp4" }, { "c", "bind", { port = 0, address = 1 } }, { "settle" },
  } },
  { name = "bind to an address of elsewhere", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, "203.0.113.1" }, { "wait", "a error" },
  } },
  { name = "bind of udp4 to an IPv6 address", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, "::1" }, { "wait", "a error" },
  } },
  { name = "address before bind and after close", steps = {
    { "new", "a", "udp4" }, { "a", "address" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "a", "close" },
    { "a", "address" }, { "wait", "a close" }, { "a", "address" },
  } },
  { name = "close of an unbound socket", steps = {
    { "new", "a", "udp4" }, { "a", "close", cb "closed" }, { "wait", "closed" },
  } },
  { name = "close twice at once", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "a", "close" }, { "a", "close" },
    { "wait", "a close" },
  } },
  { name = "close in close", steps = {
    { "new", "a", "udp4", on = { close = { { "a", "close" } } } }, { "a", "close" }, { "wait", "a close" },
  } },
  { name = "close between bind and listening", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO, cb "bound" }, { "a", "close", cb "closed" }, { "wait", "closed" },
  } },
  { name = "close in listening", steps = {
    { "new", "a", "udp4", on = { listening = { { "a", "close" } } } }, { "a", "bind", 0, LO, cb "bound" },
    { "wait", "a close" },
  } },
  { name = "close in the callback of bind", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO, cb("bound", { "a", "close", cb "closed" }) }, { "wait", "closed" },
  } },
  { name = "close in message: the next message does not come", steps = {
    { "new", "a", "udp4", on = { message = { { "a", "close" } } } }, { "new", "b", "udp4" }, { "a", "bind", 0, LO },
    { "b", "bind", 0, LO }, { "wait", "b listening" }, { "b", "send", "one", port "a", LO, cb "sent" },
    { "b", "send", "two", port "a", LO, cb "sent" }, { "wait", "a close" }, { "wait", "sent", 2 },
  } },
  { name = "close in the callback of send", steps = {
    { "new", "a", "udp4" }, { "a", "send", "x", 9, LO, cb("sent", { "a", "close" }) }, { "wait", "a close" },
  } },
  { name = "close with two callbacks of earlier listeners", steps = {
    { "new", "a", "udp4" }, { "a", "once", "close", cb "once" }, { "a", "close", cb "closed" }, { "wait", "closed" },
  } },
  { name = "bind to a descriptor that is no socket", steps = {
    { "new", "a", "udp4" }, { "a", "bind", { fd = 1 } }, { "settle" },
  } },
  { name = "methods after close", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "a", "close" },
    { "wait", "a close" },
    { "a", "send", "x", 9, LO }, { "a", "sendto", "x", 0, 1, 9, LO }, { "a", "setMulticastInterface", LO },
    { "a", "addMembership", "239.255.77.1", LO }, { "a", "dropMembership", "239.255.77.1", LO },
    { "a", "addSourceSpecificMembership", LO, "232.1.1.1", LO }, { "a", "remoteAddress" },
    { "a", "dropSourceSpecificMembership", LO, "232.1.1.1", LO }, { "a", "ref", show = true },
    { "a", "unref", show = true }, { "a", "on", "x", cb "x", show = true }, { "a", "emit", "x", 1, show = true },
  } },
  { name = "ref and unref return the socket, at any time", steps = {
    { "new", "a", "udp4" }, { "a", "unref", show = true }, { "a", "ref", show = true }, { "a", "bind", 0, LO },
    { "a", "unref", show = true }, { "a", "unref", show = true }, { "a", "ref", show = true },
    { "wait", "a listening" },
  } },
  { name = "a listener that raises does not stop the socket", steps = {
    { "new", "a", "udp4", on = { message = { { "raise", "boom" } } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" },
    { "a", "send", "one", port "a", LO }, { "wait", "uncaught" }, { "a", "send", "two", port "a", LO },
    { "wait", "uncaught", 2 },
  } },
  { name = "listeners of listening, close and send that raise", steps = {
    { "new", "a", "udp4", on = { listening = { { "raise", "one" } }, close = { { "raise", "three" } } } },
    { "a", "bind", 0, LO }, { "wait", "uncaught" }, { "a", "send", "x", 9, LO, cb("sent", { "raise", "two" }) },
    { "wait", "uncaught", 2 }, { "a", "close" }, { "wait", "uncaught", 3 },
  } },
  { name = "a signal closes", steps = {
    { "new", "signal", kind = "signal" }, { "new", "a", { type = "udp4", signal = words.made "signal" } },
    { "a", "bind", 0, LO }, { "wait", "a listening" }, { "abort", "signal" }, { "a", "address" },
    { "wait", "a close" },
    { "abort", "signal" },
  } },
  { name = "a signal after close", steps = {
    { "new", "signal", kind = "signal" }, { "new", "a", { type = "udp4", signal = words.made "signal" } },
    { "a", "close" }, { "abort", "signal" }, { "wait", "a close" }, { "abort", "signal" },
  } },
  { name = "a signal that had come before", steps = {
    { "new", "signal", kind = "signal", aborted = true },
    { "new", "a", { type = "udp4", signal = words.made "signal" } },
    { "wait", "a close" },
  } },
  { name = "a signal that is none", steps = {
    { "new", "a", { type = "udp4", signal = 1 } }, { "new", "b", { type = "udp4", signal = "x" } },
    { "new", "c", { type = "udp4", signal = { "x" } } },
  } },
  { name = "a look-up for bind, and one for send", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, "name" },
    { "wait", "a listening" }, { "a", "send", "x", port "a", "name", cb "sent" }, { "wait", "sent" },
    { "wait", "a message" },
  } },
  { name = "a look-up for bind that fails, and another bind", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { fails = "ENOPE" } } },
    { "a", "bind", 0, "name", cb "bound" },
    { "wait", "a error" },
  } },
  { name = "a look-up for send that fails", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { fails = "ENOPE" } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" }, { "a", "send", "x", 9, "name", cb "sent" }, { "wait", "sent" },
    { "a", "send", "x", 9, "name" },
    { "wait", "a error" },
  } },
  { name = "a look-up for connect", steps = beside(
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" },
    { "a", "connect", port "first", "name", cb "connected" }, { "a", "connect", port "first", "name" },
    { "a", "remoteAddress" }, { "a", "send", "x" }, { "wait", "connected" }, { "a", "remoteAddress", show = true }
  ) },
  { name = "a look-up for connect that fails", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { fails = "ENOPE" } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" }, { "a", "connect", 9, "name", cb "connected" }, { "wait", "connected" },
    { "a", "connect", 9, "name" }, { "wait", "a error" },
  } },
  { name = "close during a look-up for connect", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" },
    { "a", "connect", 9, "name", cb "connected" }, { "a", "close" }, { "wait", "a close" }, { "settle", 10 },
  } },
  { name = "close during a look-up for bind", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, "name", cb "bound" },
    { "a", "close" }, { "wait", "a close" }, { "settle", 10 },
  } },
}
