--- Receiving by calls: receive, receiveMany, messages. A call that waits stands in its socket's queue, first come, first
-- served: a coroutine by itself, the main thread, which runs the loop meanwhile, by a table. The socket's receiver hands each
-- datagram to the listeners and to the first of the queue. While neither is there nothing is taken from the kernel.
local core = require "dgram.core"
local emitter = require "dgram.emitter"
local check = core.check

local Socket = core.methods
local running, resume, yield, status = coroutine.running, coroutine.resume, coroutine.yield, coroutine.status
local is_yieldable, close_coroutine = coroutine.isyieldable, coroutine.close
-- without metamethods, which may raise for what is not declared
local load_text, debug_library = rawget(_G, "loadstring") or load, rawget(_G, "debug")
local info = debug_library and debug_library.getinfo
local traceback = debug_library and debug_library.traceback

--- What core.take may take: from the kernel, too; no more than the turn of the loop has room for.
local FROM_BATCH_IN_TURN, FROM_KERNEL, FROM_KERNEL_IN_TURN = 2, 1, 3
local MOST = 2048 -- datagrams of a receiveMany
local GROUP = 16 -- calls that are ended between two looks at the clock
local LONGEST = 1e12 -- milliseconds: more would not fit in the clocks of all systems

--- What dgram resumes a waiting coroutine with, before what its call is to return.
local token = {}

--- ---- The queue of a socket: [first .. last], emptied to 1 and 0. One that waits alone is C's to know (lone.h); it is
-- brought here where anything else comes to it.
--
-- The collector may run where any function is called (Lua 5.2 has it run there), and finalizers may receive. So the queue is
-- whole at each call, and what was seen before a call is looked at again behind it.

--- From now on the queue has somebody. Whoever waited alone stands in it, too.
local function open_places(queue)
  local lone = core.openQueue(queue.socket)
  if not lone then return end
  local last = queue.last + 1
  queue[last] = lone
  queue.last = last
end

local function bring_lone(queue)
  if queue.last ~= 0 then return end
  open_places(queue)
  if queue.last ~= 0 then return end
  core.closeQueue(queue.socket)
  if queue.last ~= 0 then open_places(queue) end -- for a call that has come meanwhile
end

local function forget_deadline(queue, waiter)
  local deadlines = queue.deadlines
  if not deadlines[waiter] then return end
  deadlines[waiter] = nil
  queue.timed = queue.timed - 1
end

--- Brings in line what depends on how many wait: whether anything is received, and the timer. The timer of one that was
-- served goes on where another with a time-out has come by now; then it rings too early, which does no harm.
local function settle(queue)
  if queue.last == 0 then
    core.closeQueue(queue.socket)
    if queue.last ~= 0 then open_places(queue) end -- for a call that has come meanwhile
    if not queue.listeners then core.setWaiting(queue.socket, false) end
  end
  if queue.timed == 0 and (queue.due or queue.rang) then
    queue.due, queue.rang = nil, nil
    core.setDeadline(queue.socket, nil)
    if queue.due then core.setDeadline(queue.socket, 0) end -- for a call that has come meanwhile
  end
end

--- Takes one out of the queue, wherever it stands. Returns whether it was there.
local function remove(queue, waiter)
  local first, last = queue.first, queue.last
  local at = first
  while at <= last and queue[at] ~= waiter do at = at + 1 end
  local found = at <= last
  if found then
    for i = at, last do queue[i] = queue[i + 1] end
    if first == last then queue.first, queue.last = 1, 0 else queue.last = last - 1 end
  end
  forget_deadline(queue, waiter)
  return found
end

local function give_up(queue, waiter)
  if remove(queue, waiter) then settle(queue) end
end

--- Whether a call waits in the queue, after all that may run finalizers. A call of C makes the stack grow before the look, not
-- behind it: where a stack grows the collector may run.
local function is_queued(queue, waiter)
  running()
  for i = queue.last, queue.first, -1 do
    if queue[i] == waiter then return true end
  end
  return false
end

