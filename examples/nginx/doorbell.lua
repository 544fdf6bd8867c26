--- Makes dgram a guest in an nginx worker: when its loop has something to do, the worker makes a turn of it.
--
--   init_worker_by_lua_block { require("doorbell").start() }
--
-- nginx cannot watch a descriptor for Lua, but it can wait for bytes on a connection. So a thread waits for dgram's
-- descriptor, and writes a byte to a local connection, whose other end is a cosocket of the worker. The worker makes a
-- turn, and answers with the time that it may take until the next one: that arms the thread again. A worker with nothing
-- to do sleeps.
--
-- doorbell.timer(seconds) is the simple way, without a thread: a turn each so many seconds, whether or not there is
-- something to do. What comes waits for so long, in a receive buffer that has to hold it.
local dgram = require "dgram"

local doorbell = {}

local DAY = 86400
local LONGEST_WAIT = 3600 * 1000 -- milliseconds; the thread would ring long before, if there were anything to do

--- What is raised in listeners and callbacks, and `error` events without a listener, are lines in error.log.
local function log_errors()
  dgram.setUncaughtHandler(function(err, traceback) ngx.log(ngx.ERR, tostring(err), "\n", traceback) end)
end

--- The thread: rings, once each time that it is armed. It has a Lua state, and a loop, of its own. An error that it raised
-- would end the worker.
local function thread(cpath, path, descriptor)
  package.cpath = cpath
  local uv = require "luv"
  local server = uv.new_pipe(false)
  if not server:bind(path) then return end
  server:listen(1, function()
    local worker, poll, timer = uv.new_pipe(false), uv.new_poll(descriptor), uv.new_timer()
    server:accept(worker)
    server:close() -- which removes the file: nobody else is to come
    local function ring()
      poll:stop()
      timer:stop()
      worker:write "!"
    end
    worker:read_start(function(_, milliseconds)
      if not milliseconds then -- the worker has ended the connection
        worker:close() poll:close() timer:close()
        return
      end
      poll:start("r", ring)
      if tonumber(milliseconds) then timer:start(tonumber(milliseconds), 0, ring) end
    end)
  end)
  uv.run()
end

local stopped, ring = false, nil

--- Turns of the loop until nothing is due. nginx gets its share between two of them.
local function turns()
  local wait
  repeat
    dgram.step()
    wait = dgram.timeout()
    if wait == 0 then ngx.sleep(0.001) end
  until wait ~= 0
  return wait
end

--- The folder has no other use than that nobody else can reach what is in it.
local function connect(folder, path)
  local uv, socket = require "luv", ngx.socket.tcp()
  local deadline = ngx.now() + 10
  local done, err = nil, "it has made no socket"
  repeat -- the thread has to begin first; the socket is there a moment before it can be connected to
    ngx.sleep(0.005)
    if uv.fs_access(path, "R") then done, err = socket:connect("unix:" .. path) end
  until done or ngx.now() > deadline
  os.remove(path)
  uv.fs_rmdir(folder)
  if not done then error("cannot connect to the thread: " .. err) end
  return socket
end

--- A turn each time that the bell rings.
local function answer(folder, path)
  local socket = connect(folder, path)
  socket:settimeout(LONGEST_WAIT)
  while true do
    local wait = turns()
    if stopped then break end -- from here to the receive nothing else runs: what rings after this is heard
    assert(socket:send(wait and math.ceil(wait * 1000) or "-"))
    local rung, err = socket:receive(1)
    if not rung and err ~= "timeout" then error("the thread does not ring any more: " .. err) end
  end
  socket:close() -- that ends the thread, which must not outlive the worker's Lua
  doorbell.thread:join()
end

--- For the worker's life, also if that is to end already: the thread has to. Where the bell fails, a timer takes its place.
local function serve(_, folder, path)
  local done, err = pcall(answer, folder, path)
  if done then return end
  ngx.log(ngx.ERR, "doorbell: ", err, "; a turn each 10 ms from now on")
  doorbell.timer(0.01)
end

--- A worker that is to end calls its timers before their time: then fn() is called.
local function at_exit(fn)
  assert(ngx.timer.at(DAY, function(premature)
    if premature then fn() else at_exit(fn) end
  end))
end

--- Has the worker make turns of dgram's loop from now on. To be called in init_worker_by_lua.
-- @param options.on_exit  fn(), which is called when the worker is to end: it closes the sockets
function doorbell.start(options)
  local uv = require "luv"
  options = options or {}
  local folder = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/doorbell-XXXXXX"))
  local path = folder .. "/socket"
  log_errors()
  ring = uv.new_async(function() end)
  ring:unref()
  dgram.onDue(function() ring:send() end)
  doorbell.thread = assert(uv.new_thread(thread, package.cpath, path, dgram.pollfd()))
  at_exit(function()
    stopped = true
    if options.on_exit then options.on_exit() end
    ring:send()
  end)
  assert(ngx.timer.at(0, serve, folder, path))
end

--- The simple way.
-- @param seconds          from one turn to the next: 0.01 costs 0.4 % of a CPU when nothing comes
-- @param options.on_exit  as above
function doorbell.timer(seconds, options)
  log_errors()
  assert(ngx.timer.every(seconds, function() dgram.step() end))
  if options and options.on_exit then
    at_exit(function()
      options.on_exit()
      dgram.step()
    end)
  end
end

return doorbell
