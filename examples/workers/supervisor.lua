-- Serves one UDP port by several processes, and keeps them going: one that dies is started again.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/workers/supervisor.lua [PORT] [ADDRESS] [WORKERS] [FILE]
--
-- PORT is 41234 if not given, ADDRESS 127.0.0.1, WORKERS the number of CPUs. FILE is what each worker runs: worker.lua beside
-- this file, which says what a worker has to do. kill -HUP starts new workers, which read FILE again, one after the other; an
-- old one ends when its successor is ready. kill -USR1 prints how they are. Ctrl-C or kill ends them all.
--
-- Each worker has a socket of its own, and the kernel spreads the clients over these (`reusePort`). The supervisor makes the
-- sockets and keeps them open: while a worker is away, what is sent to it waits in its socket for the next one.
local dgram = require "dgram"
local uv = require "luv"
local folder = arg[0]:match ".*/" or ""
local program = dofile(folder .. "../lib/program.lua")

-- Bytes: the room of a socket for what waits while its worker is away. The system may give less.
local buffer_size = 2 ^ 20
-- Milliseconds: how long to wait before a worker is started again. It doubles; a worker that lived long begins anew.
local shortest, longest, long_life = 100, 5000, 2000
-- Milliseconds: when a worker that was told to end is killed.
local patience = 5000

-- A slot has a socket; `worker`, the process that serves it; `successor`, one that was started and is not ready yet;
-- `stale`: it is to get a successor. A worker that was told to end has a `deadline`.
local slots, alive, signals, file = {}, {}, {}, nil
local listening, stopping = false, false
local advance -- a function, below

local function after(milliseconds, callback)
  local timer = uv.new_timer()
  timer:start(milliseconds, 0, dgram.protect(callback))
  return timer
end

local function name_of(worker)
  return ("worker %d (process %d)"):format(worker.slot.number, worker.pid)
end

local function end_worker(worker)
  if worker.deadline then return end
  worker.handle:kill "sigterm"
  worker.deadline = after(patience, function() worker.handle:kill "sigkill" end)
end

local function ready(worker)
  local slot = worker.slot
  local old = slot.worker
  slot.worker, slot.successor = worker, nil
  print(name_of(worker) .. " is ready")
  if old then end_worker(old) end
  advance()
end

local function report()
  for _, slot in ipairs(slots) do
    print(("worker %d: process %s; %s; dropped, the buffer being full: %s"):format(slot.number,
      slot.worker and slot.worker.pid or "none", program.counted(slot.deaths, "death"),
      slot.socket:stats().dropped or "unknown"))
  end
end

local function finish()
  if next(alive) then return end
  report()
  for _, slot in ipairs(slots) do slot.socket:close() end
end

--- A worker is gone. Its slot needs another one, unless that is there, or it was told to end.
local function gone(worker, how)
  local slot = worker.slot
  if stopping then return finish() end
  if worker.deadline then return advance() end
  if not listening then program.fail(("%s %s before it was ready"):format(name_of(worker), how)) end
  program.complain(("%s %s%s"):format(name_of(worker), how, worker == slot.successor and " before it was ready" or ""))
  if worker == slot.worker then slot.worker = nil else slot.successor = nil end
  slot.deaths = slot.deaths + 1
  if not slot.worker and not slot.successor then
    local short_life = uv.now() - worker.since < long_life
    slot.delay = short_life and math.min(math.max(2 * slot.delay, shortest), longest) or 0
    slot.timer = after(slot.delay, function()
      slot.stale = true
      advance()
    end)
  end
  advance()
end

local function start(slot)
  if slot.timer then slot.timer:close() end
  slot.timer, slot.stale = nil, false
  local control = uv.new_pipe(false)
  local worker = { slot = slot, since = uv.now() }
  local paths = ("package.path, package.cpath = %q, %q"):format(package.path, package.cpath) -- it finds what we find
  -- The socket is none of the descriptors 0, 1 and 2: libuv makes those blocking, for all who share the open file.
  local handle, pid = uv.spawn(uv.exepath(), {
    args = { "-e", paths, file, tostring(slot.number) },
    stdio = { 0, 1, 2, slot.socket:fileno(), control },
    detached = true, -- Ctrl-C is for the supervisor alone
  }, dgram.protect(function(status, signal)
    alive[worker] = nil
    worker.handle:close()
    control:close()
    if worker.deadline then worker.deadline:close() end
    gone(worker, signal ~= 0 and ("was ended by signal %d"):format(signal) or ("ended with status %d"):format(status))
  end))
  if not handle then program.fail("no worker can be started: " .. tostring(pid)) end
  worker.handle, worker.pid, slot.successor, alive[worker] = handle, pid, worker, true
  control:read_start(dgram.protect(function(_, line)
    if line and worker == slot.successor and not stopping then ready(worker) end
  end))
end

--- Starts what is missing, and then one successor at a time.
function advance()
  if stopping then return end
  local complete = true
  for _, slot in ipairs(slots) do
    if slot.stale and not slot.worker and not slot.successor then start(slot) end
    complete = complete and slot.worker
  end
  if complete and not listening then
    listening = true
    program.say_listening(slots[1].socket)
  end
  for worker in pairs(alive) do
    if worker.deadline or worker == worker.slot.successor then return end
  end
  for _, slot in ipairs(slots) do
    if slot.stale then return start(slot) end
  end
end

local function restart()
  for _, slot in ipairs(slots) do slot.stale = true end
  advance()
end

local function stop()
  stopping = true
  for _, signal in pairs(signals) do signal:close() end
  for _, slot in ipairs(slots) do
    if slot.timer then slot.timer:close() end
  end
  for worker in pairs(alive) do end_worker(worker) end
  finish()
end

local port, address, count, chosen = program.words("[PORT] [ADDRESS] [WORKERS] [FILE]", 0, 4)
port = program.port(port, 41234)
address = program.address(address, "127.0.0.1")
count = program.number(count, #uv.cpu_info(), 1, 1024, "WORKERS")
file = chosen or folder .. "worker.lua"
if not uv.fs_access(file, "R") then program.fail("there is no file " .. file) end

-- Another supervisor of this user would share its port with us: a socket without `reusePort` finds out.
local probe = dgram.createSocket(program.kind_of(address))
local free, taken = pcall(probe.bindSync, probe, { port = port, address = address })
if not free then program.fail(taken.message) end
port = probe:address().port
probe:close()

for number = 1, count do
  local socket = dgram.createSocket {
    type = program.kind_of(address), reusePort = count > 1, recvBufferSize = buffer_size,
  }
  local bound, err = pcall(socket.bindSync, socket, { port = port, address = address })
  if not bound then program.fail(err) end
  slots[number] = { number = number, socket = socket, deaths = 0, delay = 0 }
end

for name, callback in pairs { sighup = restart, sigusr1 = report } do
  signals[name] = uv.new_signal()
  signals[name]:start(name, dgram.protect(callback))
end
program.on_interrupt(stop)
restart()
dgram.run()
