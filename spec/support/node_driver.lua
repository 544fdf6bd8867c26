-- SPDX-License-Identifier: MIT
-- Runs one case of spec/support/node_cases*.lua on dgram and returns the list of what happened. node_driver.js does the same
-- on Node, step for step.
--
-- A case is a list of steps, a step a table: {target, method, arguments...}, and by name what else there is to say.
--   { "new", NAME, ARGUMENTS of createSocket }   kind = "emitter", "blocklist" or "signal" makes these instead (a signal
--                                 with aborted = true); every event of a socket is logged, unless bare = true or
--                                 without = {EVENTS}; on = {EVENT = STEPS} is done in the event
--   { NAME, METHOD, ... }         a call; show = true logs its result; get = true reads a field instead
--   { "wait", ENTRY, TIMES }      until so many entries of the log begin like this
--   { "settle", MILLISECONDS }    some time for whatever else may come
--   { "abort", NAME }             a signal's event
--   { "say", TEXT }, { "raise", MESSAGE }
-- Arguments that need a word of their own are made by the functions of spec/support/node_words.lua.

local dgram = require "dgram"
local uv = require "luv"
local loop = require "spec.support.loop"

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

local logged = { "listening", "connect", "message", "error", "close" }

local run -- the case that runs: { log, names, ports, callbacks, open }


local learn_ports

