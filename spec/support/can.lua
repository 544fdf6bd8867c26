-- SPDX-License-Identifier: MIT
-- What this machine can do. Each function returns true (or what it found), or nil and the reason.
-- A spec that needs something says so: need(pending, can.ipv6()).

local uv = require "luv"
local loop = require "spec.support.loop"

local can = {}

--- Ends the spec as pending, with the reason, where the capability is missing; otherwise returns it.
function can.need(pending, found, reason)
  if not found then pending(reason) end
  return found
end

function can.ipv6()
  local handle = uv.new_udp()
  local ok, err = handle:bind("::1", 0)
  handle:close()
  if ok then return true end
  return nil, "no IPv6 loopback: " .. tostring(err)
end

function can.program(name)
  for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    local path = folder .. "/" .. name
    if uv.fs_access(path, "X") then return path end
  end
  return nil, name .. " is not installed"
end

--- Whether this Lua finds a module.
function can.require(name)
  local found, reason = pcall(require, name)
  if found then return true end
  return nil, ("no module %s for %s: %s"):format(name, _VERSION, tostring(reason):match "[^\n]*")
end

function can.close_variables()
  local compile = rawget(_G, "loadstring") or load
  if compile "local x <close> = nil" then return true end
  return nil, _VERSION .. " has no to-be-closed variables"
end

--- Whether luv runs its loop inside of one of its callbacks: luv 1.50 and later refuse.
function can.nest()
  local timer, answer = uv.new_timer(), nil
  timer:start(0, 0, function()
    timer:close()
    answer = uv.run "nowait"
  end)
  uv.run()
  if answer ~= nil then return true end
  return nil, "this luv does not run its loop inside of a callback"
end

--- Whether Lua runs on this machine's own processor: an emulator has not all of the kernel's socket options, and takes memory.
function can.native()
  if not os.getenv "DGRAM_INTERPRETER" then return true end
  return nil, "an emulator runs Lua: it lacks socket options, and takes memory of its own"
end

function can.see_descriptors()
  if loop.descriptors() then return true end
  return nil, "the system does not show a process its descriptors"
end

--- A name that the resolver knows for the family ("inet" or "inet6").
function can.resolve_localhost(family)
  for _, name in ipairs { "localhost", "ip6-localhost", "ip6-loopback" } do
    local list = uv.getaddrinfo(name, nil, { family = family, socktype = "dgram" })
    local address = list and list[1] and list[1].addr
    if address == "127.0.0.1" or address == "::1" then return name, address end
  end
  return nil, "no name of the loopback address of " .. family
end

-- True when a datagram to the group, sent through the interface and never off this machine, comes back.
local function group_works(any, group, interface)
  local handle = uv.new_udp()
  local came = false
  local function try()
    assert(handle:bind(any, 0))
    assert(handle:set_membership(group, interface, "join"))
    assert(handle:set_multicast_interface(interface))
    assert(handle:set_multicast_ttl(0))
    assert(handle:try_send("probe", group, handle:getsockname().port))
    handle:recv_start(function(_, data) came = came or data == "probe" end)
    loop.wait(function() return came end, 0.2)
  end
  local ok = pcall(try)
  handle:close()
  loop.turn()
  return ok and came
end

--- The interface (an address) for IPv4 groups; with `outside`, one that is not the loopback interface.
function can.multicast4(outside)
  if not outside and group_works("0.0.0.0", "239.255.77.1", "127.0.0.1") then return "127.0.0.1" end
  for _, addresses in pairs(outside and uv.interface_addresses() or {}) do
    for _, address in ipairs(addresses) do
      local usable = address.family == "inet" and not address.internal
      if usable and group_works("0.0.0.0", "239.255.77.1", address.ip) then return address.ip end
    end
  end
  return nil, "no IPv4 multicast on the interfaces in question"
end

--- The zone (an interface's name) for IPv6 groups. Not every loopback interface has a route for them: another one
--- serves, with a hop limit of 0. With `outside`, only another one.
function can.multicast6(outside)
  local tried = {}
  for name, addresses in pairs(uv.interface_addresses()) do
    if not (outside and addresses[1].internal) then tried[#tried + 1] = name end
  end
  table.sort(tried, function(a, b) return (a == "lo" and "" or a) < (b == "lo" and "" or b) end)
  for _, name in ipairs(tried) do
    if group_works("::", "ff02::7:7", "::%" .. name) then return name end
  end
  return nil, "no IPv6 multicast on the interfaces in question"
end

return can
