--- A loop for dgram.setLoop where there is no luv: made of any function that waits for descriptors, with timers of its own.
-- It has luv's functions under luv's names, as far as dgram and small programs need them; handles have methods, as luv's do.
local core = require "dgram.core"
local check, clock = core.check, core.clock

---@type dgram.poll
local poll = {}

local LONGEST = 2147483647 -- milliseconds: poll(2) takes an int
local EINTR = 4

--- ---- Handles: polls, idles, timers. One that is active and referenced keeps the loop running.

local Handle = { __name = "dgram.poll.Handle" }
Handle.__index = Handle

function Handle.__tostring(handle)
  return ("dgram.poll.%s: %d"):format(handle.kind, handle.number)
end

local function count(handle, change)
  if handle.active and handle.referenced then handle.loop.alive = handle.loop.alive + change end
end

local function set(handle, name, value)
  count(handle, -1)
  handle[name] = value
  count(handle, 1)
end

local function new(loop, kind, fd)
  loop.handles = loop.handles + 1
  return setmetatable({ loop = loop, kind = kind, number = loop.handles, fd = fd, active = false, referenced = true,
    closing = false }, Handle)
end

--- ---- Timers that run, those due last first.

--- Where a timer stands, or would: behind it are those that are due earlier.
local function place_of(timers, timer)
  local first, last = 1, #timers
  while first <= last do
    local middle = math.floor((first + last) / 2)
    local other = timers[middle]
    if other.due > timer.due or (other.due == timer.due and other.serial > timer.serial) then
      first = middle + 1
    else
      last = middle - 1
    end
  end
  return first
end

local function stop_timer(timer)
  if not timer.active then return end
  table.remove(timer.loop.timers, place_of(timer.loop.timers, timer))
  set(timer, "active", false)
end

local function start_timer(timer, delay, again, callback)
  local loop = timer.loop
  stop_timer(timer)
  loop.serial = loop.serial + 1
  timer.due, timer.serial, timer.again, timer.callback = loop.time + delay, loop.serial, again, callback
  table.insert(loop.timers, place_of(loop.timers, timer), timer)
  set(timer, "active", true)
end

