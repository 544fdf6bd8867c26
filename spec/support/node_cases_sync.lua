-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: bindSync and connectSync. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, port, NIL = words.cb, words.port, words.NIL

local LO = "127.0.0.1"
local at_lo = { address = LO }

-- The steps, after a socket `a` that has an address.
local function beside(...)
  return { { "new", "a", "udp4" }, { "a", "bindSync", at_lo }, { "wait", "a listening" }, ... }
end

-- The same, with an unbound socket `b`.
local function two(...) return beside({ "new", "b", "udp4" }, ...) end

return {
  { name = "bindSync returns the address, and listening comes later", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", { port = 0, address = LO }, show = true }, { "say", "bound" },
    { "a", "address", show = true }, { "wait", "a listening" },
  } },
  { name = "bindSync without options, and with none in them", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", show = true }, { "wait", "a listening" },
    { "new", "b", "udp4" }, { "b", "bindSync", { exclusive = true }, show = true }, { "wait", "b listening" },
  } },
  { name = "bindSync of udp6", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bindSync", show = true }, { "wait", "a listening" },
    { "new", "b", "udp6" }, { "b", "bindSync", { address = "::1" }, show = true }, { "wait", "b listening" },
    { "new", "c", "udp6" }, { "c", "bindSync", { address = "localhost" } },
  } },
  { name = "bindSync: a name leaves the socket unbound", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", { address = "localhost" } }, { "a", "bindSync", { address = "1.2.3" } },
    { "a", "address" }, { "a", "bindSync", at_lo, show = true }, { "wait", "a listening" },
  } },
  { name = "bindSync: options that are none", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", 0 }, { "a", "bindSync", "x" }, { "a", "bindSync", true },
    { "a", "bindSync", cb "x" }, { "settle" },
  } },
  { name = "bindSync: bad ports and addresses", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", { port = -1 } }, { "a", "bindSync", { port = 65536 } },
    { "a", "bindSync", { port = "x" } }, { "a", "bindSync", { port = 1.5 } }, { "a", "bindSync", { port = true } },
    { "a", "bindSync", { address = 1 } }, { "a", "bindSync", { address = true } }, { "settle" },
    { "a", "bindSync", show = true }, { "wait", "a listening" },
  } },
  { name = "bindSync of udp4 to an IPv6 address, and to an address of elsewhere", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", { address = "::1" } }, { "a", "bindSync", { address = "203.0.113.1" } },
    { "a", "bindSync", { address = "203.0.113.1", port = 9 } }, { "settle" }, { "a", "bindSync", at_lo },
    { "wait", "a listening" },
  } },
  { name = "bindSync to a taken address, and then to another", steps = two(
    { "b", "bindSync", { address = LO, port = port "a" } }, { "b", "bindSync", at_lo, show = true },
    { "wait", "b listening" }
  ) },
  { name = "bindSync twice, and bind after it, whatever the arguments", steps = beside(
    { "a", "bindSync" }, { "a", "bindSync", { port = -1 } }, { "a", "bindSync", { address = "localhost" } },
    { "a", "bind" }, { "a", "bind", 0, 1 }, { "settle" }
  ) },
  { name = "bindSync after bind", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "a", "bindSync" }, { "wait", "a listening" }, { "a", "bindSync" },
  } },
  { name = "bindSync while a bind waits for a name", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, "name" },
    { "a", "bindSync" }, { "wait", "a listening" },
  } },
  { name = "bindSync after close", steps = {
    { "new", "a", "udp4" }, { "a", "close" }, { "a", "bindSync" }, { "a", "bindSync", 1 }, { "wait", "a close" },
    { "a", "bindSync" },
  } },
  { name = "close after bindSync", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync" }, { "a", "close" }, { "wait", "a close" }, { "settle" },
  } },
  { name = "bindSync in the error of a bind", steps = beside(
    { "new", "b", "udp4", on = { error = { { "b", "bindSync", at_lo } } } }, { "b", "bind", port "a", LO },
    { "wait", "b listening" }, { "b", "address", show = true }
  ) },
  { name = "bindSync: messages come", steps = {
    { "new", "a", "udp4" }, { "new", "b", "udp4" }, { "a", "bindSync", at_lo }, { "b", "bindSync", at_lo },
    { "wait", "b listening" }, { "wait", "a listening" },
    { "b", "send", "x", port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" },
  }, apart = true },
  { name = "bindSync with reuseAddr", steps = {
    { "new", "a", { type = "udp4", reuseAddr = true } }, { "a", "bindSync", at_lo }, { "wait", "a listening" },
    { "new", "b", { type = "udp4", reuseAddr = true } }, { "b", "bindSync", { address = LO, port = port "a" } },
    { "wait", "b listening" },
  } },
  { name = "connectSync: remoteAddress at once, events later", steps = two(
    { "b", "bindSync", at_lo }, { "wait", "b listening" },
    { "b", "connectSync", port "a", LO, show = true }, { "say", "connected" }, { "b", "remoteAddress", show = true },
    { "wait", "b connect" }, { "b", "send", "x", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "connectSync binds first", steps = two(
    { "b", "connectSync", port "a" }, { "b", "remoteAddress", show = true }, { "b", "bind" }, { "b", "bindSync" },
    { "wait", "b connect" }, { "settle" }
  ) },
  { name = "connectSync: a message from the peer, none from others", steps = two(
    { "new", "c", "udp4" }, { "c", "bindSync", at_lo }, { "wait", "c listening" },
    { "b", "bindSync", at_lo }, { "wait", "b listening" }, { "b", "connectSync", port "a", LO },
    { "wait", "b connect" },
    { "c", "send", "stranger", port "b", LO, cb "sent" }, { "wait", "sent" }, { "a", "send", "peer", port "b", LO },
    { "wait", "b message" }, { "settle" }
  ) },
  { name = "connectSync of udp6", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bindSync", { address = "::1" } }, { "wait", "a listening" }, { "new", "b", "udp6" },
    { "b", "connectSync", port "a" }, { "b", "remoteAddress", show = true }, { "wait", "b connect" },
  } },
  { name = "connectSync: bad ports and addresses", steps = two(
    { "b", "connectSync" }, { "b", "connectSync", 0 }, { "b", "connectSync", -1 }, { "b", "connectSync", 65536 },
    { "b", "connectSync", "x" }, { "b", "connectSync", 1.5 }, { "b", "connectSync", NIL, LO },
    { "b", "connectSync", 9, 1 }, { "b", "connectSync", 9, true }, { "b", "connectSync", 9, cb "x" }, { "settle" },
    { "b", "address" }
  ) },
  { name = "connectSync: a name leaves the socket unbound", steps = two(
    { "b", "connectSync", 9, "localhost" }, { "b", "connectSync", 9, "1.2.3" }, { "b", "address" },
    { "b", "remoteAddress" }, { "settle" }, { "b", "connectSync", port "a", LO }, { "wait", "b connect" }
  ) },
  { name = "connectSync twice, and connect after it, whatever the address", steps = two(
    { "b", "connectSync", port "a", LO }, { "b", "connectSync", port "a", LO }, { "b", "connectSync", port "a", 1 },
    { "b", "connectSync", port "a", "localhost" }, { "b", "connectSync", 0 }, { "b", "connect", port "a", LO },
    { "wait", "b connect" }
  ) },
  { name = "connectSync while a bind waits for a name", steps = two(
    { "new", "c", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "c", "bind", 0, "name" },
    { "c", "connectSync", 9, LO }, { "c", "connectSync", 9, "name" }, { "wait", "c listening" },
    { "c", "connectSync", port "a", LO }, { "wait", "c connect" }
  ) },
  { name = "connectSync while a connect waits for a name", steps = beside(
    { "new", "c", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "c", "bindSync", at_lo },
    { "wait", "c listening" }, { "c", "connect", port "a", "name", cb "connected" }, { "c", "connectSync", 9, LO },
    { "wait", "connected" }
  ) },
  { name = "connectSync of an unbound socket that the system refuses", steps = two(
    { "b", "connectSync", 9, "255.255.255.255" }, { "b", "remoteAddress" }, { "b", "bind" }, { "wait", "b listening" },
    { "b", "connectSync", port "a", LO }, { "wait", "b connect" }
  ) },
  { name = "connect of an unbound socket that the system refuses", steps = two(
    { "b", "connect", 9, "255.255.255.255", cb "refused" }, { "wait", "refused" }, { "b", "remoteAddress" },
    { "b", "bind" }, { "b", "connect", port "a", LO }, { "wait", "b connect" }
  ) },
  { name = "connectSync after close", steps = two(
    { "b", "close" }, { "b", "connectSync", 9, LO }, { "b", "connectSync", 0 }, { "wait", "b close" }
  ) },
  { name = "close after connectSync", steps = two(
    { "b", "connectSync", port "a", LO }, { "b", "close" }, { "wait", "b close" }, { "settle" }
  ) },
  { name = "disconnect after connectSync, before the event", steps = two(
    { "b", "bindSync", at_lo }, { "wait", "b listening" },
    { "b", "connectSync", port "a", LO }, { "b", "disconnect" }, { "b", "remoteAddress" }, { "wait", "b connect" },
    { "b", "connectSync", port "a", LO }, { "b", "remoteAddress", show = true }, { "wait", "b connect", 2 }
  ) },
}
