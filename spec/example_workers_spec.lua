-- SPDX-License-Identifier: MIT
-- examples/workers: a supervisor and its workers, asked by many clients while workers come, go and are killed.
local loop = require "spec.support.loop"
local child = require "spec.support.child"
local example = require "spec.support.example"
local file = require "spec.support.file"
local sockets = require "spec.support.sockets"
local unix = require "spec.support.unix"
local uv = require "luv"

local patience = 60 -- seconds: a process may take long to start here

--- The processes that serve now, by the numbers of their slots.
local function serving(supervisor)
  local now = {}
  for slot, pid in supervisor.out:gmatch "worker (%d+) %(process (%d+)%) is ready" do
    now[tonumber(slot)] = tonumber(pid)
  end
  return now
end

local function serve(workers, handler)
  local supervisor = example.start("workers/supervisor", { 0, "127.0.0.1", workers, handler })
  local port = tonumber((supervisor:expect("listening on %S+ port (%d+)", "out", patience)))
  return supervisor, port, serving(supervisor)
end

--- Waits until every worker has a successor and has ended.
local function replaced(supervisor, before)
  loop.wait(function()
    for slot, pid in pairs(before) do
      local new = serving(supervisor)[slot]
      if new == pid or not supervisor.out:find("process " .. pid .. ") ended after", 1, true) then return false end
    end
    return true
  end, patience)
end

--- Ends the supervisor. Its output ends with that of the last process that has it, so after this there is no worker either.
local function stop(supervisor, signal)
  supervisor:kill(signal or "sigterm")
  supervisor:wait(patience)
  return supervisor
end

--- What the last report says that the kernel dropped: a number where the system tells, else nil.
local function dropped(supervisor, workers)
  local sum, lines = 0, 0
  for number in supervisor.out:gmatch "the buffer being full: (%w+)" do
    sum, lines = sum + (tonumber(number) or 0), lines + 1
  end
  assert.equal(workers, lines)
  return sum
end

-- A client sends numbered datagrams, `window` of them unanswered at most.
local client = {}
client.__index = client

function client.new(port, window)
  local self = setmetatable({ sent = 0, answered = 0, window = window, waiting = {}, by = {} }, client)
  self.socket = sockets.new("udp4", function(msg)
    local pid, number = msg:match "^(%d+) (%d+)$"
    pid, number = tonumber(pid), tonumber(number)
    assert(self.waiting[number], "answered twice, or never asked: " .. msg)
    self.waiting[number], self.pid, self.by[pid] = nil, pid, true
    self.answered = self.answered + 1
    if self.going then self:fill() end
  end)
  self.socket:connectSync(port, "127.0.0.1")
  return self
end

function client:ask()
  self.sent = self.sent + 1
  self.waiting[self.sent] = true
  self.socket:send(tostring(self.sent))
end

function client:fill()
  while self.sent - self.answered < self.window do self:ask() end
end

local function clients_of(port, count, window)
  local list = {}
  for i = 1, count do list[i] = client.new(port, window) end
  return list
end

local function each(list, method)
  for _, one in ipairs(list) do one[method](one) end
end

local function sum(list, field)
  local all = 0
  for _, one in ipairs(list) do all = all + one[field] end
  return all
end

local function all_answered(list)
  loop.wait(function() return sum(list, "sent") == sum(list, "answered") end, patience)
end

local function start_load(list)
  for _, one in ipairs(list) do one.going = true end
  each(list, "fill")
end

local function end_load(list)
  for _, one in ipairs(list) do one.going = false end
end

--- Waits until the clients have had so many more answers.
local function answers(list, more)
  local wanted = sum(list, "answered") + more
  loop.wait(function() return sum(list, "answered") >= wanted end, patience)
end

local function close(list)
  for _, one in ipairs(list) do one.socket:close() end
end

