-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: udp6, the options that share or split a port, block lists of sockets, names, what the system
-- refuses. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, made, port, rep, NIL = words.cb, words.made, words.port, words.rep, words.NIL

local LO = "127.0.0.1"

-- The steps, after two sockets of a type that have addresses.
local function two(kind, address, ...)
  return {
    { "new", "a", kind }, { "new", "b", kind }, { "a", "bind", 0, address }, { "wait", "a listening" },
    { "b", "bind", 0, address }, { "wait", "b listening" }, ...
  }
end

local function two6(name, ...)
  return { name = name, needs = "ipv6", steps = two("udp6", "::1", ...) }
end

local function with_list(which, more)
  local options = { type = "udp4", [which] = made "list" }
  for key, value in pairs(more or {}) do options[key] = value end
  return options
end

local function bound(name, options, address)
  return { "new", name, options }, { name, "bind", 0, address or LO }, { "wait", name .. " listening" }
end

-- The lists of steps as one.
local function steps(...)
  local list = {}
  for _, each in ipairs { ... } do
    if type(each[1]) == "table" then
      for _, step in ipairs(each) do list[#list + 1] = step end
    else
      list[#list + 1] = each
    end
  end
  return list
end

return {
  two6("udp6: send, the callback, the message, and an answer",
    { "b", "send", "hello", port "a", "::1", cb "sent" }, { "wait", "a message" }, { "wait", "sent" },
    { "a", "send", { "hel", "lo" }, port "b", "::1", cb "answered" }, { "wait", "b message" }, { "wait", "answered" }),
  two6("udp6: send without an address goes to this machine",
    { "b", "send", "hello", port "a", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }),
  two6("udp6: connect, send, disconnect",
    { "b", "connect", port "a", "::1", cb "connected" }, { "wait", "connected" }, { "b", "remoteAddress", show = true },
    { "b", "send", "x", cb "sent" }, { "wait", "a message" }, { "wait", "sent" }, { "b", "disconnect", show = true },
    { "b", "remoteAddress" }),
  two6("udp6: connect without an address",
    { "b", "connect", port "a", cb "connected" }, { "wait", "connected" }, { "b", "remoteAddress", show = true }),
  two6("udp6: options", { "a", "setTTL", 5, show = true }, { "a", "setMulticastTTL", 5, show = true },
    { "a", "setMulticastLoopback", false, show = true }, { "a", "setBroadcast", true, show = true },
    { "a", "setRecvBufferSize", 20000, show = true }, { "a", "getRecvBufferSize", show = true },
    { "a", "setMulticastInterface", "not an address" }, { "a", "setMulticastInterface", 1 },
    { "a", "addMembership" }, { "a", "addMembership", "::1" }, { "a", "addMembership", "x" },
    { "a", "dropMembership", "ff02::7:8" }),
  two6("udp6: bind to a taken address", { "new", "c", "udp6" }, { "c", "bind", port "a", "::1" },
  { "wait", "c error" }),
  two6("udp6: too long a datagram", { "b", "send", rep("x", 65528), port "a", "::1", cb "sent" }, { "wait", "sent" }),
  { name = "udp6 with ipv6Only leaves the port to udp4", needs = "ipv6", steps = {
    { "new", "a", { type = "udp6", ipv6Only = true } }, { "a", "bind" }, { "wait", "a listening" },
    { "new", "b", "udp4" },
    { "b", "bind", port "a" }, { "wait", "b listening" },
  } },
  { name = "udp6 without ipv6Only takes the port of udp4, too", needs = "ipv6", steps = {
    { "new", "a", { type = "udp6", ipv6Only = false } }, { "a", "bind" }, { "wait", "a listening" },
    { "new", "b", "udp4" },
    { "b", "bind", port "a" }, { "wait", "b error" },
  } },
  { name = "udp6 receives from udp4", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bind" }, { "wait", "a listening" }, { "new", "b", "udp4" }, { "b", "bind", 0, LO },
    { "wait", "b listening" }, { "b", "send", "x", port "a", LO, cb "sent" }, { "wait", "a message" },
    { "wait", "sent" },
  } },
  { name = "both with reusePort", steps = steps({ bound("a", { type = "udp4", reusePort = true }) },
    { "new", "b", { type = "udp4", reusePort = true } }, { "b", "bind", port "a", LO }, { "wait", "b listening" },
    { "new", "c", { type = "udp4", reusePort = true } }, { "c", "bindSync", { port = port "a", address = LO } },
    { "wait", "c listening" }, { "new", "d", "udp4" }, { "d", "bind", port "a", LO }, { "wait", "d error" }) },
  { name = "reusePort of the second alone", steps = steps({ bound("a", "udp4") },
    { "new", "b", { type = "udp4", reusePort = true } }, { "b", "bind", port "a", LO }, { "wait", "b error" }) },
  { name = "reuseAddr of the second alone", steps = steps({ bound("a", "udp4") },
    { "new", "b", { type = "udp4", reuseAddr = true } }, { "b", "bind", port "a", LO }, { "wait", "b error" }) },
  { name = "reuseAddr and reusePort that are false", steps = steps({ bound("a", { type = "udp4", reuseAddr = false }) },
    { "new", "b", { type = "udp4", reusePort = false } }, { "b", "bind", port "a", LO }, { "wait", "b error" }) },

  { name = "options for block lists that are none", steps = {
    { "new", "a", { type = "udp4", receiveBlockList = 1 } }, { "new", "a", { type = "udp4", receiveBlockList = "x" } },
    { "new", "a", { type = "udp4", receiveBlockList = { "127.0.0.1" } } },
    { "new", "a", { type = "udp4", sendBlockList = 1 } }, { "new", "a", { type = "udp4", sendBlockList = true } },
  } },
  { name = "receiveBlockList: who is in it is not heard, others are", steps = steps(
    { { "new", "list", kind = "blocklist" }, { "list", "addAddress", "127.0.0.2" } },
    { bound("a", with_list "receiveBlockList", "0.0.0.0") }, { bound("b", "udp4", "127.0.0.2") },
    { bound("c", "udp4") },
    { "b", "send", "unheard", port "a", LO, cb "sent" }, { "wait", "sent" },
    { "c", "send", "heard", port "a", LO, cb "sent" }, { "wait", "a message" }, { "settle" }) },
  { name = "receiveBlockList: what is added later counts", steps = steps(
    { { "new", "list", kind = "blocklist" } },
    { bound("a", with_list "receiveBlockList") }, { bound("b", "udp4") },
    { "b", "send", "heard", port "a", LO }, { "wait", "a message" }, { "list", "addSubnet", "127.0.0.0", 8 },
    { "b", "send", "unheard", port "a", LO, cb "sent" }, { "wait", "sent" }, { "settle" }) },
  { name = "receiveBlockList: IPv4 senders of udp6", needs = "ipv6", steps = steps(
    { { "new", "list", kind = "blocklist" }, { "list", "addAddress", LO } },
    { "new", "a", { type = "udp6", receiveBlockList = made "list" } }, { "a", "bind" }, { "wait", "a listening" },
    { bound("b", "udp4") }, { "b", "send", "unheard", port "a", LO, cb "sent" }, { "wait", "sent" }, { "settle" }) },
  { name = "sendBlockList: others are reached", steps = steps(
    { { "new", "list", kind = "blocklist" }, { "list", "addAddress", "127.0.0.2" } },
    { bound("a", "udp4") }, { bound("b", with_list "sendBlockList") }, { "b", "send", "x", port "a", LO, cb "sent" },
    { "wait", "a message" }, { "wait", "sent" }) },
  { name = "sendBlockList: who is in it may be heard", steps = steps(
    { { "new", "list", kind = "blocklist" }, { "list", "addAddress", "127.0.0.2" } },
    { bound("a", with_list("sendBlockList"), "0.0.0.0") }, { bound("b", "udp4", "127.0.0.2") },
    { "b", "send", "x", port "a", LO, cb "sent" }, { "wait", "a message" }, { "wait", "sent" }) },

  { name = "names that the system knows", steps = steps(
    { "new", "a", "udp4" }, { "a", "bind", 0, "localhost" }, { "wait", "a listening" }, { "a", "address", show = true },
    { "new", "b", "udp4" }, { "b", "bind", 0, LO }, { "wait", "b listening" },
    { "b", "send", "x", port "a", "localhost", cb "sent" }, { "wait", "a message" }, { "wait", "sent" },
    { "b", "connect", port "a", "localhost", cb "connected" }, { "wait", "connected" },
    { "b", "remoteAddress", show = true }) },
  { name = "a broadcast without setBroadcast", steps = steps({ bound("a", "udp4", "0.0.0.0") },
    { "a", "send", "x", 9, "255.255.255.255", cb "sent" }, { "wait", "sent" },
    { "a", "connect", 9, "255.255.255.255", cb "connected" }, { "wait", "connected" },
    { "a", "connect", 9, "255.255.255.255" }, { "wait", "a error" }) },
  { name = "buffer sizes as options: bad ones", steps = {
    { "new", "a", { type = "udp4", recvBufferSize = "x" } }, { "new", "a", { type = "udp4", recvBufferSize = true } },
    { "new", "a", { type = "udp4", recvBufferSize = -1 } }, { "new", "a", { type = "udp4", recvBufferSize = 1.5 } },
    { "new", "a", { type = "udp4", recvBufferSize = words.HUGE } },
    { "new", "a", { type = "udp4", sendBufferSize = { 1 } } },
    { "new", "a", { type = "udp4", sendBufferSize = 4294967296 } },
    { "new", "a", { type = "udp4", sendBufferSize = "1" } },
  } },
  { name = "source-specific memberships: join twice, leave twice", needs = "multicast4", steps = steps(
    { bound("a", "udp4", "0.0.0.0") },
    { "a", "addSourceSpecificMembership", LO, "232.1.1.1", LO, show = true },
    { "a", "addSourceSpecificMembership", LO, "232.1.1.1", LO }, { "a", "addMembership", "232.1.1.1", LO },
    { "a", "dropSourceSpecificMembership", LO, "232.1.1.1", LO, show = true },
    { "a", "dropSourceSpecificMembership", LO, "232.1.1.1", LO }) },
  { name = "listeners that calls leave behind", steps = steps({ bound("first", "udp4") },
    { "new", "a", "udp4", bare = true }, { "a", "on", "error", cb "failed" },
    { "a", "bind", port "first", LO, cb "bound" }, { "wait", "failed" },
    { "a", "listenerCount", "listening", show = true },
    { "a", "bind", 0, LO, cb "bound" }, { "wait", "bound" }, { "a", "listenerCount", "listening", show = true },
    { "a", "connect", 9, "255.255.255.255", cb "refused" }, { "wait", "refused" },
    { "a", "listenerCount", "connect", show = true }, { "a", "connect", port "first", LO, cb "connected" },
    { "wait", "connected" }, { "a", "listenerCount", "connect", show = true }, { "a", "eventNames", show = true }) },
  { name = "connect and send while a bind waits", steps = steps({ bound("first", "udp4") },
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, "name", cb "bound" },
    { "a", "connect", port "first", LO, cb "connected" }, { "a", "connect", 9 }, { "a", "disconnect" },
    { "a", "remoteAddress" }, { "wait", "connected" }, { "a", "remoteAddress", show = true }) },
  { name = "sends while a bind waits", steps = steps({ bound("first", "udp4") },
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0, "name" },
    { "a", "send", "1", port "first", LO, cb "one" }, { "a", "send", "2", port "first", LO, cb "two" },
    { "wait", "two" }, { "wait", "first message", 2 }) },
  { name = "the callback of createSocket is a listener like others", steps = {
    { "new", "a", "udp4", cb "heard", bare = true }, { "a", "listenerCount", "message", show = true },
    { "a", "listeners", "message", show = true }, { "a", "removeAllListeners", "message", show = true },
    { "a", "listenerCount", "message", show = true },
  } },
  { name = "a signal that comes in listening", steps = {
    { "new", "signal", kind = "signal" },
    { "new", "a", { type = "udp4", signal = made "signal" }, on = { listening = { { "abort", "signal" } } } },
    { "a", "bind", 0, LO, cb "bound" }, { "wait", "a close" }, { "settle" },
  } },
  { name = "a signal between bindSync and listening", steps = {
    { "new", "signal", kind = "signal" }, { "new", "a", { type = "udp4", signal = made "signal" } },
    { "a", "bindSync" }, { "abort", "signal" }, { "wait", "a close" }, { "a", "send", "x", 9 },
  } },
  { name = "a signal with a socket of options that are wrong", steps = {
    { "new", "signal", kind = "signal", aborted = true }, { "new", "a", { type = "udp5", signal = made "signal" } },
    { "new", "b", { type = "udp4", signal = made "signal" } }, { "b", "bind" }, { "b", "close" }, { "wait", "b close" },
  } },
  { name = "send: what may be left out, with nil in its place", steps = steps({ bound("a", "udp4") },
    { "a", "send", "1", port "a", NIL, NIL }, { "wait", "a message" },
    { "a", "send", "two", 0, 3, port "a", NIL, cb "sent" },
    { "wait", "a message", 2 }, { "a", "sendto", "3", 0, 1, port "a", LO, NIL }, { "wait", "a message", 3 },
    { "wait", "sent" }) },
  { name = "send and sendto of an unbound socket bind it", steps = steps({ bound("a", "udp4") },
    { "new", "b", "udp4" }, { "b", "send", "x", port "a", LO, cb "sent" }, { "b", "bind" }, { "wait", "sent" },
    { "new", "c", "udp4" }, { "c", "sendto", "x", 0, 1, port "a", LO, cb "sent" }, { "wait", "sent", 2 },
    { "wait", "a message", 2 }) },
}
