rockspec_format = "3.0"
package = "dgram"
version = "scm-1"

source = {
  url = "git+file://.",
}

description = {
  summary = "Datagram sockets with the API of Node.js's dgram, on luv's event loop",
  detailed = [[
    UDP over IPv4 and IPv6, and Unix datagrams, for Lua programs on luv: sockets that emit events as in Node.js, with
    multicast, host names, block lists and back-pressure, and a C core that owns its descriptors and talks to the
    kernel in batches.
  ]],
  license = "MIT",
  labels = { "udp", "datagram", "unix", "network", "luv", "async" },
}

supported_platforms = { "unix" }

-- luv may well come from elsewhere (Debian's lua-luv, or the host program): then use --deps-mode none.
dependencies = {
  "lua >= 5.1",
  "luv",
}

build = {
  type = "builtin",
  modules = {
    ["dgram.core"] = {
      incdirs = { "csrc" },
      sources = {
        "csrc/net/os_posix.c", -- the first: platforms, below, replaces it
        -- list of C sources (scripts/rockspec.sh writes it)
        "csrc/binding/adopt.c",
        "csrc/binding/advice.c",
        "csrc/binding/alarm.c",
        "csrc/binding/blocklists.c",
        "csrc/binding/buffers.c",
        "csrc/binding/callbacks.c",
        "csrc/binding/check.c",
        "csrc/binding/connect.c",
        "csrc/binding/create.c",
        "csrc/binding/dispatch.c",
        "csrc/binding/endpoint.c",
        "csrc/binding/errno_name.c",
        "csrc/binding/error.c",
        "csrc/binding/group.c",
        "csrc/binding/hub.c",
        "csrc/binding/lanes.c",
        "csrc/binding/life.c",
        "csrc/binding/list.c",
        "csrc/binding/listen.c",
        "csrc/binding/loop.c",
        "csrc/binding/luv.c",
        "csrc/binding/memberships.c",
        "csrc/binding/moderation.c",
        "csrc/binding/module.c",
        "csrc/binding/options.c",
        "csrc/binding/outbox.c",
        "csrc/binding/poll.c",
        "csrc/binding/ready.c",
        "csrc/binding/receive.c",
        "csrc/binding/registry.c",
        "csrc/binding/reply.c",
        "csrc/binding/report.c",
        "csrc/binding/round.c",
        "csrc/binding/rule_arguments.c",
        "csrc/binding/send.c",
        "csrc/binding/send_arguments.c",
        "csrc/binding/socket.c",
        "csrc/binding/stats.c",
        "csrc/binding/tick.c",
        "csrc/binding/turn.c",
        "csrc/binding/uncaught.c",
        "csrc/net/address.c",
        "csrc/net/address_cache.c",
        "csrc/net/blocklist.c",
        "csrc/net/cmsg.c",
        "csrc/net/descriptor.c",
        "csrc/net/fifo.c",
        "csrc/net/interface.c",
        "csrc/net/membership.c",
        "csrc/net/option.c",
        "csrc/net/queue.c",
        "csrc/net/rule.c",
        "csrc/net/timer.c",
        "csrc/net/transmit.c",
        "csrc/net/unix_file.c",
        -- end of list
      },
    },
    -- list of Lua modules (scripts/rockspec.sh writes it)
    ["dgram.bind"] = "lua/dgram/bind.lua",
    ["dgram.connect"] = "lua/dgram/connect.lua",
    ["dgram.emitter"] = "lua/dgram/emitter.lua",
    ["dgram"] = "lua/dgram/init.lua",
    ["dgram.lookup"] = "lua/dgram/lookup.lua",
    ["dgram.options"] = "lua/dgram/options.lua",
    ["dgram.types"] = "lua/dgram/types.lua",
    -- end of list
  },
  platforms = {
    linux = {
      modules = {
        ["dgram.core"] = {
          sources = { "csrc/net/os_linux.c" },
        },
      },
    },
  },
}

test = {
  type = "busted",
}
