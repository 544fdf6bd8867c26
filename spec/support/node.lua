-- SPDX-License-Identifier: MIT
-- Node beside dgram: all cases of spec/support/node_cases*.lua, run by one Node process.

local uv = require "luv"
local can = require "spec.support.can"
local child = require "spec.support.child"

local node = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\" }

local json

local function is_list(value)
  return value["$"] == nil and (value[1] ~= nil or next(value) == nil)
end

local function json_fields(value)
  local parts = {}
  for key, each in pairs(value) do
    if type(key) == "string" then parts[#parts + 1] = json(key) .. ":" .. json(each) end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function json_list(value)
  local parts = {}
  for i = 1, #value do parts[i] = json(value[i]) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function json_string(value)
  return '"' .. value:gsub('["\\]', escapes):gsub("[^ -~]", function(char)
    return ("\\u%04x"):format(char:byte())
  end) .. '"'
end

-- A step has its call as a list, and other fields beside it.
local function json_step(step)
  local fields = { call = {} }
  for i = 1, #step do fields.call[i] = step[i] end
  for key, each in pairs(step) do
    if type(key) == "string" then fields[key] = each end
  end
  return fields
end

local function with_steps(list)
  local steps = {}
  for i, step in ipairs(list) do
    local fields = json_step(step)
    if fields.on then
      local on = {}
      for event, each in pairs(fields.on) do on[event] = with_steps(each) end
      fields.on = on
    end
    steps[i] = fields
  end
  return steps
end

function json(value)
  if type(value) == "string" then return json_string(value) end
  if type(value) == "number" then return ("%.14g"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  if value["$"] == "cb" then
    return json_fields { ["$"] = "cb", cb = value.cb, all = value.all, steps = with_steps(value.steps) }
  end
  if is_list(value) then return json_list(value) end
  return json_fields(value)
end

local function parse_line(line)
  local log = {}
  for entry in line:gmatch '"([^"]*)"' do log[#log + 1] = entry end
  return log
end

--- Where the programs for Node are.
node.folder = debug.getinfo(1, "S").source:match "^@(.*)node%.lua$"

--- Runs the cases: returns their logs, by name. One process for all, as starting Node takes longer than most cases.
function node.run(program, cases)
  local scripts = {}
  for i, case in ipairs(cases) do scripts[i] = with_steps(case.steps) end
  local process = child.start(program, { node.folder .. "node_driver.js" })
  process:write(json_list(scripts))
  process:end_input()
  process:wait(60)
  if process.status ~= 0 then error("Node ended with status " .. process.status .. ": " .. process.err) end
  local logs = {}
  local i = 0
  for line in process.out:gmatch "[^\n]+" do
    i = i + 1
    logs[cases[i].name] = parse_line(line)
  end
  if i ~= #cases then error("Node ran " .. i .. " cases of " .. #cases .. ": " .. process.err) end
  return logs
end

local function major(program)
  local process = child.start(program, { "--version" }):wait()
  return tonumber(process.out:match "^v(%d+)") or 0
end

--- The Node to compare with, the one whose API dgram has: the machine's own, or scripts/node26.sh's. Or nil and the reason.
function node.program()
  for _, program in ipairs { "build/node26/node", (can.program "node") } do
    if uv.fs_access(program, "X") and major(program) == 26 then return program end
  end
  return nil, os.getenv "DGRAM_NO_NODE26" or "there is no Node 26 (scripts/node26.sh installs one)"
end

--- A Node to talk to: an older one will do. Or nil and the reason.
function node.peer()
  local program = can.program "node"
  if program and major(program) >= 18 then return program end
  return node.program()
end

return node
