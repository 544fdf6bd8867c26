-- SPDX-License-Identifier: MIT
-- The loop of the specs. A spec starts things, calls loop.run() or loop.wait(), and asserts after it.
-- Both end by a deadline, count the callbacks that were expected, and let errors of callbacks reach busted.

local busted = require "busted"

local loop = { deadline = tonumber(os.getenv "DGRAM_SPEC_DEADLINE") or 5 } -- seconds; a slow machine may ask for more

-- busted forgets after each spec file what that file had required. A second copy of these modules in the same
-- Lua state would be another world, with its own metatables; so the first copy stays the only one.
local function keep(name, value)
  package.preload[name] = function() return value end
  return value
end

local function keep_all()
  for name, value in pairs(package.loaded) do
    if name:find "^dgram" or name:find "^spec%.support%." then keep(name, value) end
  end
end

local uv = keep("luv", require "luv")
local dgram = keep("dgram", require "dgram")
keep("spec.support.loop", loop)

local watchdog = uv.new_timer()
watchdog:unref()
local gate = uv.new_prepare()
gate:unref()

local expected = {} -- what expect() counts in the spec that runs
local before, after = {}, {}
local failed = false

busted.subscribe({ "failure", "it" }, function() failed = true; return nil, true end)
busted.subscribe({ "error", "it" }, function() failed = true; return nil, true end)
busted.subscribe({ "pending", "it" }, function() failed = true; return nil, true end) -- skipped half-way

