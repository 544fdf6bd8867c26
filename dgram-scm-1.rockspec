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
        "csrc/api/blocklists.c",
        "csrc/api/check.c",
        "csrc/api/memberships.c",
        "csrc/api/module.c",
        "csrc/api/options.c",
        "csrc/api/queue_methods.c",
        "csrc/api/raw_options.c",
        "csrc/api/rule_arguments.c",
        "csrc/api/stats.c",
        "csrc/loop/idle.c",
        "csrc/loop/interval_timer.c",
        "csrc/loop/luv.c",
        "csrc/loop/state.c",
        "csrc/loop/turn.c",
        "csrc/loop/uncaught.c",
        "csrc/lua/advice.c",
        "csrc/lua/arguments.c",
        "csrc/lua/errno_name.c",
        "csrc/lua/error.c",
        "csrc/lua/registry.c",
        "csrc/net/address.c",
        "csrc/net/address_cache.c",
        "csrc/net/ancillary.c",
        "csrc/net/blocklist.c",
        "csrc/net/cmsg.c",
        "csrc/net/descriptor.c",
        "csrc/net/error_queue.c",
        "csrc/net/fifo.c",
        "csrc/net/interface.c",
        "csrc/net/membership.c",
        "csrc/net/option.c",
        "csrc/net/option_name.c",
        "csrc/net/queue.c",
        "csrc/net/rule.c",
        "csrc/net/timer.c",
        "csrc/net/transmit.c",
        "csrc/net/unix_file.c",
        "csrc/socket/adopt.c",
        "csrc/socket/asked.c",
        "csrc/socket/batch.c",
        "csrc/socket/bind.c",
        "csrc/socket/buffers.c",
        "csrc/socket/callbacks.c",
        "csrc/socket/close.c",
        "csrc/socket/connect.c",
        "csrc/socket/create.c",
        "csrc/socket/destination.c",
        "csrc/socket/dispatch.c",
        "csrc/socket/drain.c",
        "csrc/socket/icmp.c",
        "csrc/socket/intake.c",
        "csrc/socket/lanes.c",
        "csrc/socket/list_callback.c",
        "csrc/socket/listen.c",
        "csrc/socket/lone.c",
        "csrc/socket/moderation.c",
        "csrc/socket/pair.c",
        "csrc/socket/ready.c",
        "csrc/socket/receive.c",
        "csrc/socket/reply.c",
        "csrc/socket/report.c",
        "csrc/socket/send.c",
        "csrc/socket/send_many.c",
        "csrc/socket/send_names.c",
        "csrc/socket/send_options.c",
        "csrc/socket/send_queue.c",
        "csrc/socket/socket.c",
        "csrc/socket/take.c",
        "csrc/socket/timers.c",
        "csrc/socket/watch.c",
        "csrc/socket/work.c",
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
    ["dgram.receive"] = "lua/dgram/receive.lua",
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