describe("examples/workers", function()
  loop.guard()

  it("every client has one worker, and the workers share the clients out", function()
    local supervisor, port, pids = serve(3)
    local list, seen = clients_of(port, 64), {}
    for _ = 1, 3 do each(list, "ask") end
    all_answered(list)
    for _, one in ipairs(list) do
      local pid = next(one.by)
      assert.is_nil(next(one.by, pid))
      seen[pid] = true
    end
    local known = {}
    for _, pid in pairs(pids) do known[pid] = true end
    for pid in pairs(seen) do assert.is_true(known[pid]) end
    assert.is_truthy(next(seen, next(seen)), "one worker has all 64 clients")
    stop(supervisor)
    assert.same({ 0, 0, "" }, { supervisor.status, supervisor.signal, supervisor.err }, supervisor.out)
    for _, pid in pairs(pids) do
      assert.is_truthy(supervisor.out:find(("process %d) ended after"):format(pid), 1, true), supervisor.out)
    end
    assert.equal(0, dropped(supervisor, 3))
    close(list)
    loop.run()
  end)

  it("what waits for a worker that is killed is served by the next one, and the port stays taken", function()
    local supervisor, port, pids = serve(2)
    local list = clients_of(port, 16)
    each(list, "ask")
    all_answered(list)
    for _, pid in pairs(pids) do uv.kill(pid, "sigstop") end
    for _ = 1, 8 do each(list, "ask") end -- 128 at most in one queue: they fit
    for _, pid in pairs(pids) do uv.kill(pid, "sigkill") end
    local other = sockets.new "udp4"
    local bound, err = pcall(other.bindSync, other, { port = port, address = "127.0.0.1" })
    assert.same({ false, "EADDRINUSE" }, { bound, err.code })
    all_answered(list)
    for _, one in ipairs(list) do assert.is_true(one.pid ~= pids[1] and one.pid ~= pids[2]) end
    for _, pid in pairs(pids) do
      local line = ("(process %d) was ended by signal 9\n"):format(pid)
      assert.is_truthy(supervisor.err:find(line, 1, true), supervisor.err)
    end
    stop(supervisor)
    assert.same({ 0, 0 }, { supervisor.status, supervisor.signal })
    assert.equal(0, dropped(supervisor, 2))
    other:close()
    close(list)
    loop.run()
  end)

  it("what finds no room while a worker is away is counted", function()
    local supervisor, port, pids = serve(1)
    uv.kill(pids[1], "sigstop")
    local sender = sockets.new { type = "udp4", gso = false } -- each counts by itself
    sender:connectSync(port, "127.0.0.1")
    local count = 10000
    for _ = 1, count do sender:send "x" end
    loop.wait(function() return sender:flush() end)
    sender:close()
    uv.kill(pids[1], "sigcont")
    local function served() return tonumber(supervisor.out:match "ended after (%d+) datagram") end
    stop(supervisor)
    assert.equal(0, supervisor.status)
    if supervisor.out:find "full: unknown" then pending "the system does not count what it drops" end
    assert.equal(count, served() + dropped(supervisor, 1))
    assert.is_true(served() > 0 and served() < count)
  end)

  it("a worker killed under load loses no more than it had taken", function()
    local supervisor, port, pids = serve(2)
    local list = clients_of(port, 24, 8) -- 384 at most in one queue: they fit
    start_load(list)
    answers(list, 2000)
    end_load(list)
    each(list, "fill")
    local in_flight = 0
    for _, one in ipairs(list) do
      one.victim = one.pid == pids[1]
      if one.victim then in_flight = in_flight + one.sent - one.answered end
    end
    uv.kill(pids[1], "sigkill")
    supervisor:expect("was ended by signal 9\n", "err", patience)
    for _, one in ipairs(list) do
      one.sent_before = one.sent
      for _ = 1, 8 do one:ask() end
    end
    -- One process reads a queue, in its order. So when a client's last question is answered, what has no answer is lost.
    loop.wait(function()
      for _, one in ipairs(list) do
        if one.waiting[one.sent] then return false end
      end
      return true
    end, patience)
    local lost = 0
    for _, one in ipairs(list) do
      for number in pairs(one.waiting) do
        assert.is_true(number <= one.sent_before, "what was sent after the death is lost")
        assert.is_true(one.victim, "a client of the other worker has lost something")
        lost = lost + 1
      end
    end
    assert.is_true(lost <= in_flight, ("lost %d, %d were in flight"):format(lost, in_flight))
    stop(supervisor)
    assert.equal(0, dropped(supervisor, 2)) -- so the process had taken them
    assert.is_truthy(supervisor.out:find "worker 1: process %d+; 1 death;", supervisor.out)
    close(list)
    loop.run()
  end)

  it("three restarts under load lose nothing", function()
    local supervisor, port = serve(2)
    local list = clients_of(port, 32, 4) -- 128 at most in one queue: they fit
    start_load(list)
    for _ = 1, 3 do
      local before = serving(supervisor)
      answers(list, 500)
      supervisor:kill "sighup"
      replaced(supervisor, before)
    end
    answers(list, 500)
    end_load(list)
    all_answered(list)
    stop(supervisor)
    assert.same({ 0, 0, "" }, { supervisor.status, supervisor.signal, supervisor.err }, supervisor.out)
    assert.equal(0, dropped(supervisor, 2))
    close(list)
    loop.run()
  end)

  it("a worker that does not start does not replace one that serves", function()
    local path = unix.path()
    local good = "arg[0] = 'examples/workers/worker.lua' dofile(arg[0])"
    file.write(path, good)
    local supervisor, port, pids = serve(2, path)
    file.write(path, "os.exit(3)")
    supervisor:kill "sighup"
    supervisor:expect("worker 2 %(process %d+%) ended with status 3 before it was ready\n", "err", patience)
    assert.same(pids, serving(supervisor))
    local list = clients_of(port, 16)
    each(list, "ask")
    all_answered(list)
    for _, one in ipairs(list) do assert.is_true(one.pid == pids[1] or one.pid == pids[2]) end
    file.write(path, good)
    supervisor:kill "sighup"
    replaced(supervisor, pids)
    each(list, "ask")
    all_answered(list)
    stop(supervisor)
    assert.equal(0, supervisor.status)
    close(list)
    loop.run()
  end)

  it("does not begin where no worker starts", function()
    local path = unix.path()
    file.write(path, "os.exit(3)")
    local supervisor = example.start("workers/supervisor", { 0, "127.0.0.1", 2, path }):wait(patience)
    assert.equal(1, supervisor.status)
    local line = "^supervisor: worker %d %(process %d+%) ended with status 3 before it was ready\n$"
    assert.is_truthy(supervisor.err:find(line), supervisor.err)
    assert.equal("", supervisor.out)
  end)

  it("a second supervisor does not share the first one's port", function()
    local supervisor, port = serve(2)
    local second = example.start("workers/supervisor", { port, "127.0.0.1", 2 }):wait(patience)
    assert.equal(1, second.status)
    assert.is_truthy(second.err:find "^supervisor: [^\n]*EADDRINUSE[^\n]*\n$", second.err)
    stop(supervisor)
  end)

  it("ends workers that do not listen, and these end where the supervisor is gone", function()
    local supervisor, _, pids = serve(2)
    uv.kill(pids[1], "sigstop")
    stop(supervisor)
    assert.same({ 0, 0, "" }, { supervisor.status, supervisor.signal, supervisor.err }, supervisor.out)

    supervisor, _, pids = serve(2)
    stop(supervisor, "sigkill")
    for _, pid in pairs(pids) do
      assert.is_truthy(supervisor.out:find(("process %d) ended after"):format(pid), 1, true), supervisor.out)
    end
  end)

  it("a worker says that it needs the supervisor", function()
    local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
    local worker = child.start("/bin/sh", { "-c", [[exec "$0" "$@" 3<&- 4<&-]], child.interpreter(), "-e", paths,
      "examples/workers/worker.lua", "1" }, { own = true }):wait(patience)
    assert.equal(1, worker.status)
    assert.is_truthy(worker.err:find "^worker: supervisor.lua starts this: [^\n]+\n$", worker.err)
  end)
end)