--- The handles of the loop that nobody has closed, without those of the support and of earlier, failed specs.
function loop.handles()
  local open = {}
  uv.walk(function(handle)
    if handle ~= watchdog and handle ~= gate and not before[tostring(handle)] and not handle:is_closing() then
      open[#open + 1] = handle
    end
  end)
  return open
end

local function names(handles)
  local list = {}
  for i, handle in ipairs(handles) do
    list[i] = tostring(handle) .. (handle:is_active() and " (active)" or "")
  end
  return #list > 0 and table.concat(list, ", ") or "none"
end

-- Runs body() with the watchdog on; it gets a function that tells whether time is up.
local function watched(seconds, body)
  local late = false
  uv.update_time()
  watchdog:start((seconds or loop.deadline) * 1000, 0, function()
    late = true
    uv.stop()
  end)
  local ok, err = pcall(body, function() return late end)
  watchdog:stop()
  gate:stop()
  if not ok then error(err, 0) end
  return late
end

local function late_error(seconds, what)
  error(("%s after %d s; handles: %s"):format(what, seconds or loop.deadline, names(loop.handles())), 3)
end

local function check_expected()
  local list = expected
  expected = {}
  for _, e in ipairs(list) do
    if e.got ~= e.wanted then
      error(("%s: called %d times, expected %d"):format(e.where, e.got, e.wanted), 3)
    end
  end
end

--- A callback that must be called exactly n times (1 unless given) by the end of loop.run().
--- It collects garbage first, so that whatever is kept alive by luck only does not survive it.
function loop.expect(n, fn)
  if type(n) ~= "number" then n, fn = 1, n end
  local info = debug.getinfo(2, "Sl")
  local e = { wanted = n, got = 0, where = info.short_src .. ":" .. info.currentline }
  expected[#expected + 1] = e
  return function(...)
    e.got = e.got + 1
    collectgarbage()
    if e.got > n then error(("%s: call %d, expected %d"):format(e.where, e.got, n), 0) end
    if fn then return fn(...) end
  end
end

--- A callback that must never be called.
function loop.never()
  local info = debug.getinfo(2, "Sl")
  local where = info.short_src .. ":" .. info.currentline
  return function(...)
    local what = {}
    for i = 1, select("#", ...) do what[i] = tostring((select(i, ...))) end
    error(("%s: must not be called, got (%s)"):format(where, table.concat(what, ", ")), 0)
  end
end

--- Runs until nothing is left to do.
function loop.run(seconds)
  if watched(seconds, function() dgram.run() end) then
    late_error(seconds, "the loop still ran")
  end
  check_expected()
end

--- Runs until condition() holds. It is looked at before the loop polls, too: a timer that was due when the turn began has
-- perhaps done all that there was, and the poll would wait for nothing.
function loop.wait(condition, seconds)
  gate:start(function()
    local done, holds = pcall(condition)
    if not done or holds then uv.stop() end -- what it raises comes again outside of the loop
  end)
  local late = watched(seconds, function(is_late)
    while not is_late() and not condition() do
      if not uv.loop_alive() then error("the loop ended before what was waited for", 0) end
      dgram.run "once"
    end
  end)
  if late then late_error(seconds, "still waiting") end
end

--- Some turns of the loop that wait for nothing: whatever is due happens.
function loop.turn(times)
  for _ = 1, times or 3 do dgram.run "nowait" end
end

--- Runs for so many milliseconds, whatever else keeps the loop alive.
function loop.pass(milliseconds)
  local over = false
  local timer = uv.new_timer()
  uv.update_time()
  -- It repeats because uv.run "once" runs the timers that are due and then polls all the same.
  timer:start(milliseconds, math.max(milliseconds, 1), function() over = true end)
  loop.wait(function() return over end, milliseconds / 1000 + loop.deadline)
  timer:close()
  loop.turn()
end

--- Counts the turns of the loop until the function that it returns is called, which returns their number.
function loop.count_turns()
  local turns, prepare = 0, uv.new_prepare()
  prepare:start(function() turns = turns + 1 end)
  prepare:unref()
  return function()
    prepare:close()
    return turns
  end
end

--- The number of open descriptors, or nil where the system does not show them.
function loop.descriptors()
  local scan = uv.fs_scandir "/proc/self/fd"
  if not scan then return nil end
  local n = 0
  while uv.fs_scandir_next(scan) do n = n + 1 end
  return n
end

--- Whatever else a spec leaves behind: fn() is called after each spec, and closes it.
function loop.leftover(fn)
  after[#after + 1] = fn
end

local function run_out()
  for _ = 1, 20 do
    pcall(dgram.run, "nowait")
    if #loop.handles() == 0 then break end
  end
end

-- Twice, because what a finalizer brought back goes with the second collection.
local function settle()
  collectgarbage()
  collectgarbage()
  run_out()
end

local function descriptors_left()
  local now = loop.descriptors()
  return now and before.descriptors and now - before.descriptors or 0
end

local function clean_up()
  dgram.setUncaughtHandler(function() end)
  for _, close in ipairs(after) do pcall(close) end
  run_out()
  for _, handle in ipairs(loop.handles()) do
    -- those of dgram are not ours to close: they are taken as given from now on, and keep no loop running
    local kind = tostring(handle):match "^uv_(%a+)" or tostring(handle):match "^dgram%.poll%.(%a+)"
    if kind == "poll" then handle:unref() elseif kind ~= "idle" then handle:close() end
  end
  run_out()
  dgram.setUncaughtHandler(nil)
end

local function start_spec()
  -- What the stack still held at the end of the last spec is let go here, not between two counts of this one.
  collectgarbage()
  run_out()
  failed = false
  expected = {}
  before = {}
  for _, handle in ipairs(loop.handles()) do before[tostring(handle)] = true end
  before.descriptors = loop.descriptors()
end

local function end_spec()
  keep_all()
  settle()
  local open, descriptors = names(loop.handles()), descriptors_left()
  local complete, message = pcall(check_expected)
  clean_up()
  if failed then return end -- what a failed or skipped spec leaves open is no news
  if open ~= "none" then error("handles left open: " .. open, 0) end
  -- fewer than before: what an earlier spec had closed was only now let go
  if descriptors > 0 then error("descriptors left open: " .. descriptors, 0) end
  if not complete then error(message, 0) end
end

--- To be called at the top of each describe: nothing may be left open after a spec, and the next one starts clean.
function loop.guard()
  busted.before_each(start_spec)
  busted.after_each(end_spec)
end

return loop
