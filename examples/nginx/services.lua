--- What the example serves: counters over UDP ("name:3|c", as statsd's clients send them), whose totals are a page, and an
-- echo. Each worker runs this, on the same two ports.
local dgram = require "dgram"
local doorbell = require "doorbell"
local ports = require "ports"

local services = {}

local kept, totals = ngx.shared.ports, ngx.shared.totals

--- For init_by_lua: the only place that knows the ports.
function services.bind()
  ports.bind(kept, "metrics", { type = "udp4", address = "127.0.0.1", port = 8125, recvBufferSize = 1000000 })
  ports.bind(kept, "echo", { type = "udp4", address = "127.0.0.1", port = 8107 })
end

--- Adds the counters of a datagram, a line each. A line that is none raises, which is a line in error.log.
local function count(msg)
  for line in msg:gmatch "[^\n]+" do
    local name, value = line:match "^([%w_.-]+):(%-?%d+)|c$"
    if not name then error("no counter: " .. line) end
    assert(totals:incr(name, tonumber(value), 0))
  end
end

--- For init_worker_by_lua.
function services.start()
  services.metrics = ports.adopt(kept, "metrics", count)
  services.echo = ports.adopt(kept, "echo", function(msg, rinfo) services.echo:reply(msg, rinfo) end)
  services.client = dgram.createSocket "udp4"
  doorbell.start {
    on_exit = function()
      for _, socket in ipairs { services.metrics, services.echo, services.client } do socket:close() end
    end,
  }
end

--- For content_by_lua: the totals, sorted.
function services.show()
  local names = totals:get_keys(0)
  table.sort(names)
  ngx.header.content_type = "text/plain"
  for _, name in ipairs(names) do ngx.say(name, " ", totals:get(name)) end
end

--- For content_by_lua: a request that sends a datagram, and does not wait. Listeners and callbacks of dgram's run outside
-- of requests: they may log and use shared dictionaries, but not answer a request, sleep, or use cosockets.
function services.push(line)
  services.client:send(line, services.metrics:address().port, "127.0.0.1", function(err)
    assert(totals:incr(err and "push.failed" or "push.sent", 1, 0))
  end)
  ngx.say "sent"
end

return services
