--- What is measured. Each measure names the role that a peer plays, what the C program at the other end does, and the figures
-- that count; by the first the best way of a peer is chosen. Less is better in all of them:
--   time           microseconds for each datagram
--   cpu            microseconds of CPU time of the measured program for each
--   p50, p90, p99  microseconds that so many of a hundred datagrams, or answers, took at most
--   bytes          for each socket
--   start          milliseconds
-- `against` names the measure whose figures of the others a figure is compared with.
local function echo(name, title, load)
  return { name = "echo-" .. name, title = "echo server, 64 B, " .. title, role = "echo", size = 64, load = load,
    figures = { "cpu", "time", "p50", "p90", "p99" } }
end

local function paced(name, title, rate, role)
  return { name = "paced-" .. name, title = "receive, 64 B, " .. title, role = role or "receive", size = 64,
    load = "paced " .. rate, figures = { "cpu", "p50", "p90", "p99" } }
end

local function flood(size)
  return { name = "flood-" .. size, title = ("receive, %d B, from a GSO sender"):format(size), role = "receive",
    size = size, load = "gso", figures = { "cpu", "time" } }
end

local function sending(name, title, role, size, against)
  return { name = name, title = title, role = role, size = size, figures = { "cpu", "time" }, against = against }
end

return {
  echo("1", "one in flight", "each 1"),
  echo("64", "64 in flight", "each 64"),
  echo("gso", "64 in flight, client with GSO", "gso 64"),
  echo("many", "64 in flight, of 1,000 addresses", "many 64"),
  paced("20k", "20,000 a second", 20000),
  paced("100k", "100,000 a second", 100000),
  paced("sink", "100,000 a second, one in 100 answered", 100000, "sink"),
  flood(64),
  flood(1200),
  sending("send-64", "send, 64 B, a callback each, 64 in flight", "send", 64),
  sending("send-1200", "send, 1200 B, a callback each, 64 in flight", "send", 1200),
  sending("burst-64", "send, 64 B, without callbacks, in bursts", "burst", 64),
  sending("sendmany-64", "sendMany, 64 B", "sendmany", 64, "burst-64"),
  sending("fan-64", "send, 64 B, to 64 addresses in turn", "fan", 64),
  { name = "idle", title = "memory of an idle bound socket", role = "idle", size = 0, figures = { "bytes" } },
  { name = "start", title = "start, bind, first datagram answered", role = "start", size = 5, figures = { "start" } },
}
