-- SPDX-License-Identifier: MIT
-- Cases in which dgram differs from Node on purpose. `differs` names the difference as the table in docs/from-node.md does, where
-- the reasons are; `node` and `here` are what only Node and what only dgram does. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local cb, cb_all, port, rep = words.cb, words.cb_all, words.port, words.rep
local NIL, NAN, HUGE = words.NIL, words.NAN, words.HUGE

local LO, GROUP = "127.0.0.1", "239.255.77.1"

local function bound(...)
  return { { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, ... }
end

local function two(...)
  return bound({ "new", "b", "udp4" }, { "b", "bind", 0, LO }, { "wait", "b listening" }, ...)
end

-- Calls of one method on a bound socket.
local function calls(method, list)
  local steps = bound()
  for _, arguments in ipairs(list) do
    local step = { "a", method }
    for _, value in ipairs(arguments) do step[#step + 1] = value end
    steps[#steps + 1] = step
  end
  return steps
end

-- The steps, after a socket that may not send to 127.0.0.2.
local function blocking(options, ...)
  options.type, options.sendBlockList = "udp4", words.made "list"
  return {
    { "new", "list", kind = "blocklist" }, { "list", "addAddress", "127.0.0.2" }, { "new", "a", options },
    { "a", "bind", 0, LO }, { "wait", "a listening" }, ...
  }
end

return {
  { differs = "literal addresses bind at once", name = "address right after bind", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "a", "address", show = true }, { "wait", "a listening" },
  }, node = { "a.address raised Error EBADF getsockname" },
  here = { "a.address = {address='127.0.0.1', family='IPv4', port=<a>}" } },
  { differs = "literal addresses bind at once", name = "remoteAddress right after connect", steps = two(
    { "b", "connect", port "a", LO }, { "b", "remoteAddress", show = true }, { "b", "send", "x", cb "sent" },
    { "wait", "b connect" }, { "settle" }
  ), node = {
    "b.remoteAddress raised Error ERR_SOCKET_DGRAM_NOT_CONNECTED", "b.send raised RangeError ERR_SOCKET_BAD_PORT",
  }, here = {
    "b.remoteAddress = {address='127.0.0.1', family='IPv4', port=<a>}", "b.send", "sent(nothing, 1)",
    "a message 'x', {address='127.0.0.1', family='IPv4', port=<b>, size=1}",
  } },
  { differs = "options work before bind", name = "options before bind", steps = {
    { "new", "a", "udp4" }, { "a", "setTTL", 5, show = true }, { "a", "setBroadcast", true },
    { "a", "setMulticastTTL", 5, show = true }, { "a", "setMulticastLoopback", true, show = true },
    { "a", "setMulticastInterface", LO }, { "a", "setRecvBufferSize", 20000 },
    { "a", "getRecvBufferSize", show = true },
  }, node = {
    "a.setTTL raised Error EBADF setTTL", "a.setBroadcast raised Error EBADF setBroadcast",
    "a.setMulticastTTL raised Error EBADF setMulticastTTL",
    "a.setMulticastLoopback raised Error EBADF setMulticastLoopback",
    "a.setMulticastInterface raised Error EBADF setMulticastInterface",
    "a.setRecvBufferSize raised SystemError ERR_SOCKET_BUFFER_SIZE",
    "a.getRecvBufferSize raised SystemError ERR_SOCKET_BUFFER_SIZE",
  }, here = {
    "a.setTTL = 5", "a.setBroadcast", "a.setMulticastTTL = 5", "a.setMulticastLoopback = true",
    "a.setMulticastInterface", "a.setRecvBufferSize", "a.getRecvBufferSize = 40000",
  } },
  { differs = "a closed socket says so", name = "options after close", steps = bound(
    { "a", "close" }, { "wait", "a close" }, { "a", "setTTL", 1 }, { "a", "setBroadcast", true },
    { "a", "setMulticastTTL", 1 },
    { "a", "setMulticastLoopback", true }, { "a", "getRecvBufferSize" }, { "a", "setSendBufferSize", 20000 },
    { "a", "disconnect" }, { "a", "getSendQueueSize", show = true }, { "a", "getSendQueueCount", show = true },
    { "a", "connect", 9, LO }
  ), node = {
    "a.setTTL raised TypeError without a code", "a.setBroadcast raised TypeError without a code",
    "a.setMulticastTTL raised TypeError without a code", "a.setMulticastLoopback raised TypeError without a code",
    "a.getRecvBufferSize raised TypeError without a code", "a.setSendBufferSize raised TypeError without a code",
    "a.disconnect raised Error ERR_SOCKET_DGRAM_NOT_CONNECTED", "a.getSendQueueSize raised TypeError without a code",
    "a.getSendQueueCount raised TypeError without a code", "a.connect raised TypeError without a code",
  }, here = {
    "a.setTTL raised Error ERR_SOCKET_DGRAM_NOT_RUNNING", "a.setBroadcast raised Error ERR_SOCKET_DGRAM_NOT_RUNNING",
    "a.setMulticastTTL raised Error ERR_SOCKET_DGRAM_NOT_RUNNING",
    "a.setMulticastLoopback raised Error ERR_SOCKET_DGRAM_NOT_RUNNING",
    "a.getRecvBufferSize raised Error ERR_SOCKET_DGRAM_NOT_RUNNING",
    "a.setSendBufferSize raised Error ERR_SOCKET_DGRAM_NOT_RUNNING",
    "a.disconnect raised Error ERR_SOCKET_DGRAM_NOT_RUNNING", "a.getSendQueueSize = 0", "a.getSendQueueCount = 0",
    "a.connect raised Error ERR_SOCKET_DGRAM_NOT_RUNNING",
  } },
  { differs = "what send accepted goes out", name = "send, and close in the same tick", steps = two(
    { "b", "send", "last words", port "a", LO, cb "sent" }, { "b", "close" }, { "wait", "b close" }, { "settle", 10 }
  ), here = {
    "sent(nothing, 10)", "a message 'last words', {address='127.0.0.1', family='IPv4', port=<b>, size=10}",
  } },
  { differs = "what send accepted goes out", name = "send to a name, and close in the same tick", steps = {
    { "new", "b", { type = "udp4", lookup = words.lookup { answer = LO } } },
    { "new", "a", "udp4" }, { "a", "bind", 0, LO }, { "wait", "a listening" }, { "b", "bind", 0, LO },
    { "wait", "b listening" },
    { "b", "send", "last words", port "a", "name", cb "sent" }, { "b", "close" }, { "wait", "b close" },
    { "settle", 10 },
  }, here = {
    "sent(nothing, 10)", "a message 'last words', {address='127.0.0.1', family='IPv4', port=<b>, size=10}",
  } },
  { differs = "a failed send is heard of", name = "EMSGSIZE to the error event", steps = two(
    { "b", "send", rep("x", 65508), port "a", LO }, { "settle", 10 }
  ), here = { "b error Error EMSGSIZE send 127.0.0.1 <a>" } },
  { differs = "a failed send is heard of", name = "EMSGSIZE to nobody", steps = {
    { "new", "a", "udp4", bare = true }, { "a", "bind", 0, LO, cb "bound" }, { "wait", "bound" },
    { "a", "send", rep("x", 65508), 9, LO }, { "settle", 10 }, { "a", "address", show = true },
  }, here = { "uncaught Error EMSGSIZE send 127.0.0.1 9" } },
  { differs = "a failed send is heard of", name = "close in the error event of a send", steps = {
    { "new", "a", "udp4", on = { error = { { "a", "close" } } } }, { "a", "bind", 0, LO }, { "wait", "a listening" },
    { "a", "send", rep("x", 65508), 9, LO }, { "a", "send", rep("x", 65509), 9, LO, cb "second" },
    { "wait", "second" },
    { "settle", 10 },
  }, here = { "a error Error EMSGSIZE send 127.0.0.1 9", "a.close", "a close" } },
  { differs = "a failed bind leaves no address", name = "address after a failed bind", steps = bound(
    { "new", "b", "udp4" }, { "b", "bind", port "a", LO }, { "wait", "b error" }, { "b", "address", show = true }
  ), node = { "b.address = {address='0.0.0.0', family='IPv4', port=<b>}" },
  here = { "b.address raised Error EBADF getsockname" } },
  { differs = "a wrong peer binds nothing", name = "connect to an IPv6 address from unbound udp4", steps = {
    { "new", "a", "udp4" }, { "a", "connect", 9, "::1", cb "refused" }, { "wait", "refused" }, { "settle" },
    { "a", "address" },
  }, node = { "a listening", "a.address" }, here = { "a.address raised Error EBADF getsockname" } },
  { differs = "a wrong peer binds nothing", name = "connectSync to an IPv6 address from unbound udp4", steps = {
    { "new", "a", "udp4" }, { "a", "connectSync", 9, "::1" }, { "a", "remoteAddress" }, { "settle" },
    { "a", "address" },
  }, node = { "a listening", "a.address" }, here = { "a.address raised Error EBADF getsockname" } },
  { differs = "a wrong peer binds nothing", name = "sendBlockList: connectSync of an unbound socket", steps = {
    { "new", "list", kind = "blocklist" }, { "list", "addAddress", "127.0.0.2" },
    { "new", "a", { type = "udp4", sendBlockList = words.made "list" } }, { "a", "connectSync", 9, "127.0.0.2" },
    { "a", "remoteAddress" }, { "settle" }, { "a", "address" },
  }, node = { "a.connectSync raised Error ERR_IP_BLOCKED", "a listening", "a.address" },
  here = { "a.connectSync raised Error ERR_IP_BLOCKED 127.0.0.2 9", "a.address raised Error EBADF getsockname" } },
  { differs = "blocked addresses are named", name = "sendBlockList: send", steps = blocking({},
    { "a", "send", "x", 9, "127.0.0.2", cb "sent" }, { "a", "sendto", "x", 0, 1, 9, "127.0.0.2", cb "sent" },
    { "wait", "sent", 2 }
  ), node = { "sent(Error ERR_IP_BLOCKED)", "sent(Error ERR_IP_BLOCKED)" },
  here = { "sent(Error ERR_IP_BLOCKED 127.0.0.2 9)", "sent(Error ERR_IP_BLOCKED 127.0.0.2 9)" } },
  { differs = "blocked addresses are named", name = "sendBlockList: send without a callback", steps = blocking({},
    { "a", "send", "x", 9, "127.0.0.2" }, { "settle" }
  ), here = { "a error Error ERR_IP_BLOCKED 127.0.0.2 9" } },
  { differs = "blocked addresses are named", name = "sendBlockList: connect", steps = blocking({},
    { "a", "connect", 9, "127.0.0.2", cb "connected" }, { "wait", "connected" }, { "a", "remoteAddress" },
    { "a", "connect", 9, "127.0.0.2" }, { "wait", "a error" }, { "a", "connectSync", 9, "127.0.0.2" },
    { "a", "connect", 9, LO }, { "wait", "a connect" }
  ), node = {
    "connected(Error ERR_IP_BLOCKED)", "a error Error ERR_IP_BLOCKED", "a.connectSync raised Error ERR_IP_BLOCKED",
  }, here = {
    "connected(Error ERR_IP_BLOCKED 127.0.0.2 9)", "a error Error ERR_IP_BLOCKED 127.0.0.2 9",
    "a.connectSync raised Error ERR_IP_BLOCKED 127.0.0.2 9",
  } },
  { differs = "blocked addresses are named", name = "sendBlockList: what a name stands for", steps = blocking(
    { lookup = words.lookup { answer = "127.0.0.2" } },
    { "a", "send", "x", 9, "name", cb "sent" }, { "wait", "sent" }, { "a", "connect", 9, "name", cb "connected" },
    { "wait", "connected" }
  ), node = { "sent(Error ERR_IP_BLOCKED)", "connected(Error ERR_IP_BLOCKED)" },
  here = { "sent(Error ERR_IP_BLOCKED 127.0.0.2 9)", "connected(Error ERR_IP_BLOCKED 127.0.0.2 9)" } },
  { differs = "ipv6Only and udp4", name = "ipv6Only and udp4", steps = {
    { "new", "a", { type = "udp4", ipv6Only = true } }, { "a", "bind", 0, LO }, { "settle" },
  }, node = { "a error Error EINVAL bind 127.0.0.1" }, here = { "a listening" } },
  { differs = "bindSync takes what bind takes", name = "bindSync of a descriptor that is no socket", steps = {
    { "new", "a", "udp4" }, { "a", "bindSync", { fd = 1 } }, { "settle" },
  }, node = { "a.bindSync", "a listening" }, here = { "a.bindSync raised TypeError ERR_INVALID_FD_TYPE" } },
  { differs = "messages wait for a listener", name = "a message before its listener", steps = {
    { "new", "a", "udp4", without = { "message" } }, { "new", "b", "udp4" }, { "a", "bind", 0, LO },
    { "wait", "a listening" },
    { "b", "send", "early", port "a", LO, cb "sent" }, { "wait", "sent" }, { "settle", 10 },
    { "a", "on", "message", cb "heard" }, { "settle", 10 },
  }, here = { "heard('early', {address='127.0.0.1', family='IPv4', port=<b>, size=5})" } },
  { differs = "joining binds", name = "memberships: an unbound socket is bound", needs = "multicast4", steps = {
    { "new", "a", "udp4" }, { "a", "addMembership", GROUP, LO }, { "settle", 10 }, { "a", "bind", 0 }, { "settle" },
  }, node = { "a.bind", "a error Error EINVAL bind 0.0.0.0" },
  here = { "a listening", "a.bind raised Error ERR_SOCKET_ALREADY_BOUND" } },
  { differs = "joining binds", name = "memberships: bind after the join", needs = "multicast4", steps = {
    { "new", "a", "udp4" }, { "a", "addMembership", GROUP, LO }, { "a", "bind", 0 }, { "settle", 10 },
  }, node = { "a error Error EINVAL bind 0.0.0.0" }, here = { "a listening" } },
  { differs = "udp6 sends to IPv4", name = "udp6 sends to an IPv4 address", needs = "ipv6", steps = {
    { "new", "a", "udp6" }, { "a", "bind" }, { "wait", "a listening" }, { "a", "send", "x", port "a", LO, cb "sent" },
    { "wait", "sent" }, { "settle", 10 },
  }, node = { "sent(Error EINVAL send 127.0.0.1 <a>)" }, here = {
    "sent(nothing, 1)", "a message 'x', {address='::ffff:127.0.0.1', family='IPv6', port=<a>, size=1}",
  } },
  { differs = "the queue is what waits", name = "the send queue right after two sends", steps = bound(
    { "a", "send", "first", 9, LO }, { "a", "send", "12345", 9, LO }, { "a", "getSendQueueSize", show = true },
    { "a", "getSendQueueCount", show = true }
  ), node = { "a.getSendQueueSize = 0", "a.getSendQueueCount = 0" },
  here = { "a.getSendQueueSize = 5", "a.getSendQueueCount = 1" } },
  { differs = "options hold for what follows", name = "an option that is set after a send", steps = bound(
    { "a", "setBroadcast", true }, { "a", "send", "x", 9, "127.255.255.255", cb "sent" },
    { "a", "setBroadcast", false },
    { "wait", "sent" }
  ), node = { "sent(Error EACCES send 127.255.255.255 9)" }, here = { "sent(nothing, 1)" } },
  { differs = "strangers after connect", name = "what others sent before connect", steps = two(
    { "new", "c", "udp4" }, { "c", "bind", 0, LO }, { "wait", "c listening" },
    { "b", "send", "1", port "a", LO }, { "a", "connect", port "c", LO }, { "wait", "a connect" }, { "settle", 10 }
  ), node = { "a message '1', {address='127.0.0.1', family='IPv4', port=<b>, size=1}" }, here = {} },
  { differs = "send returns whether to go on", name = "what send returns", steps = bound(
    { "a", "send", "x", 9, LO, show = true }, { "a", "sendto", "x", 0, 1, 9, LO, show = true }
  ), node = { "a.send = nothing", "a.sendto = nothing" }, here = { "a.send = true", "a.sendto = true" } },
  { differs = "the length beside an error", name = "a callback of send gets the length beside an error", steps = bound(
    { "a", "send", rep("x", 65508), 9, LO, cb_all "sent" }, { "wait", "sent" }
  ), node = { "sent(Error EMSGSIZE send 127.0.0.1 9)" }, here = { "sent(Error EMSGSIZE send 127.0.0.1 9, 65508)" } },
  { differs = "connected errors name the peer", name = "connected: EMSGSIZE", steps = two(
    { "b", "connect", port "a", LO }, { "wait", "b connect" }, { "b", "send", rep("x", 65508), cb "sent" },
    { "wait", "sent" }
  ), node = { "sent(Error EMSGSIZE send)" }, here = { "sent(Error EMSGSIZE send 127.0.0.1 <a>)" } },
  { differs = "connected errors name the peer", name = "connected: nobody at that port", steps = two(
    { "b", "connect", port "a", LO }, { "wait", "b connect" }, { "a", "close" }, { "wait", "a close" },
    { "b", "send", "x", cb "sent" }, { "wait", "b error" }, { "settle", 10 }
  ), node = { "b error Error ECONNREFUSED recvmsg" }, here = { "b error Error ECONNREFUSED recvmsg 127.0.0.1 <a>" } },
  { differs = "ports are numbers", name = "ports that are strings", steps = two(
    { "b", "send", "x", "9", LO }, { "b", "send", "x", "0x9", LO }, { "b", "connect", "9", LO }
  ), node = { "b.send", "b.send", "b.connect", "b connect" }, here = {
    "b.send raised RangeError ERR_SOCKET_BAD_PORT", "b.send raised RangeError ERR_SOCKET_BAD_PORT",
    "b.connect raised RangeError ERR_SOCKET_BAD_PORT",
  } },
  { differs = "ports are numbers", name = "sendto without a port", steps = bound({ "a", "sendto", "x", 0, 1, NIL, LO }),
    node = { "a.sendto raised TypeError ERR_INVALID_ARG_TYPE" },
    here = { "a.sendto raised RangeError ERR_SOCKET_BAD_PORT" } },
  { differs = "ports are numbers", name = "bind: bad ports", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 65536, LO }, { "settle" },
    { "new", "b", "udp4" }, { "b", "bind", "x", LO }, { "settle" }, { "new", "c", "udp4" }, { "c", "bind", "0", LO },
    { "settle" },
  }, node = { "a.bind", "a listening", "b.bind", "b listening", "c.bind", "c listening" }, here = {
    "a.bind raised RangeError ERR_SOCKET_BAD_PORT", "b.bind raised RangeError ERR_SOCKET_BAD_PORT",
    "c.bind raised RangeError ERR_SOCKET_BAD_PORT",
  } },
  { differs = "addresses are not empty", name = "empty addresses", steps = {
    { "new", "a", "udp4" }, { "a", "bind", 0, "" }, { "settle" }, { "a", "send", "x", 9, "", cb "sent" },
    { "settle" },
    { "a", "connect", 9, "" }, { "settle" },
  }, node = { "a.bind", "a listening", "a.send", "sent(nothing, 1)", "a.connect", "a connect" }, here = {
    "a.bind raised TypeError ERR_INVALID_ARG_VALUE", "a.send raised TypeError ERR_INVALID_ARG_VALUE",
    "a.connect raised TypeError ERR_INVALID_ARG_VALUE",
  } },
  { differs = "arguments are checked", name = "callbacks that are none", steps = bound(
    { "a", "send", "x", 0, 1, 9, LO, "callback" }, { "a", "connect", 9, LO, 1 }, { "new", "b", "udp4" },
    { "b", "bind", 0, LO, 1 },
    { "new", "c", "udp4", 1 }, { "b", "close", 1 }, { "settle" }
  ), node = { "a.send", "b.bind", "new c", "b.close", "b close" }, here = {
    "a.send raised TypeError ERR_INVALID_ARG_TYPE", "b.bind raised TypeError ERR_INVALID_ARG_TYPE",
    "new c raised TypeError ERR_INVALID_ARG_TYPE", "b.close raised TypeError ERR_INVALID_ARG_TYPE",
  } },
  { differs = "arguments are checked", name = "too many arguments", steps = bound(
    { "a", "address", 1 }, { "a", "setTTL", 1, 2 }, { "a", "sendto", "x", 0, 1, 9, LO, cb "sent", 1 },
    { "a", "close", NIL, 1 },
    { "settle" }
  ), node = { "a.address", "a.setTTL", "a.sendto", "a.close", "a close" }, here = {
    "a.address raised TypeError ERR_INVALID_ARG_VALUE", "a.setTTL raised TypeError ERR_INVALID_ARG_VALUE",
    "a.sendto raised TypeError ERR_INVALID_ARG_VALUE", "a.close raised TypeError ERR_INVALID_ARG_VALUE",
  } },
  { differs = "arguments are checked", name = "unknown options", steps = {
    { "new", "a", { type = "udp4", colour = "red" } }, { "new", "b", "udp4" },
    { "b", "bind", { port = 0, colour = "red" } },
    { "settle" },
  }, node = { "new a", "b.bind", "b listening" }, here = {
    "new a raised TypeError ERR_INVALID_ARG_VALUE", "b.bind raised TypeError ERR_INVALID_ARG_VALUE",
  } },
  { differs = "arguments are checked", name = "flags that are no booleans", steps = bound(
    { "a", "setBroadcast", 1 }, { "a", "setBroadcast", "no" }, { "a", "setMulticastLoopback", 0, show = true },
    { "a", "setBroadcast" }, { "new", "b", { type = "udp4", reuseAddr = 1 } }
  ), node = {
    "a.setBroadcast", "a.setBroadcast", "a.setMulticastLoopback = 0", "a.setBroadcast", "new b",
  }, here = {
    "a.setBroadcast raised TypeError ERR_INVALID_ARG_TYPE", "a.setBroadcast raised TypeError ERR_INVALID_ARG_TYPE",
    "a.setMulticastLoopback raised TypeError ERR_INVALID_ARG_TYPE",
    "a.setBroadcast raised TypeError ERR_INVALID_ARG_TYPE", "new b raised TypeError ERR_INVALID_ARG_TYPE",
  } },
  { differs = "arguments are checked", name = "descriptors that are none", steps = {
    { "new", "a", "udp4" }, { "a", "bind", { fd = -1 } }, { "settle" }, { "new", "b", "udp4" },
    { "b", "bind", { fd = "x" } },
    { "settle" }, { "new", "c", "udp4" }, { "c", "bind", { fd = 1.5 } }, { "settle" },
    { "new", "d", "udp4" }, { "d", "bind", { fd = 987654 } }, { "settle" },
  }, node = {
    "a.bind", "a listening", "b.bind", "b listening", "c.bind", "c listening",
    "d.bind raised TypeError ERR_INVALID_FD_TYPE",
  }, here = {
    "a.bind raised Error EBADF bind", "b.bind raised TypeError ERR_INVALID_ARG_TYPE",
    "c.bind raised TypeError ERR_INVALID_ARG_TYPE", "d.bind raised Error EBADF bind",
  } },
  { differs = "byte counts are whole numbers", name = "offsets and lengths", steps = calls("send", {
    { "abc", -1, 1, 9, LO }, { "abc", 0, -1, 9, LO }, { "abc", 0.5, 1, 9, LO }, { "abc", 0, NAN, 9, LO },
    { "abc", 0, HUGE, 9, LO },
    { "abc", "0", 1, 9, LO },
  }), node = {
    "a.send raised RangeError ERR_BUFFER_OUT_OF_BOUNDS", "a.send raised RangeError ERR_BUFFER_OUT_OF_BOUNDS",
    "a.send", "a.send", "a.send", "a.send",
  }, here = {
    "a.send raised RangeError ERR_OUT_OF_RANGE", "a.send raised RangeError ERR_OUT_OF_RANGE",
    "a.send raised RangeError ERR_OUT_OF_RANGE", "a.send raised RangeError ERR_OUT_OF_RANGE",
    "a.send raised RangeError ERR_OUT_OF_RANGE", "a.send raised TypeError ERR_INVALID_ARG_TYPE",
  } },
  { differs = "hops are checked", name = "setTTL out of range", steps = calls("setTTL", {
    { 0 }, { 256 }, { -1 }, { 1.5 }, { NAN },
  }), node = {
    "a.setTTL raised Error EINVAL setTTL", "a.setTTL raised Error EINVAL setTTL",
    "a.setTTL raised Error EINVAL setTTL", "a.setTTL", "a.setTTL raised Error EINVAL setTTL",
  }, here = {
    "a.setTTL raised RangeError ERR_OUT_OF_RANGE", "a.setTTL raised RangeError ERR_OUT_OF_RANGE",
    "a.setTTL raised RangeError ERR_OUT_OF_RANGE", "a.setTTL raised RangeError ERR_OUT_OF_RANGE",
    "a.setTTL raised RangeError ERR_OUT_OF_RANGE",
  } },
  { differs = "hops are checked", name = "setMulticastTTL out of range", steps = calls("setMulticastTTL",
    { { 256 }, { -1 }, { 0.5 } }), node = {
    "a.setMulticastTTL raised Error EINVAL setMulticastTTL", "a.setMulticastTTL raised Error EINVAL setMulticastTTL",
    "a.setMulticastTTL",
  }, here = {
    "a.setMulticastTTL raised RangeError ERR_OUT_OF_RANGE", "a.setMulticastTTL raised RangeError ERR_OUT_OF_RANGE",
    "a.setMulticastTTL raised RangeError ERR_OUT_OF_RANGE",
  } },
  { differs = "buffer sizes", name = "a receive buffer of nothing", steps = bound(
    { "a", "setRecvBufferSize", 20000 }, { "a", "setRecvBufferSize", 0 }, { "a", "getRecvBufferSize", show = true }
  ), node = { "a.getRecvBufferSize = 40000" }, here = { "a.getRecvBufferSize = 2304" } },
  { differs = "names of errors", name = "a buffer size that the system refuses", steps = calls("setSendBufferSize", {
    { 2147483648 }, { 4294967295 },
  }), node = {
    "a.setSendBufferSize raised SystemError ERR_SOCKET_BUFFER_SIZE",
    "a.setSendBufferSize raised SystemError ERR_SOCKET_BUFFER_SIZE",
  }, here = {
    "a.setSendBufferSize raised Error ERR_SOCKET_BUFFER_SIZE",
    "a.setSendBufferSize raised Error ERR_SOCKET_BUFFER_SIZE",
  } },
  { differs = "memberships", name = "source-specific memberships: what is missing", steps = bound(
    { "a", "addSourceSpecificMembership" }, { "a", "addSourceSpecificMembership", LO },
    { "a", "dropSourceSpecificMembership" },
    { "a", "dropSourceSpecificMembership", LO }
  ), node = {
    "a.addSourceSpecificMembership raised TypeError ERR_INVALID_ARG_TYPE",
    "a.addSourceSpecificMembership raised TypeError ERR_INVALID_ARG_TYPE",
    "a.dropSourceSpecificMembership raised TypeError ERR_INVALID_ARG_TYPE",
    "a.dropSourceSpecificMembership raised TypeError ERR_INVALID_ARG_TYPE",
  }, here = {
    "a.addSourceSpecificMembership raised TypeError ERR_MISSING_ARGS",
    "a.addSourceSpecificMembership raised TypeError ERR_MISSING_ARGS",
    "a.dropSourceSpecificMembership raised TypeError ERR_MISSING_ARGS",
    "a.dropSourceSpecificMembership raised TypeError ERR_MISSING_ARGS",
  } },
  { differs = "memberships", name = "a group of the other family", steps = calls("addMembership",
    { { "ff02::1" } }), node = { "a.addMembership raised Error ENOPROTOOPT addMembership" },
    here = { "a.addMembership raised Error EINVAL addMembership" } },
  { differs = "memberships", name = "interfaces by name", needs = "loopback_name", steps = bound(
    { "a", "addMembership", GROUP, "lo" }, { "a", "setMulticastInterface", "lo" }
  ), node = {
    "a.addMembership raised Error EINVAL addMembership",
    "a.setMulticastInterface raised Error EINVAL setMulticastInterface",
  }, here = { "a.addMembership", "a.setMulticastInterface" } },
  { differs = "memberships", name = "interfaces by an address of the other family", needs = "ipv6", steps = bound(
    { "a", "setMulticastInterface", "::1" }
  ), node = { "a.setMulticastInterface raised Error ENOPROTOOPT setMulticastInterface" },
  here = { "a.setMulticastInterface" } },
  { differs = "look-ups", name = "addresses are not looked up", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO, literals = true } } }, { "a", "bind", 0, LO },
    { "wait", "a listening" }, { "a", "send", "x", 9, LO, cb "sent" }, { "wait", "sent" },
  }, node = { "lookup '127.0.0.1'", "lookup '127.0.0.1'" } },
  { differs = "nothing comes before the call has returned", name = "a look-up that answers at once", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO, now = true } } }, { "a", "bind", 0, "name" },
    { "wait", "a listening" }, { "settle" },
  }, reordered = true },
  { differs = "look-ups", name = "look-ups of one name at one time are one", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = LO } } }, { "a", "bind", 0 },
    { "wait", "a listening" }, { "a", "send", "1", 9, "name", cb "first" },
    { "a", "send", "2", 9, "name", cb "second" },
    { "wait", "second" },
  }, node = { "lookup 'name'" } },
  { differs = "look-ups", name = "a look-up that answers with no address", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { answer = "nonsense" } } }, { "a", "bind", 0, "name" },
    { "wait", "a error" },
    { "new", "b", { type = "udp4", lookup = words.lookup { answer = "nonsense" } } }, { "b", "bind", 0, LO },
    { "wait", "b listening" },
    { "b", "send", "x", 9, "name", cb "sent" }, { "wait", "sent" },
  }, node = { "a error Error EINVAL bind nonsense", "sent(Error EINVAL send name 9)" },
  here = { "a error TypeError ERR_INVALID_IP_ADDRESS name", "sent(TypeError ERR_INVALID_IP_ADDRESS name)" } },
  { differs = "look-ups", name = "a look-up that raises", steps = {
    { "new", "a", { type = "udp4", lookup = words.lookup { raises = "boom" } } }, { "a", "bind", 0, "name" },
    { "settle" },
  }, node = { "a.bind raised Error boom" }, here = { "a.bind", "a error 'boom'" } },
  { differs = "lists of rules are taken whole", name = "a wrong entry among others", steps = {
    { "new", "list", kind = "blocklist" },
    { "list", "addCIDRs", { "10.0.0.0/8", "11.0.0.0/33" } }, { "list", "size", get = true, show = true },
    { "list", "fromJSON", { "Address: IPv4 1.1.1.1", "Address: IPv4 1.1.1.300" } },
    { "list", "rules", get = true, show = true },
  }, node = { "list.size = 1", "list.rules = ['Address: IPv4 1.1.1.1', 'Subnet: IPv4 10.0.0.0/8']" },
  here = { "list.size = 0", "list.rules = []" } },
  { differs = "texts of rules", name = "texts of rules: numbers, and JSON", steps = {
    { "new", "list", kind = "blocklist" },
    { "list", "fromJSON", { "Subnet: IPv4 1.1.1.1/100" } }, { "list", "fromJSON", { "Address: IPv4 1.1.1.1000" } },
    { "list", "fromJSON", '["Address: IPv4 2.2.2.2"]' }, { "list", "size", get = true, show = true },
  }, node = { "list.fromJSON", "list.fromJSON", "list.fromJSON", "list.size = 3" }, here = {
    "list.fromJSON raised RangeError ERR_OUT_OF_RANGE", "list.fromJSON raised Error ERR_INVALID_ADDRESS",
    "list.fromJSON raised TypeError ERR_INVALID_ARG_TYPE", "list.size = 0",
  } },
  { differs = "IPv6 ranges have IPv4 addresses", name = "an IPv6 range around the mapped addresses", steps = {
    { "new", "list", kind = "blocklist" }, { "list", "addRange", "::", "ffff::", "ipv6" },
    { "list", "check", "192.0.2.1", show = true }, { "list", "check", "::ffff:192.0.2.1", "ipv6", show = true },
  }, node = { "list.check = false" }, here = { "list.check = true" } },
  { differs = "error values stay what they are", name = "an error event without a listener", steps = {
    { "new", "e", kind = "emitter" }, { "e", "emit", "error" }, { "e", "emit", "error", "boom" },
  }, node = { "e.emit raised Error ERR_UNHANDLED_ERROR" }, here = { "e.emit raised Error boom" } },
  { differs = "what emitters lack", name = "methods that only Node's emitters have", steps = {
    { "new", "e", kind = "emitter" }, { "e", "setMaxListeners", 1 }, { "e", "getMaxListeners" },
    { "e", "rawListeners", "x" },
  }, node = { "e.setMaxListeners", "e.getMaxListeners", "e.rawListeners" },
  here = { "e has no setMaxListeners", "e has no getMaxListeners", "e has no rawListeners" } },
  { differs = "what emitters lack", name = "events about listeners", steps = {
    { "new", "e", kind = "emitter" }, { "e", "on", "newListener", cb "added" }, { "e", "on", "x", cb "x" },
  }, node = { "added('x', function)" } },
}
