--- What is measured. Each measure names the role that a peer plays and the figure that is taken from the runs:
--   rate   datagrams per second (more is better; in all others less is)
--   cpu    microseconds of CPU time for each datagram
--   turn   microseconds for each round
--   bytes  for each socket
--   time   milliseconds
-- `against` names the measure whose figures of the others a figure is compared with, `beside` the one before, with whose
-- figure of its own it is: they are measured in the same rounds.
return {
  { name = "receive-gso-64", title = "receive, 64 B, from a GSO sender", role = "receive", size = 64, load = "gso",
    figure = "rate" },
  { name = "receive-gso-1200", title = "receive, 1200 B, from a GSO sender", role = "receive", size = 1200,
    load = "gso", figure = "rate" },
  { name = "receive-paced", title = "receive, 64 B, 100,000 a second", role = "receive", size = 64, load = "paced",
    figure = "cpu" },
  { name = "receive-plain", title = "receive, 64 B, one sender without pause", role = "receive", size = 64,
    load = "plain", figure = "cpu" },
  { name = "send-64", title = "send, 64 B, a callback each, 64 in flight", role = "send", size = 64,
    figure = "rate" },
  { name = "send-1200", title = "send, 1200 B, a callback each, 64 in flight", role = "send", size = 1200,
    figure = "rate" },
  { name = "burst-64", title = "send, 64 B, without callbacks, in bursts", role = "burst", size = 64, figure = "rate" },
  { name = "sendmany-64", title = "sendMany, 64 B", role = "sendmany", size = 64, figure = "rate",
    against = "burst-64" },
  { name = "fan-64", title = "send, 64 B, to 64 addresses in turn", role = "fan", size = 64, figure = "rate" },
  { name = "pingpong", title = "ping-pong, 64 B, both ends on one loop", role = "pingpong", size = 64,
    figure = "turn" },
  { name = "crowd", title = "ping-pong beside 10,000 idle sockets", role = "crowd", size = 64,
    figure = "turn", beside = "pingpong" },
  { name = "echo-gso", title = "echo server, 64 B, client with GSO", role = "echo", size = 64, load = "gso",
    figure = "rate" },
  { name = "echo-mmsg", title = "echo server, 64 B, client without GSO", role = "echo", size = 64, load = "mmsg",
    figure = "rate" },
  { name = "idle", title = "memory of an idle bound socket", role = "idle", size = 0, figure = "bytes" },
  { name = "start", title = "start, bind, first datagram answered", role = "start", size = 5, figure = "time" },
}
