--- What the figures depend on: the machine, its kernel, the versions of everything that takes part.
local machine = {}

local function line_of(command)
  local pipe = io.popen(command .. " 2>/dev/null")
  local line = pipe and pipe:read "l"
  if pipe then pipe:close() end
  return line ~= "" and line or nil
end

local function file_line(path, pattern)
  local file = io.open(path)
  if not file then return nil end
  for line in file:lines() do
    local found = line:match(pattern)
    if found then
      file:close()
      return found
    end
  end
  file:close()
end

function machine.has(command) return line_of("command -v " .. command) ~= nil end

--- The interpreter itself: what is on the path may be a script that looks for it.
function machine.python() return line_of "python3 -c 'import sys; print(sys.executable)'" end

local function numbers(list)
  local found = {}
  for first, last in (list or ""):gmatch "(%d+)%-?(%d*)" do
    for cpu = tonumber(first), tonumber(last) or tonumber(first) do found[#found + 1] = cpu end
  end
  return found
end

--- Two CPUs that this process may use; of different cores, if it can be.
-- @return the first, the second, whether they are threads of one core
function machine.cpus()
  local allowed = numbers(file_line("/proc/self/status", "^Cpus_allowed_list:%s*(.*)"))
  assert(#allowed >= 2, "needs two CPUs")
  local siblings = {}
  for _, cpu in ipairs(numbers(file_line(
    ("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list"):format(allowed[1]), "(.*)"))) do
    siblings[cpu] = true
  end
  for i = 2, #allowed do
    if not siblings[allowed[i]] then return allowed[1], allowed[i], false end
  end
  return allowed[1], allowed[2], true
end

local can_pin

--- The beginning of a command that shall run on one CPU; empty where there is no taskset.
function machine.pin(cpu)
  if can_pin == nil then can_pin = machine.has "taskset" end
  return can_pin and ("taskset -c %d"):format(cpu) or ""
end

--- Microseconds in which some program of the machine waited for a CPU, since it started; nil where the kernel does not tell.
function machine.waited()
  return tonumber(file_line("/proc/pressure/cpu", "^some.*total=(%d+)"))
end

--- The share of the time in which the CPUs had nothing to do, during the next so many seconds.
function machine.idle(seconds)
  local function now()
    local user, nice, system, idle = file_line("/proc/stat", "^cpu%s+(.*)"):match "(%d+) (%d+) (%d+) (%d+)"
    return tonumber(idle), user + nice + system + idle
  end
  local idle, total = now()
  os.execute("sleep " .. seconds)
  local later, end_total = now()
  return (later - idle) / math.max(1, end_total - total)
end

--- Seconds since the machine started.
function machine.uptime() return tonumber(file_line("/proc/uptime", "^(%S+)")) end

--- @param options  the driver's
function machine.describe(options)
  local versions = { dgram = line_of "git describe --always --dirty --tags" }
  for lua in options.lua:gmatch "[^,]+" do
    versions[lua] = line_of(lua .. " -v 2>&1")
    versions["luv on " .. lua] = line_of(lua .. [[ -e 'local uv = require "luv" print(uv.version_string())']])
  end
  versions.luasocket = line_of [[lua5.4 -e 'print(require("socket")._VERSION)']]
  versions.cqueues = line_of [[lua5.4 -e 'print(require("cqueues").VERSION)']]
  versions.node, versions.bun = line_of(options.node .. " --version"), line_of(options.bun .. " --version")
  versions.python, versions.cc = line_of "python3 --version", line_of "cc --version"
  return {
    date = os.date "!%Y-%m-%d", kernel = line_of("uname -r"):match "^[%d.]*%d", system = line_of "uname -s -m",
    cpu = file_line("/proc/cpuinfo", "^model name%s*:%s*(.*)"), cpus = tonumber((line_of "nproc")),
    virtual = file_line("/proc/cpuinfo", "^flags.*%f[%w](hypervisor)") ~= nil,
    rmem_max = tonumber(file_line("/proc/sys/net/core/rmem_max", "(%d+)")), versions = versions,
  }
end

return machine
