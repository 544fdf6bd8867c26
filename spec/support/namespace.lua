-- SPDX-License-Identifier: MIT
-- Network namespaces of the specs' own: made with `ip`, removed after the spec, and programs that run inside of them.

local uv = require "luv"
local can = require "spec.support.can"
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local namespace = {}
namespace.__index = namespace

local made = 0
local alive = {}

-- Runs `ip` with the words of the line; returns what it printed, or nil and what is wrong.
local function try_ip(line)
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  local process = child.start(assert(can.program "ip"), words):wait()
  if process.status == 0 then return process.out end
  return nil, ("ip %s: %s"):format(line, (process.err:gsub("%s+$", "")))
end

local function run_ip(line)
  return assert(try_ip(line))
end

loop.leftover(function()
  for name in pairs(alive) do
    alive[name] = nil
    try_ip("netns del " .. name)
  end
end)

local verdict, reason

local function probe()
  if uv.os_uname().sysname ~= "Linux" then return nil, "only Linux has network namespaces" end
  if uv.getuid() ~= 0 then return nil, "network namespaces need root" end
  local tool, missing = can.program "ip"
  if not tool then return nil, missing end
  local name = ("dgram%d"):format(uv.os_getpid())
  local ok, err = try_ip("netns add " .. name)
  if not ok then return nil, err end
  -- a container may have the one without the other
  ok, err = try_ip(("netns exec %s %s -n %s link set lo up"):format(name, tool, name))
  if ok then ok, err = try_ip(("-n %s link add dgram0 type veth peer name dgram1"):format(name)) end
  try_ip("netns del " .. name)
  return ok and true, err
end

--- Whether namespaces and pairs of interfaces can be made here.
function namespace.possible()
  if verdict == nil then
    local ok, err = probe()
    verdict, reason = ok or false, err
  end
  return verdict or nil, reason
end

--- A namespace with its loopback interface up.
function namespace.new()
  made = made + 1
  local name = ("dgram%dn%d"):format(uv.os_getpid(), made)
  run_ip("netns add " .. name)
  alive[name] = true
  local self = setmetatable({ name = name }, namespace)
  self:ip "link set lo up"
  return self
end

--- Runs `ip` for the inside of the namespace.
function namespace:ip(line)
  return run_ip(("-n %s %s"):format(self.name, line))
end

-- Addresses are there at once: nobody is asked whether they are taken.
local function no_detection(space)
  local files = "for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done"
  child.start(assert(can.program "ip"), { "netns", "exec", space.name, "sh", "-c", files }):wait()
end

-- The link-layer address of one side of a link.
local function hardware(net, side)
  return ("02:00:00:00:%02x:%02x"):format(net, side)
end

-- The two sides of a link know each other: asking takes several tries, each a second later, where much else goes on.
local function introduce(space, interface, address, net, side)
  space:ip(("neigh replace %s lladdr %s dev %s nud permanent"):format(address, hardware(net, side), interface))
end

--- Two namespaces and a pair of interfaces between them. Each has fields: name, interface, ip4, ip6 (link-local).
function namespace.pair()
  local a, b = namespace.new(), namespace.new()
  run_ip(("link add dga address %s netns %s type veth peer name dgb address %s netns %s"):format(
    hardware(0, 1), a.name, hardware(0, 2), b.name))
  for i, space in ipairs { a, b } do
    no_detection(space)
    space.interface = i == 1 and "dga" or "dgb"
    space.ip4, space.ip6 = "10.77.0." .. i, "fe80::77:" .. i
    space:ip(("link set %s addrgenmode none"):format(space.interface))
    space:ip(("link set %s up"):format(space.interface))
  end
  for _, space in ipairs { a, b } do
    loop.wait(function() return space:ip("link show dev " .. space.interface):find "state UP" end, 10)
    space:ip(("addr add %s/24 brd 10.77.0.255 dev %s"):format(space.ip4, space.interface))
    space:ip(("addr add %s/64 dev %s nodad"):format(space.ip6, space.interface))
  end
  for side, ends in ipairs { { b, a }, { a, b } } do
    introduce(ends[1], ends[1].interface, ends[2].ip4, 0, side)
    introduce(ends[1], ends[1].interface, ends[2].ip6, 0, side)
  end
  return a, b
end

local function link(space, name, mtu, router, its_name, net)
  space:ip(("link add %s mtu %d address %s type veth peer name %s mtu %d address %s netns %s"):format(
    name, mtu, hardware(net, 1), its_name, mtu, hardware(net, 2), router.name))
  for side, end_ in ipairs { { space, name }, { router, its_name } } do
    local where, interface = end_[1], end_[2]
    no_detection(where) -- neighbours are asked from the link-local address, and that only so many times
    where:ip(("addr add 10.78.%d.%d/24 dev %s"):format(net, side, interface))
    where:ip(("addr add fd78:%d::%d/64 dev %s nodad"):format(net, side, interface))
    where:ip(("link set %s up"):format(interface))
  end
  for side, end_ in ipairs { { router, its_name }, { space, name } } do
    introduce(end_[1], end_[2], ("10.78.%d.%d"):format(net, side), net, side)
    introduce(end_[1], end_[2], ("fd78:%d::%d"):format(net, side), net, side)
  end
  space:ip(("route add default via 10.78.%d.2"):format(net))
  space:ip(("-6 route add default via fd78:%d::2 dev %s"):format(net, name))
end