local function say(entry)
  if not run then return end
  learn_ports()
  run.log[#run.log + 1] = (entry:gsub("[^ -~]", "?"):gsub('["\\]', "?"))
end

local function name_of(value)
  for name, made in pairs(run.names) do
    if rawequal(made, value) then return name end
  end
end

-- Ports differ from run to run: the log has the socket's name in their place.
function learn_ports()
  for name, made in pairs(run.names) do
    if dgram.isSocket(made) then
      local bound, own = pcall(made.address, made)
      if bound and own.port and not run.ports[own.port] then run.ports[own.port] = name end
    end
  end
end

local function port_text(port)
  learn_ports()
  return run.ports[port] and "<" .. run.ports[port] .. ">" or ("%d"):format(port)
end

local function is_error(value)
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta.__name == "dgram.Error"
end

local function error_text(err)
  if not is_error(err) then return "Error " .. tostring(err) end
  local parts = { err.name, err.code }
  if err.syscall and not err.code:find "^ERR_" then parts[#parts + 1] = err.syscall end
  parts[#parts + 1] = err.hostname
  -- Node's errors of memberships do not name the group
  if not tostring(err.syscall):find "Membership$" then parts[#parts + 1] = err.address end
  if err.port then parts[#parts + 1] = port_text(err.port) end
  return table.concat(parts, " ")
end

local text

local function list_text(value)
  local parts = {}
  for i, each in ipairs(value) do parts[i] = text(each) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function fields_text(value)
  local parts = {}
  for key, each in pairs(value) do parts[#parts + 1] = key .. "=" .. text(each, key) end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

function text(value, key)
  local kind = type(value)
  if kind == "nil" then return "nothing" end
  if kind == "string" then return #value > 60 and #value .. " bytes" or "'" .. value .. "'" end
  if kind == "number" and key == "port" then return port_text(value) end
  if kind == "number" then return ("%.14g"):format(value) end
  if kind == "function" then return kind end
  if is_error(value) then return error_text(value) end
  local name = name_of(value)
  if name then return name end
  if kind ~= "table" then return tostring(value) end
  return next(value) == nil and "[]" or value[1] ~= nil and list_text(value) or fields_text(value)
end

local function texts(...)
  local list = {}
  for i = 1, select("#", ...) do list[i] = text((select(i, ...))) end
  while list[#list] == "nothing" do list[#list] = nil end
  return table.concat(list, ", ")
end

local steps

local function callback(spec)
  return function(...)
    local first = ...
    if is_error(first) and not spec.all then
      say(spec.cb .. "(" .. texts(first) .. ")")
    else
      say(spec.cb .. "(" .. texts(...) .. ")")
    end
    steps(spec.steps or {})
  end
end

-- An error with a code, as a resolver makes them.
local function faulty(code)
  return setmetatable({ name = "Error", code = code, message = code }, { __name = "dgram.Error" })
end

local function lookup(spec)
  return function(hostname, _, answer)
    say("lookup " .. text(hostname))
    if spec.raises then error(spec.raises, 0) end
    local function finish()
      if spec.fails then answer(faulty(spec.fails)) else answer(nil, spec.answer, 4) end
    end
    if spec.now then return finish() end
    local timer = uv.new_timer()
    timer:start(5, 0, function()
      timer:close()
      finish()
    end)
  end
end

local words = {
  lookup = lookup,
  ["nil"] = function() end,
  nan = function() return 0 / 0 end,
  huge = function() return math.huge end,
  rep = function(word) return word.text:rep(word.times) end,
  port = function(word) return run.names[word.of]:address().port end,
  made = function(word) return run.names[word.of] end,
  cb = function(word)
    run.callbacks[word.cb] = run.callbacks[word.cb] or callback(word)
    return run.callbacks[word.cb]
  end,
}

local function argument(value)
  if type(value) ~= "table" then return value end
  if value["$"] then return words[value["$"]](value) end
  local made = {}
  for key, each in pairs(value) do made[key] = argument(each) end
  return made
end

local function arguments(step)
  local count, list = #step - 2, {}
  for i = 1, count do list[i] = argument(step[i + 2]) end
  return unpack(list, 1, count)
end

local function make(step)
  if step.kind == "emitter" then return dgram.EventEmitter() end
  if step.kind == "blocklist" then return dgram.BlockList() end
  if step.kind == "signal" then
    local signal = dgram.EventEmitter()
    signal.aborted = step.aborted
    return signal
  end
  return dgram.createSocket(arguments(step))
end

local function contains(list, value)
  for _, each in ipairs(list or {}) do
    if each == value then return true end
  end
end

local function listen(step, name, socket)
  for _, event in ipairs(step.bare and {} or logged) do
    if not contains(step.without, event) then
      socket:on(event, function(...)
        local arguments_text = select("#", ...) > 0 and " " .. texts(...) or ""
        say(name .. " " .. event .. arguments_text)
        steps((step.on or {})[event] or {})
      end)
    end
  end
end

local function create(step)
  local name = step[2]
  local done, made = pcall(make, step)
  if not done then return say(("new %s raised %s"):format(name, error_text(made))) end
  run.names[name] = made
  if dgram.isSocket(made) then
    run.open[#run.open + 1] = made
    listen(step, name, made)
  end
  say("new " .. name)
end

local function call(step)
  local name, method = step[1], step[2]
  local target, has = run.names[name], nil
  if target == nil then return say("there is no " .. name) end
  local done, result = pcall(function()
    local value = target[method]
    has = value ~= nil
    if step.get or not has then return value end
    return value(target, arguments(step))
  end)
  if done and not has then return say(name .. " has no " .. method) end
  if not done then return say(("%s.%s raised %s"):format(name, method, error_text(result))) end
  say(name .. "." .. method .. (step.show and " = " .. text(result) or ""))
end

local function one(step)
  local target, value = step[1], step[2]
  if target == "new" then
    create(step)
  elseif target == "say" then
    say(value)
  elseif target == "abort" then
    run.names[value].aborted = true
    run.names[value]:emit "abort"
  elseif target == "raise" then
    error(value, 0)
  else
    call(step)
  end
end

function steps(list)
  if not run then return end
  for _, step in ipairs(list) do one(step) end
end

-- A timer keeps the loop alive meanwhile, as Node's does. It repeats: a loop that runs "once" calls the timers that are due and
-- then still waits for something to happen.
local function turns(milliseconds, condition)
  local over = false
  local timer = uv.new_timer()
  uv.update_time()
  timer:start(milliseconds, milliseconds, function() over = true end)
  while not over and not (condition and condition()) do dgram.run "once" end
  timer:close()
  return over
end

local function seen(prefix, times)
  local count = 0
  for _, entry in ipairs(run.log) do
    if entry:sub(1, #prefix) == prefix then count = count + 1 end
  end
  return count >= times
end

local function perform(list)
  for _, step in ipairs(list) do
    local target, value, times = step[1], step[2], step[3] or 1
    if target == "wait" then
      local late = turns(loop.deadline * 1000, function() return seen(value, times) end)
      if late then error(("waited in vain for %d x %s"):format(times, value), 0) end
    elseif target == "settle" then
      turns(value or 5)
    else
      one(step)
    end
  end
  turns(2)
end

--- Runs a case; returns its log.
return function(list)
  run = { log = {}, names = {}, ports = {}, callbacks = {}, open = {} }
  dgram.setUncaughtHandler(function(err) say("uncaught " .. error_text(err)) end)
  local done, message = pcall(perform, list)
  if not done then say("FAILED " .. tostring(message)) end
  local log, open = run.log, run.open
  run = nil
  for _, socket in ipairs(open) do
    socket:removeAllListeners()
    socket:on("error", function() end)
    pcall(socket.close, socket)
  end
  turns(1)
  dgram.setUncaughtHandler(nil)
  return log
end