--- A call in a coroutine waits here until dgram resumes it; whoever else does is yielded to again. Returns the token where it
-- does not stand in the queue any more.
local function wait_in_coroutine(queue)
  if not is_yieldable and not is_queued(queue, running()) then return token end
  local first, message, rinfo
  repeat first, message, rinfo = yield() until first == token
  return message, rinfo
end

--- The same where a coroutine can be closed (Lua 5.4 and later): one that is leaves the queue.
local closable = load_text([[
local yield, token = ...
return function(queue)
  local _ <close> = queue
  local first, message, rinfo
  repeat first, message, rinfo = yield() until first == token
  queue.served = true
  return message, rinfo
end]], "=dgram.receive")
local wait = closable and closable(yield, token) or wait_in_coroutine

local metatable = {
  __close = function(queue)
    if queue.served then queue.served = false else give_up(queue, running()) end
  end,
}

--- "suspended" for one that waits; "running" or "normal" for one that is about to, where a finalizer asks; nil for one that
-- does not any more: it is dead; or it could not yield, which Lua 5.1 and 5.2 do not tell before, and goes on elsewhere.
local function waits(waiter)
  if type(waiter) == "table" then return "suspended" end
  local now = status(waiter)
  if is_yieldable then return now ~= "dead" and now or nil end
  if now == "dead" then return nil end
  if not info then return now == "suspended" and now or nil end
  for level = 1, math.huge do
    local frame = info(waiter, level, "f")
    if not frame then return nil end
    if frame.func == wait then return now end
  end
end

--- The one that has waited longest, and how it waits; nil where nobody does.
local function first_of(queue)
  while queue.last ~= 0 do
    local waiter = queue[queue.first]
    local how = waits(waiter)
    if queue[queue.first] == waiter then -- else a finalizer was served
      if how then return waiter, how end
      remove(queue, waiter)
    end
  end
end

--- The same, taken out of the queue; nil where nobody can be served now. Each datagram comes this way, so it does without the
-- search of `remove`.
local function take_first(queue)
  local waiter, how = first_of(queue)
  if how ~= "suspended" then return nil end
  local first = queue.first
  queue[first] = nil
  if first == queue.last then
    queue.first, queue.last = 1, 0
    core.closeQueue(queue.socket) -- the next call of the one that is served may wait alone
    if queue.last ~= 0 then open_places(queue) end
  else
    queue.first = first + 1
  end
  if queue.timed ~= 0 then forget_deadline(queue, waiter) end
  return waiter
end

local function has_waiters(queue)
  bring_lone(queue)
  return first_of(queue) ~= nil
end

local function failed(co, err)
  local trace = traceback and traceback(co)
  if close_coroutine then close_coroutine(co) end
  core.failed(err, trace)
end

--- Lets a call return these two. What its coroutine raises goes where listeners' errors go.
local function wake(waiter, message, rinfo)
  if type(waiter) == "table" then
    waiter.done, waiter.message, waiter.rinfo = true, message, rinfo
    return
  end
  local done, err = resume(waiter, token, message, rinfo)
  if not done then failed(waiter, err) end
end