local function run_timers(loop)
  local now, last = loop.time, loop.serial
  while true do
    local timer = loop.timers[#loop.timers]
    -- one that was started by a callback, even for now, waits for the next turn
    if not timer or timer.due > now or timer.serial > last then return end
    stop_timer(timer)
    if timer.again > 0 then start_timer(timer, timer.again, timer.again, timer.callback) end
    timer.callback()
  end
end

--- ---- Polls. What is waited for, by luv's letters: one table for all that wait for the same.

local events_of = setmetatable({}, { __index = function(known, letters)
  local events = { IN = letters:find "r" and true, OUT = letters:find "w" and true, PRI = letters:find "p" and true }
  known[letters] = events
  return events
end })

local function stop_poll(handle)
  if not handle.active then return end
  handle.loop.fds[handle.fd], handle.loop.watchers[handle.fd] = nil, nil
  set(handle, "active", false)
end

--- luv's letters for what was found. An error shows as prioritized data where that is waited for, as luv shows it.
local function letters_of(events, found)
  local broken = found.ERR or found.HUP
  return (events.IN and (found.IN or broken) and "r" or "") .. (events.OUT and (found.OUT or broken) and "w" or "") ..
    (events.PRI and (found.PRI or found.ERR) and "p" or "")
end

local function report(handle, entry)
  local found = entry.revents
  local letters = letters_of(entry.events, found)
  if found.NVAL or (letters == "" and (found.ERR or found.HUP)) then
    stop_poll(handle) -- it would be found again at once
    handle.callback("EBADF")
  elseif letters ~= "" then
    handle.callback(nil, letters)
  end
end

--- Callbacks change what is waited for, so those that are ready are looked for before.
local function report_all(loop, left)
  local ready = {}
  for fd, entry in pairs(loop.fds) do
    local found = entry.revents
    if found and (found.IN or found.OUT or found.PRI or found.ERR or found.HUP or found.NVAL) then
      ready[#ready + 1] = loop.watchers[fd]
      if #ready == left then break end
    end
  end
  for _, handle in ipairs(ready) do
    local entry = loop.fds[handle.fd]
    if handle.active and entry.revents then report(handle, entry) end
  end
end

--- ---- The loop

local function run_idles(loop)
  local list = {}
  for idle in pairs(loop.idles) do list[#list + 1] = idle end
  for _, idle in ipairs(list) do
    if idle.active then idle.callback() end
  end
end

local function is_alive(loop) return loop.alive > 0 or #loop.closed > 0 end

--- Milliseconds that the loop may wait: -1 for no limit.
local function wait_time(loop)
  if loop.stopped or not is_alive(loop) or #loop.closed > 0 or next(loop.idles) then return 0 end
  local first = loop.timers[#loop.timers]
  if not first then return -1 end
  return math.min(math.max(math.ceil(first.due - loop.time), 0), LONGEST)
end

local function wait(loop, timeout)
  for _, entry in pairs(loop.fds) do entry.revents = nil end
  local ready, message, errno = loop.poll(loop.fds, timeout)
  loop.time = clock()
  if ready then
    if ready ~= 0 then report_all(loop, ready) end
  elseif errno ~= EINTR then
    error(core.systemError(type(errno) == "number" and -errno or 0, "poll", nil, nil, message), 0)
  end
end

local function finish_closes(loop)
  local closed = loop.closed
  loop.closed = {}
  for _, callback in ipairs(closed) do callback() end
end

--- One turn, in the order of libuv's. It does not wait if there was something to do before it looks.
local function turn(loop, mode)
  loop.time = clock()
  run_timers(loop)
  local busy = mode == "nowait" or next(loop.idles)
  run_idles(loop)
  wait(loop, busy and 0 or wait_time(loop))
  finish_closes(loop)
  if mode == "once" then run_timers(loop) end
end

local function turns(loop, mode)
  loop.time = clock()
  while is_alive(loop) and not loop.stopped do
    turn(loop, mode)
    if mode ~= "default" then return end
  end
end

local function nothing() end

--- luv's functions, with the loop before their arguments.
local functions = {}

function functions.new_poll(loop, fd) return new(loop, "poll", fd) end
function functions.new_idle(loop) return new(loop, "idle") end
function functions.new_timer(loop) return new(loop, "timer") end

function functions.poll_start(loop, handle, letters, callback)
  local other = loop.watchers[handle.fd]
  if other and other ~= handle then return nil, "EEXIST: the descriptor is watched already", "EEXIST" end
  loop.fds[handle.fd], loop.watchers[handle.fd] = { events = events_of[letters] }, handle
  handle.callback = callback
  set(handle, "active", true)
  return 0
end

function functions.poll_stop(_, handle)
  stop_poll(handle)
  return 0
end

function functions.idle_start(loop, handle, callback)
  handle.callback, loop.idles[handle] = callback, true
  set(handle, "active", true)
  return 0
end

function functions.idle_stop(loop, handle)
  loop.idles[handle] = nil
  set(handle, "active", false)
  return 0
end

--- Calls back after so many milliseconds, and then at intervals of `again` unless that is 0.
function functions.timer_start(_, handle, delay, again, callback)
  start_timer(handle, delay, again, callback)
  return 0
end

function functions.timer_stop(_, handle)
  stop_timer(handle)
  return 0
end

local stops = { poll = stop_poll, timer = stop_timer, idle = function(idle) functions.idle_stop(idle.loop, idle) end }

function functions.close(loop, handle, callback)
  if handle.closing then error("the handle is being closed already", 2) end
  stops[handle.kind](handle)
  handle.closing = true
  loop.closed[#loop.closed + 1] = callback or nothing
end

function functions.is_closing(_, handle) return handle.closing end
function functions.is_active(_, handle) return handle.active end
function functions.has_ref(_, handle) return handle.referenced end
function functions.ref(_, handle) set(handle, "referenced", true) end
function functions.unref(_, handle) set(handle, "referenced", false) end

--- Returns whether anything is left to do. Callbacks may run the loop, too.
function functions.run(loop, mode)
  local outer = loop.mode
  loop.mode = mode or "default"
  local done, err = pcall(turns, loop, loop.mode)
  loop.mode, loop.stopped = outer, false
  if not done then error(err, 0) end
  return is_alive(loop)
end

function functions.stop(loop) loop.stopped = true end
function functions.loop_alive(loop) return is_alive(loop) end
function functions.loop_mode(loop) return loop.mode end
function functions.backend_timeout(loop) return wait_time(loop) end
function functions.update_time(loop) loop.time = clock() end
--- Milliseconds, those of the turn's begin.
function functions.now(loop) return math.floor(loop.time) end

local methods = {
  poll = { start = "poll_start", stop = "poll_stop" },
  idle = { start = "idle_start", stop = "idle_stop" },
  timer = { start = "timer_start", stop = "timer_stop" },
}

function Handle:start(...) return functions[methods[self.kind].start](self.loop, self, ...) end
function Handle:stop() return functions[methods[self.kind].stop](self.loop, self) end
for _, name in ipairs { "close", "is_closing", "is_active", "has_ref", "ref", "unref" } do
  Handle[name] = function(self, ...) return functions[name](self.loop, self, ...) end
end

--- Makes a loop of a function that waits for descriptors.
-- @param fn  fn(fds, timeoutMs), in the form of lua-posix: fds is {[fd] = {events = {IN = true, OUT = true, PRI = true}}};
--            it waits until one is ready, at most so long (-1: no limit), sets `revents` ({IN, OUT, PRI, ERR, HUP, NVAL}) in
--            those entries, and returns how many are ready; or nil, a message and the number of the error
-- @return a table for dgram.setLoop
-- Raises ERR_INVALID_ARG_TYPE.
function poll.new(fn, ...)
  check.surplus(1, fn, ...)
  check.fn(fn, "poll")
  local state = { poll = fn, fds = {}, watchers = {}, timers = {}, idles = {}, closed = {}, handles = 0,
    alive = 0, serial = 0, time = clock(), stopped = false }
  local loop = {}
  for name, call in pairs(functions) do
    loop[name] = function(...) return call(state, ...) end
  end
  return loop
end

--- ---- What there is to wait with. Each function raises where its module is missing.

--- Gives the loop luv's getaddrinfo, made of a function that blocks: the loop stands still meanwhile. find(name, family)
-- returns the first address, or nil and a name of an error.
local function look_up_with(loop, find)
  function loop.getaddrinfo(name, _, hints, callback)
    local timer = loop.new_timer()
    timer:start(0, 0, function()
      timer:close()
      local address, reason = find(name, hints.family)
      callback(reason, address and { { addr = address, family = hints.family } })
    end)
    return timer
  end
end

--- A module of somebody else's, which a loop is made with.
local function need(name)
  local found, module = pcall(require, name)
  if found then return module end
  error(core.error("Error", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", ("There is no module %s"):format(name)), 0)
end

--- With lua-posix: poll(2).
function poll.posix(...)
  check.surplus(0, ...)
  local sockets = need "posix.sys.socket"
  local loop = poll.new(need "posix.poll".poll)
  local reasons = { [-2] = "EAI_NONAME", [-3] = "EAI_AGAIN" }
  look_up_with(loop, function(name, family)
    local list, _, code = sockets.getaddrinfo(name, nil,
      { family = family == "inet6" and sockets.AF_INET6 or sockets.AF_INET, socktype = sockets.SOCK_DGRAM })
    if list and list[1] then return list[1].addr end
    return nil, reasons[code] or "EAI_FAIL"
  end)
  return loop
end

--- With LuaSocket: select(2), for descriptors up to 1023. It does not tell errors: one is found when the socket is read, and
-- a socket that nobody reads hears of none.
function poll.luasocket(...)
  check.surplus(0, ...)
  local luasocket = need "socket"
  local objects = setmetatable({}, { __mode = "v" })
  local Object = { getfd = function(object) return object.fd end, dirty = function() return false end }
  Object.__index = Object
  local function object_of(fd)
    local object = objects[fd] or setmetatable({ fd = fd }, Object)
    objects[fd] = object
    return object
  end
  local loop = poll.new(function(fds, timeout)
    local reading, writing = {}, {}
    for fd, entry in pairs(fds) do
      if entry.events.IN then reading[#reading + 1] = object_of(fd) end
      if entry.events.OUT then writing[#writing + 1] = object_of(fd) end
    end
    local readable, writable = luasocket.select(reading, writing, timeout >= 0 and timeout / 1000 or nil)
    for _, object in ipairs(readable) do fds[object.fd].revents = { IN = true } end
    for _, object in ipairs(writable) do
      local entry = fds[object.fd]
      entry.revents = entry.revents or {}
      entry.revents.OUT = true
    end
    return #readable + #writable
  end)
  look_up_with(loop, function(name, family)
    for _, found in ipairs(luasocket.dns.getaddrinfo(name) or {}) do
      if found.family == family then return found.addr end
    end
    return nil, "EAI_NONAME"
  end)
  return loop
end

--- With LuaJIT's FFI: poll(2). Names cannot be looked up, unless createSocket is given `lookup`.
function poll.ffi(...)
  check.surplus(0, ...)
  local ffi, bit = need "ffi", need "bit"
  -- names of our own: the program may have declared poll(2) for itself
  pcall(ffi.cdef, [[
    struct dgram_pollfd { int fd; short events, revents; };
    int dgram_poll(struct dgram_pollfd *, unsigned long, int) __asm__("poll");
  ]])
  local flags = { IN = 1, PRI = 2, OUT = 4, ERR = 8, HUP = 16, NVAL = 32 }
  local size, array = 0, nil
  local function fill(fds)
    local n = 0
    for _ in pairs(fds) do n = n + 1 end
    if n > size then
      size = 2 * n
      array = ffi.new("struct dgram_pollfd[?]", size)
    end
    n = 0
    for fd, entry in pairs(fds) do
      local events = entry.events
      array[n].fd, array[n].revents = fd, 0
      array[n].events = (events.IN and flags.IN or 0) + (events.OUT and flags.OUT or 0) +
        (events.PRI and flags.PRI or 0)
      n = n + 1
    end
    return n
  end
  return poll.new(function(fds, timeout)
    local n = fill(fds)
    local ready = ffi.C.dgram_poll(array, n, timeout)
    if ready < 0 then return nil, "poll", ffi.errno() end
    for i = 0, ready > 0 and n - 1 or -1 do
      local found = array[i].revents
      if found ~= 0 then
        local revents = {}
        for name, flag in pairs(flags) do revents[name] = bit.band(found, flag) ~= 0 end
        fds[array[i].fd].revents = revents
      end
    end
    return ready
  end)
end

--- With the first of these that is there: lua-posix, LuaJIT's FFI, LuaSocket.
function poll.any(...)
  check.surplus(0, ...)
  for _, name in ipairs { "posix", "ffi", "luasocket" } do
    local found, loop = pcall(poll[name])
    if found then return loop end
  end
  error(core.error("Error", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
    "dgram.poll finds nothing to wait with: install lua-posix or LuaSocket, or give dgram.poll a function"), 0)
end

return setmetatable(poll, { __call = function(_, ...) return poll.new(...) end })
