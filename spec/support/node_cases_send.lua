-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: send and sendto. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, port, rep, NIL, NAN, HUGE = words.cb, words.port, words.rep, words.NIL, words.NAN, words.HUGE

local LO = "127.0.0.1"

-- The steps, after two sockets that have addresses, of which `a` receives.
local function two(...)
  return {
    { "new", "a", "udp4" }, { "new", "b", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" },
    { "b", "bind", 0, LO }, { "wait", "b listening" }, ...
  }
end

-- Calls of one method that raise, on a bound socket.
local function refused(name, method, calls)
  local steps = { { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" } }
  for _, arguments in ipairs(calls) do
    local step = { "a", method }
    for _, value in ipairs(arguments) do step[#step + 1] = value end
    steps[#steps + 1] = step
  end
  return { name = name, steps = steps }
end

return {
  { name = "send: the callback, and the message", steps = two(
    { "b", "send", "hello", port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send without an address goes to this machine", steps = two(
    { "b", "send", "hello", port "a", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send with nil for the address", steps = two(
    { "b", "send", "hello", port "a", NIL, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send without a callback", steps = two(
    { "b", "send", "hello", port "a", LO }, { "wait", "a message" }
  ) },
  { name = "send of an empty message", steps = two(
    { "b", "send", "", port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send of a list", steps = two(
    { "b", "send", { "one", "", "two" }, port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send of an empty list", steps = two(
    { "b", "send", {}, port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send of a part", steps = two(
    { "b", "send", "one two three", 4, 3, port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send of a part, without an address", steps = two(
    { "b", "send", "one two three", 8, 5, port "a", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "send of a part that is nothing", steps = two(
    { "b", "send", "one", 3, 0, port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "sendto", steps = two(
    { "b", "sendto", "one two", 4, 3, port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "sendto of everything", steps = two(
    { "b", "sendto", "one two", 0, 7, port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "messages of one tick keep their order", steps = two(
    { "b", "send", "1", port "a", LO, cb "first" }, { "b", "send", "2", port "a", LO, cb "second" },
    { "b", "send", "3", port "a", LO, cb "third" }, { "wait", "a message", 3 }, { "wait", "third" }
  ) },
  { name = "an answer", steps = {
    { "new", "a", "udp4", on = { message = { { "a", "send", "answer", port "b", LO, cb "answered" } } } },
    { "new", "b", "udp4" }, { "a", "bind", 0, LO }, { "b", "bind", 0, LO }, { "wait", "a listening" },
    { "wait", "b listening" }, { "b", "send", "question", port "a", LO }, { "wait", "b message" },
    { "wait", "answered" },
  } },
  { name = "send binds", steps = {
    { "new", "a", "udp4" }, { "a", "send", "x", 9, LO, cb "sent" }, { "wait", "sent" }, { "wait", "a listening" },
    { "a", "bind", 0, LO },
  } },
  { name = "sends before listening all go out", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "new", "b", "udp4" },
    { "b", "send", "1", port "a", LO, cb "first" }, { "b", "send", "2", port "a", LO, cb "second" },
    { "wait", "a message", 2 }, { "wait", "second" },
  } },
  { name = "send, then bind", steps = {
    { "new", "a", "udp4" }, { "a", "send", "x", 9, LO, cb "sent" }, { "a", "bind", 0, LO }, { "wait", "sent" },
  } },
  { name = "bind, then send, in one tick", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO, cb "bound" }, { "a", "send", "x", 9, LO, cb "sent" },
    { "wait", "sent" },
  } },
  { name = "send in listening", steps = {
    { "new", "a", "udp4", on = { listening = { { "a", "send", "x", port "a", LO, cb "sent" } } } },
    { "a", "bind", 0, LO }, { "wait", "a message" }, { "wait", "sent" },
  } },
  { name = "send in the callback of send", steps = two(
    { "b", "send", "1", port "a", LO, cb("first", { "b", "send", "2", port "a", LO, cb "second" }) },
    { "wait", "a message", 2 }, { "wait", "second" }
  ), apart = true },
  { name = "send in close, and in the callback of close", steps = {
    { "new", "a", "udp4", on = { close = { { "a", "send", "x", 9, LO, cb "sent" } } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" }, { "a", "close", cb("closed", { "a", "send", "x", 9 }) }, { "wait", "closed" },
  } },
  { name = "send after close, in the same tick", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "a", "close" },
    { "a", "send", "x", 9, LO, cb "sent" }, { "wait", "a close" },
  } },
  { name = "send to an IPv6 address from udp4", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" },
    { "a", "send", "x", 9, "::1", cb "sent" }, { "wait", "sent" },
  } },
  { name = "udp6: send and message", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "new", "b", "udp6" }, { "a", "bind", 0, "::1" }, { "b", "bind", 0, "::1" },
    { "wait", "a listening" }, { "wait", "b listening" }, { "b", "send", "hello", port "a", "::1", cb "sent" },
    { "wait", "a message" }, { "b", "send", "again", port "a", cb "sent" }, { "wait", "a message", 2 },
    { "wait", "sent", 2 },
  } },
  { name = "EMSGSIZE to the callback", steps = two(
    { "b", "send", rep("x", 65508), port "a", LO, cb "sent" }, { "wait", "sent" }
  ) },
  { name = "EMSGSIZE between two that can go", steps = two(
    { "b", "send", "1", port "a", LO, cb "first" }, { "b", "send", rep("x", 70000), port "a", LO, cb "second" },
    { "b", "send", "3", port "a", LO, cb "third" }, { "wait", "a message", 2 }, { "wait", "third" }
  ) },
  { name = "the largest datagram", steps = two(
    { "b", "send", rep("x", 65507), port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }
  ) },
  { name = "close in the callback of a send that failed", steps = two(
    { "b", "send", rep("x", 65508), port "a", LO, cb("sent", { "b", "close" }) }, { "wait", "b close" }
  ) },
  { name = "broadcast without leave", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0 }, { "wait", "a listening" },
    { "a", "send", "x", 9, "127.255.255.255", cb "sent" }, { "wait", "sent" }, { "a", "setBroadcast", true },
    { "a", "send", "x", 9, "127.255.255.255", cb "allowed" }, { "wait", "allowed" },
  } },
  refused("send: bad ports", "send", {
    { "x", 0, LO }, { "x", -1, LO }, { "x", 65536, LO }, { "x", NAN, LO }, { "x", HUGE, LO }, { "x", 1.5, LO },
    { "x", "p", LO },
    { "x", true, LO }, { "x", { "p" }, LO }, { "x", NIL, LO }, { "x" }, { "x", NIL }, { "x", 0 }, { "x", "" },
  }),
  refused("send: bad messages", "send", {
    { NIL, 9, LO }, { 42, 9, LO }, { true, 9, LO }, { { 42 }, 9, LO }, { { "x", false }, 9, LO },
    { { "x", { "y" } }, 9, LO }, {},
  }),
  refused("send: bad addresses", "send", {
    { "x", 9, 1 }, { "x", 9, true }, { "x", 9, { "a" } }, { "x", 0, 1, 9, true }, { "x", 0, 1, 9, { "a" } },
  }),
  refused("send: parts beyond the message", "send", {
    { "abc", 4, 0, 9, LO }, { "abc", 0, 4, 9, LO }, { "abc", 3, 1, 9, LO }, { "", 0, 1, 9, LO },
  }),
  refused("sendto: what is missing", "sendto", {
    { "x", NIL, 1, 9, LO }, { "x", 0, NIL, 9, LO }, { "x", 0, 1, 9 }, { "x", "0", 1, 9, LO }, { "x", 0, 1, 0, LO },
    { "x", 0, 1, 9, 1 }, { "x", 0, 2, 9, LO }, { "x", 2, 0, 9, LO },
  }),
  { name = "a refused send binds nothing", steps = {
    { "new", "a", "udp4" }, { "a", "send", "x", 0 }, { "a", "send", 42, 9 }, { "settle" }, { "a", "address" },
  } },
}