-- A namespace that forwards packets, or nil and why not.
local function new_router()
  local space = namespace.new()
  local script = "cd /proc/sys/net && echo 1 >ipv4/ip_forward && echo 1 >ipv6/conf/all/forwarding"
  local words = { "netns", "exec", space.name, "sh", "-c", script }
  if child.start(assert(can.program "ip"), words):wait().status == 0 then return space end
  return nil, "no namespace can be made a router here"
end

--- a (10.78.1.1, fd78:1::1) --- MTU 1400 --- router --- MTU 1300 --- b (10.78.2.1, fd78:2::1). The router is 10.78.1.2 and
-- fd78:1::2 to a. Returns a, b and the router, or nil and why not.
function namespace.routed()
  local router, why = new_router()
  if not router then return nil, why end
  local a, b = namespace.new(), namespace.new()
  link(a, "dga", 1400, router, "dgra", 1)
  link(b, "dgb", 1300, router, "dgrb", 2)
  return a, b, router
end

--- a (10.78.1.1, fd78:1::1) --- first router (10.78.1.2, fd78:1::2) --- second router (10.78.3.2, fd78:3::2) --- b
-- (10.78.2.1, fd78:2::1). Returns a, b and the routers, or nil and why not.
function namespace.routed_twice()
  local first, why = new_router()
  local second = first and new_router()
  if not second then return nil, why end
  local a, b = namespace.new(), namespace.new()
  link(a, "dga", 1500, first, "dgfa", 1)
  link(b, "dgb", 1500, second, "dgsb", 2)
  link(first, "dgfs", 1500, second, "dgsf", 3)
  second:ip "route add 10.78.1.0/24 via 10.78.3.1"
  second:ip "-6 route add fd78:1::/64 via fd78:3::1"
  return a, b, first, second
end

-- What runs inside: it reads a Lua chunk per line ("\n" stands for a line's end in it), and answers each with a line.
local program = [[
local dgram, uv = require "dgram", require "luv"
got = {} -- what the sockets of new() received
function new(kind)
  return dgram.createSocket(kind, function(msg, rinfo) got[#got + 1] = { msg = msg, rinfo = rinfo } end)
end
local function text(value)
  return type(value) == "string" and value or tostring(value)
end
local function answer(ok, ...)
  local list = { ok and "ok" or "error" }
  for i = 1, select("#", ...) do list[#list + 1] = text((select(i, ...))) end
  io.stdout:write(table.concat(list, "\t"), "\n")
  io.stdout:flush()
end
dgram.setUncaughtHandler(function(err) io.stderr:write(tostring(err), "\n") end)
local rest = ""
local input = uv.new_pipe(false)
input:open(0)
input:read_start(function(_, data)
  if not data then os.exit(0) end
  rest = rest .. data
  while true do
    local line, more = rest:match "^(.-)\n(.*)$"
    if not line then return end
    rest = more
    answer(pcall(assert((loadstring or load)(line))))
  end
end)
io.stdout:write "ready\n"
io.stdout:flush()
uv.run()
]]

local running = {}
running.__index = running

--- Starts a Lua program inside, with dgram, that does what it is told by call(). It has: dgram, uv, new(kind), got.
function namespace:program()
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  local names = "dgram, uv = require 'dgram', require 'luv'"
  local process = child.start(assert(can.program "ip"), { "netns", "exec", self.name, child.interpreter(),
    "-e", paths, "-e", names, "-e", program }, { own = true })
  process:expect "ready\n"
  return setmetatable({ process = process, seen = #process.out, space = self }, running)
end

local function value_of(word)
  if word == "nil" then return nil end
  if word == "true" or word == "false" then return word == "true" end
  return tonumber(word) or word
end

--- Runs a chunk inside; returns true and what it returns (numbers, texts without tabs, booleans), or false and the
-- error's text.
function running:try(chunk, ...)
  local line = (select("#", ...) > 0 and chunk:format(...) or chunk):gsub("%s*\n%s*", " ")
  local process, seen = self.process, self.seen
  process:write(line .. "\n")
  local function answered() return process.out:find("\n", seen + 1, true) end
  loop.wait(function() return answered() or process.open == 0 end, 20)
  self.seen = answered() or error(("the program inside ended: %s"):format(process.err), 2)
  local words, n = {}, 0
  for word in (process.out:sub(seen + 1, self.seen - 1) .. "\t"):gmatch "(.-)\t" do
    n = n + 1
    if n == 1 then words[1] = word == "ok" else words[n] = value_of(word) end
  end
  return (table.unpack or unpack)(words, 1, n)
end

--- The same; an error inside is one here. Returns what the chunk returns.
function running:call(chunk, ...)
  local function results(ok, ...)
    if not ok then error(("inside %s: %s"):format(self.space.name, tostring((...))), 3) end
    return ...
  end
  return results(self:try(chunk, ...))
end

--- Waits until a chunk's first result inside is true (neither nil nor false).
function running:wait(chunk, ...)
  local text = select("#", ...) > 0 and chunk:format(...) or chunk
  local deadline = uv.hrtime() + 10e9
  while not self:call(text) do
    if uv.hrtime() > deadline then
      error(("inside %s never: %s; %s"):format(self.space.name, text, self.process.err), 2)
    end
  end
end

--- Ends it; it must have had nothing to complain about.
function running:stop()
  self.process:end_input()
  self.process:wait()
  if self.process.err ~= "" then error(("inside %s: %s"):format(self.space.name, self.process.err), 2) end
end

return namespace
