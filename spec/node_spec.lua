-- SPDX-License-Identifier: MIT
-- The same scripts of calls on Node and on dgram, and the two talking to each other.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local sockets = require "spec.support.sockets"
local node = require "spec.support.node"
local run_here = require "spec.support.node_driver"

local need = can.need

local capable = {
  ipv6 = can.ipv6,
  multicast4 = function()
    local interface, reason = can.multicast4()
    return interface == "127.0.0.1", reason or "no IPv4 multicast on the loopback interface"
  end,
  loopback_name = function()
    return require("luv").interface_addresses().lo ~= nil, "the loopback interface is not called lo"
  end,
}

local cases = {}
for _, file in ipairs { "life", "sync", "send", "connect", "options", "families", "emitter", "differences" } do
  for _, case in ipairs(require("spec.support.node_cases_" .. file)) do cases[#cases + 1] = case end
end

-- What of a log is not in the other one, and the rest.
local function apart(log, other)
  local left, only, common = {}, {}, {}
  for _, entry in ipairs(other) do left[entry] = (left[entry] or 0) + 1 end
  for _, entry in ipairs(log) do
    local list = (left[entry] or 0) > 0 and common or only
    left[entry] = (left[entry] or 0) - 1
    list[#list + 1] = entry
  end
  return only, common
end

-- Nobody promises an order between the events of two sockets: such a log is told by who is meant.
local function by_subject(log)
  local places = {}
  for i, entry in ipairs(log) do places[i] = { entry:match "^[%w]+", i, entry } end
  table.sort(places, function(x, y)
    if x[1] ~= y[1] then return x[1] < y[1] end
    return x[2] < y[2]
  end)
  for i, place in ipairs(places) do places[i] = place[3] end
  return places
end

-- DGRAM_SPEC_NODE=show prints the logs of cases that fail: Node's, and what differs in dgram's.
local function show(case, there, here)
  if os.getenv "DGRAM_SPEC_NODE" ~= "show" then return end
  io.write("== ", case.name, "\n")
  for i = 1, math.max(#there, #here) do
    local equal = there[i] == here[i]
    io.write(equal and "     " or "  ## ", there[i] or "-", equal and "" or "\n  >> " .. (here[i] or "-"), "\n")
  end
end

-- A step that could not be done on either side would make both the same.
local function must_be_whole(log)
  for _, entry in ipairs(log) do
    if entry:find "^FAILED" or entry:find "^there is no" then error(entry, 0) end
  end
end

local function compare(case, there, here)
  must_be_whole(there)
  must_be_whole(here)
  if case.apart then there, here = by_subject(there), by_subject(here) end
  local only_there, common_there = apart(there, here)
  local only_here, common_here = apart(here, there)
  assert.same(case.node or {}, only_there, "what only Node does")
  assert.same(case.here or {}, only_here, "what only dgram does")
  if case.reordered then
    assert.are_not.same(common_there, common_here, "the order of what both do")
  else
    assert.same(common_there, common_here, "the order of what both do")
  end
end

local logs, reason

-- What Node does in each case, by the case's name.
local function of_node(case)
  if not logs and not reason then
    local program
    program, reason = node.program()
    logs = program and node.run(program, cases)
  end
  if not logs then return nil, reason end
  return logs[case.name]
end

describe("Node and dgram:", function()
  loop.guard()

  for _, case in ipairs(cases) do
    it(case.name, function()
      if case.needs then need(pending, capable[case.needs]()) end
      local there = need(pending, of_node(case))
      local here = run_here(case.steps)
      local same, message = pcall(compare, case, there, here)
      if not same then
        show(case, there, here)
        error(message, 0)
      end
    end)
  end
end)

-- The titles in the first column of a table, below a heading.
local function titles(path, heading)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  local section = text:match("\n" .. heading .. "\n(.-)\n## ") or text:match("\n" .. heading .. "\n(.*)$")
  local set = {}
  for title, there, here in (section or ""):gmatch "\n| ([^|]-) | ([^|]-) | ([^|]-) |" do
    if not title:find "^%-" then set[title] = there ~= "" and here ~= "" end
  end
  return set
end

describe("deliberate differences", function()
  it("are those of docs/from-node.md", function()
    local told = titles("docs/from-node.md", "## What is different, and why")
    told.difference = nil -- the head of the table
    local tried = {}
    for _, case in ipairs(cases) do
      if case.differs then tried[case.differs] = true end
      assert.equal(case.differs ~= nil, case.node ~= nil or case.here ~= nil or case.reordered ~= nil, case.name)
    end
    assert.same(tried, told)
  end)
end)

-- A Node program of spec/support/node_peer.js; it tells a line when it is ready.
local function start_node(...)
  local program = need(pending, node.peer())
  local process = child.start(program, { node.folder .. "node_peer.js", ... })
  return process, tonumber(process:expect "ready (%d+)\n")
end

local parts = { "first", "", ("x"):rep(60000), "last" }

local function expected_answers()
  local list = {}
  for i, part in ipairs(parts) do list[i] = "node: " .. part end
  return list
end

for kind, address in pairs(sockets.loopback) do
  describe("Node as a peer, " .. kind, function()
    loop.guard()

    local function may_run()
      if kind == "udp6" then need(pending, can.ipv6()) end
    end

    -- Sends one part after the other, each when the answer to the one before has come.
    local function converse(client, ask)
      local got = {}
      client:on("message", function(msg, rinfo)
        got[#got + 1] = msg
        assert.equal(#msg, rinfo.size)
        assert.equal(address, rinfo.address)
        if #got < #parts then ask(parts[#got + 1]) end
      end)
      ask(parts[1])
      loop.wait(function() return #got == #parts end, 20)
      assert.same(expected_answers(), got)
    end

    it("answers", function()
      may_run()
      local process, port = start_node("echo", kind, address)
      local client = sockets.new(kind)
      converse(client, function(part) client:send(part, port, address) end)
      process:stop()
      client:close()
      loop.run()
    end)

    it("answers a connected socket", function()
      may_run()
      local process, port = start_node("echo", kind, address)
      local client = sockets.new(kind)
      client:connect(port, address)
      converse(client, function(part) client:send(part) end)
      local family = kind == "udp4" and "IPv4" or "IPv6"
      assert.same({ address = address, family = family, port = port }, client:remoteAddress())
      process:stop()
      client:close()
      loop.run()
    end)

    for _, way in ipairs { "ask", "ask-connected" } do
      it("asks: " .. way, function()
        may_run()
        local server, port
        server, port = sockets.bound(kind, function(msg, rinfo)
          server:send("lua: " .. msg, rinfo.port, rinfo.address)
        end)
        local process = start_node(way, kind, address, tostring(port))
        process:expect "done\n"
        process:wait()
        assert.equal(0, process.status)
        server:close()
        loop.run()
      end)
    end

    it("answers a server that is connected to it", function()
      may_run()
      local server, port, got = sockets.collector(kind)
      local process, node_port = start_node("tell", kind, address, tostring(port))
      server:connect(node_port, address)
      server:send "go"
      loop.wait(function() return #got == 2 end, 20)
      assert.same({ "told: go", "end" }, sockets.messages(got))
      process:wait()
      server:close()
      loop.run()
    end)
  end)
end

describe("Node as a peer, multicast", function()
  loop.guard()

  local group = "239.255.77.3"

  it("hears dgram", function()
    need(pending, capable.multicast4())
    local process, port = start_node("join", "udp4", "127.0.0.1", "0", group)
    local sender = sockets.new "udp4"
    sender:setMulticastInterface "127.0.0.1"
    sender:send("to the group", port, group)
    assert.equal("to the group", process:expect "heard ([^\n]+)\n")
    process:wait()
    sender:close()
    loop.run()
  end)

  it("is heard by dgram", function()
    need(pending, capable.multicast4())
    local got = {}
    local receiver = sockets.new({ type = "udp4", reuseAddr = true }, function(msg, rinfo)
      got[#got + 1] = msg
      assert.equal("127.0.0.1", rinfo.address)
    end)
    receiver:bind(0, "0.0.0.0")
    receiver:addMembership(group, "127.0.0.1")
    local process = start_node("cast", "udp4", "127.0.0.1", tostring(receiver:address().port), group)
    loop.wait(function() return #got == 1 end, 20)
    assert.same({ "from Node" }, got)
    process:wait()
    receiver:close()
    loop.run()
  end)
end)
