-- SPDX-License-Identifier: MIT
-- Runs of datagrams through a pair of interfaces whose packets hold 1500 bytes, with what the interfaces can do switched on
-- and off: each arrives once, in order, as it was.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local namespaces = require "spec.support.namespace"

local need = can.need
local switches = { true, false }

-- How long the datagrams are, in turn. 1472 bytes fill a packet over IPv4, 1452 one over IPv6; a byte more makes two.
local sizes = {
  "1472", "1473", "1452", "1453",
  "1472 1472 1472 1473 1472 1473 1473 1473 100 100 0 1452 1452 1452 1453 1453 1 1473 1472 1453 1452 20 20 20 20",
}

local program = [[
  trains = require "spec.support.trains"
  function run(text, n)
    local list = {}
    for word in text:gmatch "%d+" do list[#list + 1] = tonumber(word) end
    return trains.run(n, trains.cycle(list))
  end
]]

local sender_program = [[
  function start(kind, gso)
    s = new { type = kind, gso = gso }
    told, wrong = 0, nil
  end
  function part(list, first, last, port, address)
    for i = first, last do
      s:send(list[i], port, address, function(err, bytes)
        told = told + 1
        if err or bytes ~= #list[i] then wrong = wrong or i .. ": " .. tostring(err) .. " " .. tostring(bytes) end
      end)
    end
  end
]]

local families = {
  udp4 = function(t) return t.a.ip4, t.b.ip4 end,
  udp6 = function(t) return t.a.ip6 .. "%" .. t.b.interface, t.b.ip6 .. "%" .. t.a.interface end,
}

-- Two namespaces with a program in each.
local function start()
  need(pending, namespaces.possible())
  local t = {}
  t.a, t.b = namespaces.pair()
  t.receiver, t.sender = t.a:program(), t.b:program()
  t.receiver:call(program)
  t.sender:call(program)
  t.sender:call(sender_program)
  return t
end

local function finish(t)
  t.receiver:stop()
  t.sender:stop()
  loop.run()
end

local function ethtool(space, features)
  local words = { "netns", "exec", space.name, can.program "ethtool", "-K", space.interface }
  for word in features:gmatch "%S+" do words[#words + 1] = word end
  local process = child.start(can.program "ip", words):wait()
  assert.equal(0, process.status, ("ethtool -K %s: %s"):format(features, process.err))
end

local function open_receiver(t, kind, gro)
  local any = kind == "udp4" and "0.0.0.0" or "::"
  t.port, t.room = t.receiver:call([[
    if r then r:close() end
    r = new { type = %q, gro = %s, recvBufferSize = 4000000 }
    r:bind(0, %q)
    return r:address().port, r:getRecvBufferSize()
  ]], kind, tostring(gro), any)
end

-- So many datagrams at once fit into the receiver's buffer, and as packets into the 256 places of an interface's ring.
local function at_once(t)
  return math.max(1, math.min(65, math.floor(t.room / 5000)))
end

-- Sends a run, of which a part is on its way at a time; then a mark. All that came must be the run and the mark.
local function exchange(t, kind, text, n, what)
  local address, from = families[kind](t)
  t.receiver:call "got = {}"
  t.sender:call("told, wrong = 0, nil l = run(%q, %d) l[%d] = 'the mark'", text, n, n + 1)
  local first, most = 1, at_once(t)
  while first <= n + 1 do
    local last = first > n and first or math.min(n, first + most - 1)
    t.sender:call("part(l, %d, %d, %d, %q)", first, last, t.port, address)
    t.sender:wait("return told >= %d", last)
    t.receiver:wait("return #got >= %d", last)
    first = last + 1
  end
  local told, wrong, failed = t.sender:call "return told, wrong, s:stats().sendErrors"
  assert.same({ n + 1, nil, 0 }, { told, wrong, failed }, what)
  local difference, dropped, sender = t.receiver:call([[
    local l = run(%q, %d)
    l[#l + 1] = 'the mark'
    return trains.difference(l, got), r:stats().dropped, got[1].rinfo.address
  ]], text, n)
  assert.is_nil(difference, what)
  assert.same({ 0, from }, { dropped or 0, sender }, what)
end

-- Every run, with segmentation and coalescing on and off at the ends; each by a new socket, and then all by one, which has
-- learnt by then what does not go.
local function exchange_all(t, kind)
  for _, gso in ipairs(switches) do
    for _, gro in ipairs(switches) do
      open_receiver(t, kind, gro)
      local what = ("%s, gso %s, gro %s"):format(kind, tostring(gso), tostring(gro))
      local open = ("start(%q, %s)"):format(kind, tostring(gso))
      for _, text in ipairs(sizes) do
        t.sender:call(open)
        exchange(t, kind, text, 65, what .. ": " .. text)
        t.sender:call "s:close()"
      end
      t.sender:call(open)
      for _, text in ipairs { sizes[1], sizes[2], sizes[1], sizes[5], "100" } do
        exchange(t, kind, text, 129, what .. ", one socket: " .. text)
      end
      t.sender:call "s:close()"
    end
  end
end

-- What ethtool switches at both ends.
local features = {
  "tx off",
  "tx-udp-segmentation off",
  "gso off",
  "gro off",
  "gro on",
  "gro on rx-udp-gro-forwarding on",
  "tx off gso off gro off",
  "tx off sg off gso off gro off rx off",
}

describe("datagrams of 1472, 1473, 1452, 1453 bytes across an MTU of 1500", function()
  loop.guard()

  for kind in pairs(families) do
    it("arrive as they were, " .. kind, function()
      local t = start()
      assert.is_truthy(t.b:ip("link show dev " .. t.b.interface):find "mtu 1500")
      exchange_all(t, kind)
      finish(t)
    end)
  end

  for _, words in ipairs(features) do
    it("arrive as they were after ethtool -K " .. words, function()
      need(pending, namespaces.possible())
      need(pending, can.program "ethtool")
      local t = start()
      for _, space in ipairs { t.a, t.b } do ethtool(space, words) end
      for kind in pairs(families) do exchange_all(t, kind) end
      finish(t)
    end)
  end

  it("arrive as they were when the MTU gets smaller and larger meanwhile", function()
    local t = start()
    for kind in pairs(families) do
      open_receiver(t, kind, true)
      t.sender:call("start(%q, true) could = s:stats().gso", kind)
      for _, mtu in ipairs { 1500, 1280, 1500, 9000, 1400 } do
        for _, space in ipairs { t.a, t.b } do space:ip(("link set %s mtu %d"):format(space.interface, mtu)) end
        for _, text in ipairs { "1452", "1472", sizes[5] } do
          exchange(t, kind, text, 65, ("%s, mtu %d: %s"):format(kind, mtu, text))
        end
      end
      assert.is_true(t.sender:call "return s:stats().gso == could")
      t.sender:call "s:close()"
    end
    finish(t)
  end)
end)
