-- SPDX-License-Identifier: MIT
-- Cases for Node and dgram: createSocket, options, memberships, block lists. The notation: spec/support/node_driver.lua

local words = require "spec.support.node_words"
local NIL, NAN, HUGE = words.NIL, words.NAN, words.HUGE

local LO, GROUP = "127.0.0.1", "239.255.77.1"

-- Calls on a bound socket, each {method, arguments...}; `show` logs their results.
local function calls(name, list, show)
  local steps = { { "new", "a", "udp4" }, { "a", "bind", 0 }, { "wait", "a listening" } }
  for _, one in ipairs(list) do
    local step = { "a", show = show }
    for _, value in ipairs(one) do step[#step + 1] = value end
    steps[#steps + 1] = step
  end
  return { name = name, steps = steps }
end

local function on_list(name, list, show)
  local steps = { { "new", "list", kind = "blocklist" } }
  for _, one in ipairs(list) do
    local step = { "list", show = show, get = one.get }
    for _, value in ipairs(one) do step[#step + 1] = value end
    steps[#steps + 1] = step
  end
  return { name = name, steps = steps }
end

-- Calls on a list, each of which tells what the list has then.
local function on_new_list(name, list) return on_list(name, list, true) end

local function created(name, list)
  local steps = {}
  for _, one in ipairs(list) do
    local step = { "new", "a" }
    for _, value in ipairs(one) do step[#step + 1] = value end
    steps[#steps + 1] = step
  end
  return { name = name, steps = steps }
end

return {
  created("createSocket: bad types", {
    { "udp5" }, { "UDP4" }, { "" }, {}, { 4 }, { true }, { NIL }, { {} }, { { type = "udp5" } }, { { type = 4 } },
  }),
  created("createSocket: good types", { { "udp4" }, { { type = "udp4" } }, { { type = "udp4", reuseAddr = true } } }),
  created("createSocket: a bad lookup",
    { { { type = "udp4", lookup = "x" } }, { { type = "udp4", lookup = { "x" } } } }),
  { name = "the callback of createSocket listens for messages", steps = {
    { "new", "a", "udp4", words.cb "heard", without = { "message" } }, { "a", "bind", 0, LO },
    { "wait", "a listening" },
    { "a", "send", "x", words.port "a", LO }, { "wait", "heard" },
  } },
  calls("setTTL", {
    { "setTTL", 1 }, { "setTTL", 255 }, { "setTTL", 64 }, { "setTTL", "x" }, { "setTTL", NIL }, { "setTTL", true },
    { "setTTL", { 1 } },
  }, true),
  calls("setMulticastTTL", {
    { "setMulticastTTL", 0 }, { "setMulticastTTL", 1 }, { "setMulticastTTL", 255 },
    { "setMulticastTTL", "x" }, { "setMulticastTTL", NIL },
  }, true),
  calls("flags", {
    { "setBroadcast", true }, { "setBroadcast", false }, { "setMulticastLoopback", true },
    { "setMulticastLoopback", false },
  }, true),
  calls("setMulticastInterface", {
    { "setMulticastInterface", LO }, { "setMulticastInterface", "0.0.0.0" },
    { "setMulticastInterface", "203.0.113.7" },
    { "setMulticastInterface", "not an address" }, { "setMulticastInterface", 1 }, { "setMulticastInterface", NIL },
  }, true),
  calls("buffer sizes", {
    { "setRecvBufferSize", 20000 }, { "getRecvBufferSize" }, { "setSendBufferSize", 20000 }, { "getSendBufferSize" },
  }, true),
  calls("buffer sizes: bad ones", {
    { "setRecvBufferSize", -1 }, { "setRecvBufferSize", "x" }, { "setRecvBufferSize", NIL },
    { "setRecvBufferSize", 1.5 },
    { "setRecvBufferSize", NAN }, { "setRecvBufferSize", HUGE }, { "setSendBufferSize", -1 },
    { "setSendBufferSize", {} },
    { "setSendBufferSize", 4294967296 },
  }, true),
  { name = "buffer sizes as options", steps = {
    { "new", "a", { type = "udp4", recvBufferSize = 20000, sendBufferSize = 30000 } }, { "a", "bind", 0, LO },
    { "wait", "a listening" }, { "a", "getRecvBufferSize", show = true }, { "a", "getSendBufferSize", show = true },
  } },
  calls("the send queue of a socket that has sent nothing", {
    { "getSendQueueSize" }, { "getSendQueueCount" },
  }, true),
  calls("memberships: what is missing or wrong", {
    { "addMembership" }, { "addMembership", NIL, LO }, { "addMembership", "" }, { "dropMembership" },
    { "addMembership", "not an address" }, { "addMembership", "127.0.0.1", LO }, { "dropMembership", "x" },
    { "addSourceSpecificMembership", 1, "232.1.1.1" }, { "addSourceSpecificMembership", LO, 1 },
    { "dropSourceSpecificMembership", 1, "232.1.1.1" }, { "addSourceSpecificMembership", "x", "232.1.1.1" },
    { "addMembership", GROUP, "not an interface" },
  }, true),
  (function()
    local case = calls("memberships: join twice, leave twice", {
      { "addMembership", GROUP, LO }, { "addMembership", GROUP, LO }, { "dropMembership", GROUP, LO },
      { "dropMembership", GROUP, LO },
    }, true)
    case.needs = "multicast4"
    return case
  end)(),
  { name = "multicast to itself", needs = "multicast4", steps = {
    { "new", "a", { type = "udp4", reuseAddr = true } }, { "a", "bind", 0, "0.0.0.0" }, { "wait", "a listening" },
    { "a", "addMembership", GROUP, LO }, { "a", "setMulticastInterface", LO },
    { "a", "send", "hello", words.port "a", GROUP, words.cb "sent" }, { "wait", "a message" }, { "wait", "sent" },
    { "a", "setMulticastLoopback", false }, { "a", "send", "unheard", words.port "a", GROUP, words.cb "sent" },
    { "wait", "sent", 2 }, { "settle", 10 },
  } },
  on_list("block list: addresses", {
    { "addAddress", "192.0.2.1" }, { "addAddress", "2001:db8::1", "ipv6" }, { "check", "192.0.2.1" },
    { "check", "192.0.2.2" }, { "check", "2001:db8::1", "ipv6" }, { "check", "2001:db8::2", "ipv6" },
    { "check", "2001:0db8:0::0:1", "ipv6" }, { "rules", get = true },
  }, true),
  on_list("block list: ranges and subnets", {
    { "addRange", "10.0.0.5", "10.0.0.9" }, { "addSubnet", "172.16.0.0", 12 },
    { "addSubnet", "2001:db8::", 64, "ipv6" },
    { "check", "10.0.0.4" }, { "check", "10.0.0.5" }, { "check", "10.0.0.9" }, { "check", "10.0.0.10" },
    { "check", "172.31.255.255" }, { "check", "172.32.0.0" }, { "check", "2001:db8::ffff", "ipv6" },
    { "check", "2001:db8:0:1::", "ipv6" }, { "rules", get = true },
  }, true),
  on_list("block list: IPv4 in IPv6", {
    { "addAddress", "192.0.2.1" }, { "check", "::ffff:192.0.2.1", "ipv6" }, { "check", "::ffff:c000:201", "ipv6" },
    { "check", "::ffff:192.0.2.2", "ipv6" },
  }, true),
  on_list("block list: arguments", {
    { "addAddress" }, { "addAddress", 1 }, { "addAddress", "x" }, { "addAddress", "::1" },
    { "addAddress", "192.0.2.1", "ipv6" }, { "addAddress", "192.0.2.1", "ipv5" }, { "addAddress", "192.0.2.1", 4 },
    { "addRange", "10.0.0.9", "10.0.0.5" }, { "addRange", "10.0.0.9" }, { "addRange", 1, 2 },
    { "addSubnet", "10.0.0.0" }, { "addSubnet", "10.0.0.0", 33 }, { "addSubnet", "10.0.0.0", -1 },
    { "addSubnet", "10.0.0.0", "8" }, { "addSubnet", "::", 129, "ipv6" }, { "addSubnet", "x", 8 },
    { "addSubnet", "10.0.0.0", 1.5 }, { "check" }, { "check", 1 }, { "check", "x" }, { "check", "192.0.2.1", "ipv5" },
    { "check", "::1" }, { "rules", get = true },
  }, true),
  on_new_list("block list: order, equal rules, size", {
    { "addAddress", "192.0.2.1" }, { "addRange", "10.0.0.5", "10.0.0.9" }, { "addSubnet", "10.1.2.3", 8 },
    { "addAddress", "192.0.2.2" }, { "addRange", "10.0.0.5", "10.0.0.9" }, { "addSubnet", "10.1.2.3", 8 },
    { "addAddress", "192.0.2.1" }, { "rules", get = true }, { "size", get = true },
    { "addAddress", "::ffff:192.0.2.1", "IPv6" }, { "rules", get = true }, { "size", get = true },
    { "addAddresses", { "192.0.2.3", "192.0.2.4", "192.0.2.3" } }, -- more addresses are in no order there
    { "addCIDRs", { "11.0.0.0/8", "2001:db8::/32", "11.0.0.0/8" } }, { "addCIDR", "0.0.0.0/0" },
    { "rules", get = true }, { "size", get = true }, { "toJSON" }, { "check", "192.0.2.1", "nonsense" },
    { "check", "::1", "nonsense" }, { "clear" }, { "rules", get = true }, { "size", get = true },
    { "addAddresses", { "::2" }, "ipv6" }, { "check", "::2", "ipv6" }, { "check", "::2", "nonsense" },
    { "addAddresses", {} }, { "addCIDRs", {} }, { "size", get = true },
  }),
  on_new_list("block list: what is taken away", {
    { "addAddress", "192.0.2.1" }, { "addRange", "192.0.2.1", "192.0.2.1" }, { "addSubnet", "192.0.2.1", 32 },
    { "addSubnet", "10.1.2.3", 8 }, { "addSubnet", "11.0.0.0", 8 }, { "addSubnet", "10.1.2.3", 8 },
    { "addRange", "10.0.0.5", "10.0.0.9" },
    { "removeAddress", "192.0.2.2" }, { "removeSubnet", "10.0.0.0", 8 }, { "removeSubnet", "10.1.2.3", 9 },
    { "removeSubnet", "::ffff:10.1.2.3", 104, "ipv6" }, { "removeRange", "10.0.0.6", "10.0.0.8" },
    { "removeRange", "10.0.0.9", "10.0.0.5" }, { "removeRange", "::ffff:10.0.0.5", "::ffff:10.0.0.9", "ipv6" },
    { "removeCIDR", "10.0.0.0/8" }, { "rules", get = true },
    { "removeSubnet", "10.1.2.3", 8 }, { "rules", get = true }, { "removeCIDR", "10.1.2.3/8" }, { "rules", get = true },
    { "removeAddress", "::ffff:192.0.2.1", "ipv6" }, { "check", "192.0.2.1" },
    { "removeRange", "192.0.2.1", "192.0.2.1" }, { "check", "192.0.2.1" }, { "removeSubnet", "192.0.2.1", 32 },
    { "check", "192.0.2.1" }, { "rules", get = true },
  }),
  on_new_list("block list: texts of rules", {
    { "fromJSON", { "Address: IPv4 192.0.2.1", "x", "Subnet: IPv6 2001:DB8::/032", "Range: IPv4 10.0.0.5-10.0.0.9" } },
    { "rules", get = true },
    { "fromJSON", { "(Address: IPv4 192.0.2.3.)", "address: IPv4 192.0.2.4", "ADDRESS: IPv6 ::A", "Address: ipv6 ::1",
      "Subnet: IPv4 1.1.1.1/-1", "Address: IPv4 2.2.2.2 Subnet: IPv4 1.1.1.1/08", "Range: IPv4 1.1.1.1 - 1.1.1.5",
      "Address: IPv4 x Address: IPv6 ::2", "Address: IPv6 fe80::1%lo", "Address: IPv4 1.2.3", "Address: IPv6 zz" } },
    { "size", get = true }, { "check", "::a", "ipv6" }, { "check", "::2", "ipv6" }, { "check", "fe80::1", "ipv6" },
    { "check", "192.0.2.3" }, { "check", "192.0.2.4" }, { "check", "1.9.9.9" }, { "check", "2.2.2.2" },
    { "fromJSON", { "Address: IPv4 256.0.0.1" } }, { "fromJSON", { "Subnet: IPv4 1.1.1.1/33" } },
    { "fromJSON", { "Range: IPv4 1.1.1.5-1.1.1.1" } }, { "fromJSON", { "Address: IPv6 a" } },
    { "fromJSON", { "x", 1 } }, { "fromJSON", 1 }, { "fromJSON", { x = "y" } }, { "fromJSON" }, { "size", get = true },
  }),
  on_new_list("block list: more arguments", {
    { "addAddresses" }, { "addAddresses", "192.0.2.1" }, { "addAddresses", { x = "y" } }, { "addAddresses", { 1 } },
    { "addAddresses", { "192.0.2.1", "x" } }, { "addAddresses", { "192.0.2.1" }, "ipv5" },
    { "addAddresses", { "192.0.2.1" }, 4 }, { "addAddresses", { 1 }, "ipv5" },
    { "addCIDR" }, { "addCIDR", 1 }, { "addCIDR", "10.0.0.0" }, { "addCIDR", "10.0.0.0/" }, { "addCIDR", "10.0.0.0/x" },
    { "addCIDR", "10.0.0.0/08" }, { "addCIDR", "10.0.0.0/-1" }, { "addCIDR", "10.0.0.0/-0" },
    { "addCIDR", "10.0.0.0/33" }, { "addCIDR", "::/129" }, { "addCIDR", "x/8" }, { "addCIDR", "10.0.0.0/8/8" },
    { "addCIDR", "x/33" }, { "addCIDR", "10.0.0.0/99999999999" }, { "addCIDR", "10.0.0.0/ 8" },
    { "addCIDRs" }, { "addCIDRs", "10.0.0.0/8" }, { "addCIDRs", { 1 } }, { "addCIDRs", { "10.0.0.0/8", "x" } },
    { "removeAddress" }, { "removeAddress", "x" }, { "removeAddress", "192.0.2.1", "ipv5" }, { "removeAddress", 1, 1 },
    { "removeRange", "10.0.0.1" }, { "removeRange", "x", 1 }, { "removeRange", "10.0.0.1", "x" },
    { "removeSubnet", "10.0.0.0" }, { "removeSubnet", "10.0.0.0", 33 }, { "removeSubnet", "10.0.0.0", "8" },
    { "removeSubnet", "x", "8" }, { "removeSubnet", "10.0.0.0", 1.5 },
    { "removeCIDR" }, { "removeCIDR", "10.0.0.0" }, { "removeCIDR", "10.0.0.0/33" }, { "removeCIDR", "x/8" },
    { "addAddress", "fe80::1%lo", "ipv6" }, { "check", "fe80::1", "ipv6" }, { "rules", get = true },
  }),
}