--- What nobody could be given, after all; it goes first to whoever comes next.
local function put_back(queue, message, rinfo)
  core.setLone(queue.socket, false)
  local entry, new = { message, rinfo }, {}
  local left = queue.left or new
  left[#left + 1] = entry
  queue.left = left
end

local function next_left(queue)
  local left = queue.left
  if not left then return nil end
  local entry = left[1]
  for i = 1, #left do left[i] = left[i + 1] end
  if not left[1] then
    queue.left = nil
    core.setLone(queue.socket, not queue.listeners)
    if queue.left then core.setLone(queue.socket, false) end -- something was put back meanwhile
  end
  return entry[1], entry[2]
end

--- The same for a call: nil where the socket is paused.
local function take_left(queue)
  if not core.isPaused(queue.socket) then return next_left(queue) end
end

--- A socket's receiver: the listeners see a datagram, and then the call that has waited longest.
local function receiver_of(queue, listeners)
  local function serve(message, rinfo)
    local waiter = take_first(queue)
    if waiter then
      wake(waiter, message, rinfo)
    elseif queue.last ~= 0 and pcall(core.callLater, serve, message, rinfo) then
      return -- a finalizer has run the loop before the one that comes next could yield
    elseif not listeners and not core.hasLists(queue.socket) then
      put_back(queue, message, rinfo)
    end
    if queue.last == 0 or queue.timed == 0 then settle(queue) end
  end
  if not listeners then return core.loneServe and core.loneServe(queue.socket, serve, failed, token) or serve end
  return function(message, rinfo)
    local done, err, trace = true, nil, nil
    if queue.last == 0 then
      listeners(message, rinfo)
    else -- the call gets the datagram though a listener raises
      done, err = core.xpcall(listeners, function(raised)
        trace = traceback and traceback()
        return raised
      end, message, rinfo)
    end
    if queue.last ~= 0 and core.state(queue.socket) == "open" then serve(message, rinfo) end
    if not done then core.failed(err, trace) end
  end
end

local function copy(rinfo, size)
  local new = {}
  for name, value in pairs(rinfo) do new[name] = value end
  new.size = size
  return new
end

local function emit_later(self, event, first, second)
  core.callLater(function(...)
    if core.state(self) == "open" then self:emit(event, ...) end
  end, first, second)
end

--- Lets `message` listeners see on the next turn what a call has taken past them. It is the call's in any case: where
-- there is no memory to note it, or no loop, they do not see it.
local function tell_listeners(self, message, rinfo)
  pcall(function() emit_later(self, "message", message, copy(rinfo, #message)) end)
end

--- The same for listeners to `batch`, of what two lists have from `first` on; their lists are their own. Returns whether it
-- is noted.
local function tell_batch_listeners(self, messages, rinfos, first)
  return pcall(function()
    local own_messages, own_rinfos, before, last = {}, {}, nil, nil
    for i = first, #messages do
      if rinfos[i] ~= before then before, last = rinfos[i], copy(rinfos[i], #messages[i]) end
      own_messages[i - first + 1], own_rinfos[i - first + 1] = messages[i], last
    end
    if own_messages[1] then emit_later(self, "batch", own_messages, own_rinfos) end
  end)
end

--- What was kept for whoever comes next is for who listens to `batch` now.
function emitter.joined(self)
  local queue = core.private(self).calls
  if not queue or not queue.left then return end
  local messages, rinfos, told = {}, {}, {}
  for i, entry in ipairs(queue.left or {}) do messages[i], rinfos[i], told[entry] = entry[1], entry[2], true end
  if not tell_batch_listeners(self, messages, rinfos, 1) then return end
  while queue.left and told[queue.left[1]] do next_left(queue) end
end

function emitter.join(self, listeners)
  local queue = core.private(self).calls
  if not queue then return listeners end
  bring_lone(queue)
  queue.listeners = listeners
  core.setLone(self, not listeners and not queue.left)
  core.setWaiting(self, listeners ~= nil or queue.last ~= 0)
  if listeners then
    for message, rinfo in next_left, queue do tell_listeners(self, message, rinfo) end
  end
  return receiver_of(queue, listeners)
end

local guard_metatable = { __close = core.leave }

--- What a call that waits alone closes when its coroutine is closed.
local function guard_of(queue)
  return setmetatable({ queue.socket, function() give_up(queue, running()) end }, guard_metatable)
end

--- The socket's queue, made by the first call that waits.
local function open_queue(self)
  core.needLoop "Waiting for a datagram"
  core.events(self) -- from now on the receiver is more than the one listener
  local private = core.private(self)
  local queue = setmetatable({ socket = self, first = 1, last = 0, timed = 0, deadlines = {} }, metatable)
  if private.calls then return private.calls end -- a finalizer was first
  private.calls = queue
  local done, err = pcall(function()
    core.setWaiting(self, true)
    if core.setGuard then core.setGuard(self, guard_of(queue)) end
    emitter.set_receiver(self, "message")
  end)
  if not done then
    private.calls = nil
    error(err, 0)
  end
  return queue
end

local function arm(queue, due, timeout)
  if queue.due and queue.due <= due then return end
  core.setDeadline(queue.socket, math.ceil(timeout))
  if queue.due and queue.due < due then
    core.setDeadline(queue.socket, 0) -- for a call that has come meanwhile: it rings too early
  else
    queue.due = due
  end
end

local function start_waiting(queue, waiter, timeout)
  if timeout then
    local due = core.clock() + timeout
    queue.deadlines[waiter] = due
    queue.timed = queue.timed + 1
    arm(queue, due, timeout)
  end
  core.setWaiting(queue.socket, true)
end

local function join_queue(queue, waiter, timeout)
  if queue.last == 0 then open_places(queue) end
  local last = queue.last + 1
  queue[last] = waiter
  queue.last = last
  local done, err = pcall(start_waiting, queue, waiter, timeout)
  if done then return end
  pcall(give_up, queue, waiter)
  error(err, 0)
end

local function raise_state(message)
  error(core.error("Error", "ERR_INVALID_STATE", "Invalid state: " .. message), 0)
end

--- Waits outside of a coroutine: runs the loop until the call is served.
local function run_loop(queue, timeout)
  local uv = core.uv()
  if core.inLoop() or (uv and uv.loop_mode and uv.loop_mode()) then
    raise_state "the loop runs already: wait for a datagram in a coroutine, or with a time-out of 0"
  end
  local waiter = {}
  join_queue(queue, waiter, timeout)
  while not waiter.done do
    local done, more = pcall(core.run, "once")
    if done and not more and not waiter.done then
      done, more = pcall(raise_state, "nothing keeps the loop running, so no datagram can come: is the socket bound?")
    end
    if not done then
      if waiter.message then put_back(queue, waiter.message, waiter.rinfo) end
      give_up(queue, waiter)
      error(more, 0)
    end
  end
  return waiter.message, waiter.rinfo
end

local function wait_for_one(queue, timeout)
  local co, is_main = running()
  if not co or is_main then return run_loop(queue, timeout) end
  if is_yieldable and not is_yieldable() then
    raise_state "this coroutine cannot yield here, across a call of C"
  end
  while true do
    join_queue(queue, co, timeout)
    if is_queued(queue, co) then
      local message, rinfo = wait(queue)
      if message ~= token then return message, rinfo end
    end
    -- what a finalizer did inside of that has taken it for dead, because it did not wait yet
    forget_deadline(queue, co)
    settle(queue)
    if core.state(queue.socket) ~= "open" then return nil, "closed" end
    if queue.left and queue.last == 0 then
      local message, rinfo = take_left(queue)
      if message then return message, rinfo end
    end
  end
end

--- ---- Arguments

local function out_of_range(value, name, expected)
  error(core.error("RangeError", "ERR_OUT_OF_RANGE",
    ('The value of "%s" is out of range. It must be %s. Received %s'):format(name, expected, core.describe(value))), 0)
end

--- nil for ever
local function check_timeout(timeout)
  if type(timeout) == "nil" then return nil end
  if type(timeout) ~= "number" then check.wrongType(timeout, "timeoutMs", "a number") end
  if timeout < 0 or timeout ~= timeout then out_of_range(timeout, "timeoutMs", ">= 0") end
  if timeout == math.huge then return nil end
  return timeout < LONGEST and timeout or LONGEST
end

local function check_most(most)
  if type(most) == "nil" then return MOST end
  check.integer(most, "max")
  if most < 1 then out_of_range(most, "max", ">= 1") end
  return most < 2147483647 and most or 2147483647
end

local function has_error_listener(self)
  return core.kept(self, "error") ~= nil
end

--- What a call returns that found nothing: what core.take said, if it said something.
local function nothing(self, said)
  if said == nil then return nil, "timeout" end
  if said == "closed" or not has_error_listener(self) then return nil, said end
  core.emitLater(self, "error", said)
  return nil, "timeout"
end

--- ---- Methods

--- receive(0): what is there now, unless others wait for it.
local function receive_now(self, queue)
  if queue then
    if has_waiters(queue) then return nothing(self, core.state(self) ~= "open" and "closed" or nil) end
    settle(queue)
    if queue.left then
      local message, rinfo = take_left(queue)
      if message then return message, rinfo end
    end
  end
  local message, rinfo, was_announced = core.take(self, FROM_KERNEL)
  if not message then return nothing(self, rinfo) end
  if not was_announced and core.hasLists(self) then tell_batch_listeners(self, { message }, { rinfo }, 1) end
  if core.kept(self, "message") ~= nil then tell_listeners(self, message, rinfo) end
  return message, rinfo
end

--- The next datagram. In a coroutine it yields until there is one; outside of one, with the loop not running, it runs the
-- loop meanwhile. receive(0) never waits, and needs no loop. Of several calls that wait the first is served first; `message`
-- listeners see the datagram, too.
-- @param timeout  milliseconds; nil for no limit
-- @return the message and its rinfo; or nil and "timeout", "closed", or the error that no `error` listener takes
-- Raises ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, and ERR_INVALID_STATE where it cannot wait: the loop runs and this is no
-- coroutine, or nothing keeps the loop running.
local function receive(self, timeout, surplus)
  if surplus ~= nil or surplus then check.surplus(1, timeout, surplus) end -- LuaJIT's null pointers are like nil, and true
  local queue = core.private(self).calls
  if timeout ~= nil or timeout then timeout = check_timeout(timeout) end
  if timeout == 0 then return receive_now(self, queue) end
  if queue then bring_lone(queue) end
  if not queue or queue.listeners or queue.last ~= 0 or queue.left then
    if core.state(self) ~= "open" then return nil, "closed" end
    queue = queue or open_queue(self)
  end
  if queue.last == 0 and not queue.listeners then
    local message, rinfo
    if queue.left then message, rinfo = take_left(queue) end
    if not message then message, rinfo = core.take(self, FROM_BATCH_IN_TURN) end
    if message or rinfo then return message, rinfo end
  end
  return wait_for_one(queue, timeout)
end

Socket.receive = receive

--- Appends what is there to the two lists; tells listeners of it. Returns what core.take said where there is nothing.
local function take_many(self, queue, messages, rinfos, most, from)
  local before = #messages
  while queue and queue.left and #messages < most do
    local message, rinfo = take_left(queue)
    if not message then break end
    local at = #messages + 1
    messages[at], rinfos[at] = message, rinfo
  end
  local beside = #messages
  local done, count, said, announced = pcall(core.takeMany, self, messages, rinfos, most, from)
  if not done then
    if not messages[1] then error(count, 0) end -- else what was taken must not be lost
    rinfos[#messages + 1] = nil
  end
  if core.hasLists(self) then tell_batch_listeners(self, messages, rinfos, beside + (announced or 0) + 1) end
  if #messages > before and core.kept(self, "message") ~= nil then
    for i = beside + 1, #messages do tell_listeners(self, messages[i], rinfos[i]) end
  end
  return said
end

--- As many datagrams as are there: two lists of equal length, the messages and their rinfos. Where there is none it waits for
-- one as receive does, but for no time unless a time-out is given. Datagrams of one sender that follow each other share a
-- rinfo where nothing in it differs; its size is then that of the first.
-- @param most     how many at most; 2,048 unless given
-- @param timeout  milliseconds; 0 unless given
-- @return the lists; or nil and what receive returns then
-- Raises what receive does.
function Socket.receiveMany(self, most, timeout, surplus)
  if surplus ~= nil or surplus then check.surplus(2, most, timeout, surplus) end
  local queue = core.private(self).calls
  most = check_most(most)
  if type(timeout) == "nil" then timeout = 0 else timeout = check_timeout(timeout) end
  if core.state(self) ~= "open" then return nil, "closed" end
  local messages, rinfos = {}, {}
  local said
  if not (queue and has_waiters(queue)) then
    said = take_many(self, queue, messages, rinfos, most, timeout == 0 and FROM_KERNEL or FROM_KERNEL_IN_TURN)
  end
  if messages[1] then return messages, rinfos end
  if timeout == 0 then return nothing(self, said) end
  if said then
    if not has_error_listener(self) then return nil, said end
    core.emitLater(self, "error", said)
  end
  local message, rinfo = wait_for_one(queue or open_queue(self), timeout)
  if not message then return nil, rinfo end
  messages[1], rinfos[1] = message, rinfo
  queue = core.private(self).calls
  if not has_waiters(queue) and core.state(self) == "open" then
    take_many(self, queue, messages, rinfos, most, FROM_KERNEL_IN_TURN)
  end
  return messages, rinfos
end

--- For loops: for message, rinfo in socket:messages() do. Ends when the socket closes; an error that would end receive is
-- raised.
function Socket.messages(self, surplus)
  check.socket(self)
  if surplus ~= nil then check.surplus(0, surplus) end
  return function()
    local message, rinfo = Socket.receive(self)
    if message or rinfo == "closed" then return message, rinfo end
    error(rinfo, 0)
  end
end

--- ---- For C

local calls = {}

--- A table of slots whose target hands back what is delivered to it.
calls.taken = { function(message, rinfo) return message, rinfo end }

--- An `error` event. Returns whether it ended a call that waits.
function calls.fail(self, err)
  local queue = core.private(self).calls
  if not queue or err == nil or has_error_listener(self) or not has_waiters(queue) then return false end
  local waiter = take_first(queue)
  if waiter then wake(waiter, nil, err) end
  settle(queue)
  return waiter ~= nil
end

local function end_all(queue)
  for _ = 1, GROUP do
    local waiter = take_first(queue)
    if not waiter then break end
    wake(waiter, nil, "closed")
  end
  settle(queue)
  return queue.last ~= 0
end

--- Moves those whose time is over from the queue to the list of the expired, and starts the timer for the others.
local function expire(queue)
  local time, nearest = core.clock(), nil
  local deadlines, expired = queue.deadlines, {}
  if queue.expired then return end -- a finalizer was first; from here to the end of the queue no function is called
  for i = queue.first, queue.last do
    local due = deadlines[queue[i]]
    if due and due <= time then
      expired[#expired + 1] = queue[i]
    elseif due and (not nearest or due < nearest) then
      nearest = due
    end
  end
  queue.expired, queue.ended = expired, 0 -- from here on nothing of it can fail
  local first, last, kept = queue.first, queue.last, queue.first - 1
  for i = first, last do
    local waiter = queue[i]
    local due = deadlines[waiter]
    queue[i] = nil
    if due and due <= time then
      deadlines[waiter] = nil
      queue.timed = queue.timed - 1
    else
      kept = kept + 1
      queue[kept] = waiter
    end
  end
  if kept < first then queue.first, queue.last = 1, 0 else queue.last = kept end
  queue.due, queue.rang = nil, true
  if nearest then arm(queue, nearest, nearest - time) end
end

--- Ends some calls: those whose time is over, or all where the socket has been closed. Returns whether there are more.
function calls.finish(self)
  local queue = core.private(self).calls
  if not queue then return false end
  bring_lone(queue)
  if core.state(self) ~= "open" and not queue.expired then return end_all(queue) end
  if not queue.expired then expire(queue) end
  for _ = 1, GROUP do
    local at = queue.ended + 1
    local waiter = queue.expired and queue.expired[at] -- a call that was woken may have run the loop, which came here
    if not waiter then
      queue.expired = nil
      break
    end
    local how = waits(waiter)
    if how and how ~= "suspended" then return true end -- a finalizer has run the loop before it could yield
    queue.ended = at
    if how then wake(waiter, nil, "timeout") end
  end
  settle(queue)
  return queue.expired ~= nil or (queue.last ~= 0 and core.state(self) ~= "open")
end

--- Where C can yield again, the common call is its own. To be called when C knows the hooks.
function calls.open()
  if core.loneReceive then Socket.receive = core.loneReceive(receive, token) end
end

return calls
