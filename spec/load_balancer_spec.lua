-- SPDX-License-Identifier: MIT
-- Servers behind nginx as a load balancer for UDP: clients and nginx in one network namespace, two servers in another.
local loop = require "spec.support.loop"
local can = require "spec.support.can"
local child = require "spec.support.child"
local example = require "spec.support.example"
local namespaces = require "spec.support.namespace"
local unix = require "spec.support.unix"
local uv = require "luv"

local need = can.need

-- The namespace is ours, so any port is free. A question is a session of its own: one answer ends it. A server that has failed
-- is left alone for longer than the spec takes.
local configuration = [[
%s
daemon off; master_process off; pid %s/pid; error_log stderr notice;
events { }
stream {
  upstream servers {
    server 10.77.0.2:%d max_fails=1 fail_timeout=10m;
    server 10.77.0.2:%d max_fails=1 fail_timeout=10m;
  }
  server { listen 127.0.0.1:5300 udp; proxy_pass servers; proxy_responses 1; proxy_timeout 1m; }
}
]]

--- nginx, and the line that loads its module for streams, or nil and what is missing.
local function nginx_with_streams()
  local nginx, reason = example.peer "nginx"
  if not nginx then return nil, reason end
  local features = child.start(nginx, { "-V" }):wait().err
  if features:find "%-%-with%-stream " or features:find "%-%-with%-stream\n" then return nginx, "" end
  local folder = features:match "%-%-modules%-path=(%S+)" or "/usr/lib/nginx/modules"
  local module = folder .. "/ngx_stream_module.so"
  if not uv.fs_access(module, "R") then return nil, "nginx has no module for streams" end
  return nginx, ("load_module %s;"):format(module)
end

local function start()
  need(pending, namespaces.possible())
  local nginx, module = nginx_with_streams()
  need(pending, nginx, module)
  local near, far = namespaces.pair()
  local t = { clients = near:program(), servers = {}, ports = {} }
  for i = 1, 2 do
    t.servers[i] = far:program()
    t.ports[i] = t.servers[i]:call([[
      s = dgram.createSocket("udp4", function(msg, rinfo) s:reply(msg .. " %d " .. rinfo.address, rinfo) end)
      s:bindSync { address = "10.77.0.2" }
      return s:address().port
    ]], i)
  end
  local folder = unix.folder()
  local path = unix.file(folder .. "/conf", configuration:format(module, folder, t.ports[1], t.ports[2]))
  t.nginx = child.start(can.program "ip",
    { "netns", "exec", near.name, nginx, "-p", folder, "-e", "stderr", "-c", path })
  t.nginx:expect("nginx/[%d.]+\n", "err") -- it has its port by then
  return t
end

local function failures(t)
  local _, count = t.nginx.err:gsub("%[error%]", "")
  return count
end

--- A client asks once. Returns the number of the server that answered, or nil where nginx says that it had no answer.
local function ask(t, number)
  local before = failures(t)
  t.clients:call([[got = {} s = new "udp4" s:connectSync(5300, "127.0.0.1") s:send "%d"]], number)
  local deadline, answer = uv.hrtime() + 20e9
  repeat
    assert(uv.hrtime() < deadline, "neither an answer nor a failure")
    answer = t.clients:call "return got[1] and got[1].msg or false"
  until answer or failures(t) > before
  t.clients:call "s:close()"
  if not answer or answer == "" then return nil end -- nginx 1.22 sends an empty datagram where it has no answer
  local echo, server, seen = answer:match "^(%d+) (%d) (%S+)$"
  assert.same({ tostring(number), "10.77.0.1" }, { echo, seen }) -- the server sees nginx, not the client
  return tonumber(server)
end

describe("behind nginx, across two namespaces", function()
  loop.guard()

  it("servers share the questions, and the death of one costs one question", function()
    local t = start()
    local count = { 0, 0 }
    for number = 1, 10 do
      local server = ask(t, number)
      count[server] = count[server] + 1
    end
    assert.same({ 5, 5 }, count)

    t.servers[1].process:kill "sigkill"
    t.servers[1].process:wait()
    local lost = 0
    for number = 11, 30 do
      local server = ask(t, number)
      if not server then lost = lost + 1 else assert.equal(2, server) end
    end
    assert.equal(1, lost)
    assert.equal(1, failures(t))

    t.nginx:stop()
    t.servers[2]:stop()
    t.clients:stop()
    loop.run()
  end)
end)
