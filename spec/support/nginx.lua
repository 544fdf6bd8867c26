-- SPDX-License-Identifier: MIT
-- A real nginx that serves examples/nginx from a folder of its own: a process of the test, ended by its id.

local can = require "spec.support.can"
local child = require "spec.support.child"
local file = require "spec.support.file"
local loop = require "spec.support.loop"
local unix = require "spec.support.unix"
local uv = require "luv"

local nginx = {}
nginx.__index = nginx

local lua_module = "usr/lib/nginx/modules/ngx_http_lua_module.so"

--- The folder of an nginx that has Lua: that of scripts/nginx.sh, or the machine's; or nil and the reason.
function nginx.installed()
  if not rawget(_G, "jit") then return nil, "nginx has LuaJIT, and needs the build for that" end
  for _, root in ipairs { uv.cwd() .. "/build/nginx/", "/" } do
    if uv.fs_access(root .. lua_module, "R") then return root end
  end
  return nil, "there is no nginx with Lua (scripts/nginx.sh gets one)"
end

--- Replaces each text by the other one; each must be there.
local function replace(text, list)
  for from, to in pairs(list) do
    local first, last = text:find(from, 1, true)
    assert(first, "the example has no " .. from)
    while first do
      text = text:sub(1, first - 1) .. to .. text:sub(last + 1)
      first, last = text:find(from, first + #to, true)
    end
  end
  return text
end

-- Ports that are free, a page that tells them, a socket in the place of the HTTP port, and folders that this user may have.
local function configuration(root, folder)
  return {
    ["/usr/lib/nginx/"] = root .. "usr/lib/nginx/",
    ["$prefix/?.lua;;"] = ("$prefix/?.lua;%susr/share/lua/5.1/?.lua;;"):format(root),
    ["access_log off;"] = "access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; " ..
      "uwsgi_temp_path tmp; scgi_temp_path tmp;",
    ["listen 127.0.0.1:8080;"] = ("listen unix:%s/http; "):format(folder) .. [[
        location = /ports { content_by_lua_block {
          local services = require "services"
          ngx.say(services.metrics:address().port, " ", services.echo:address().port)
        } }]],
  }
end

--- Starts the nginx of that folder. `changes` to services.lua are {from = to}.
function nginx.start(root, changes)
  local folder = unix.folder()
  assert(uv.fs_chmod(folder, 493)) -- 0755: the workers are another user
  for _, name in ipairs { "doorbell.lua", "ports.lua" } do
    file.write(folder .. "/" .. name, file.read("examples/nginx/" .. name))
  end
  local services = replace(file.read "examples/nginx/services.lua",
    { ["port = 8125"] = "port = 0", ["port = 8107"] = "port = 0" })
  file.write(folder .. "/services.lua", replace(services, changes or {}))
  file.write(folder .. "/nginx.conf", replace(file.read "examples/nginx/nginx.conf", configuration(root, folder)))
  local env = {}
  for name, value in pairs(uv.os_environ()) do
    if not name:find "^LUA_" then env[#env + 1] = name .. "=" .. value end
  end
  env[#env + 1] = "LUA_PATH=" .. package.path:gsub("%./", uv.cwd() .. "/")
  env[#env + 1] = "LUA_CPATH=" .. package.cpath:gsub("%./", uv.cwd() .. "/")
  local machine = rawget(_G, "jit").arch == "x64" and "x86_64" or "aarch64"
  if root ~= "/" then env[#env + 1] = ("LD_LIBRARY_PATH=%susr/lib/%s-linux-gnu"):format(root, machine) end
  local self = setmetatable({ folder = folder }, nginx)
  self.process = child.start(root .. "usr/sbin/nginx", { "-p", folder, "-c", "nginx.conf", "-g", "daemon off;" },
    { env = env })
  loop.wait(function() return self.process.open < 3 or uv.fs_access(folder .. "/http", "R") end, 20)
  self.metrics, self.echo = self:get("/ports"):match "(%d+) (%d+)"
  self.metrics, self.echo = tonumber(self.metrics), tonumber(self.echo)
  assert(self.metrics and self.echo, self:log())
  return self
end

--- The body of a page.
function nginx:get(path)
  local process = child.start(assert(can.program "curl"), { "-sS", "--max-time", "20", "--unix-socket",
    self.folder .. "/http", "http://localhost" .. path }):wait(30)
  if process.status ~= 0 then error(process.err .. self:log()) end
  return process.out
end

--- The total of a counter.
function nginx:total(name)
  return tonumber(("\n" .. self:get "/totals"):match("\n" .. name:gsub("%p", "%%%0") .. " (%-?%d+)\n")) or 0
end

--- error.log so far.
function nginx:log() return file.read(self.folder .. "/error.log") .. self.process.err end

--- Waits until fn() is true, which may take a request.
function nginx.wait(fn, seconds)
  local deadline = uv.hrtime() + (seconds or 20) * 1e9
  while not fn() do
    if uv.hrtime() > deadline then error("not within the time", 2) end
    loop.pass(10)
  end
end

--- The ids of its workers, those that are to end included, as a list.
function nginx:workers()
  local list = {}
  for pid in file.read(("/proc/%d/task/%d/children"):format(self.process.pid, self.process.pid)):gmatch "%d+" do
    list[#list + 1] = tonumber(pid)
  end
  return list
end

function nginx:signal(name) self.process:kill(name) end

--- Ends it, well; returns its error.log.
function nginx:stop()
  self.process:kill "sigquit"
  if not pcall(self.process.wait, self.process, 30) then -- a worker that does not end would outlive its master
    for _, pid in ipairs(self:workers()) do uv.kill(pid, "sigkill") end
    self.process:wait(30)
    error("nginx did not end:\n" .. self:log())
  end
  return self:log()
end

return nginx
