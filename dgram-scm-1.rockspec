-- Where the repository lives: the only place that says so.
local repository = "https://dgram.example/dgram"

rockspec_format = "3.0"
package = "dgram"
version = "scm-1"

source = {
  url = "git+" .. repository,
}

description = {
  homepage = repository,
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

-- luv may well come from elsewhere, as Debian's lua-luv: docs/install.md says how luarocks is told.
dependencies = {
  "lua >= 5.1",
  "luv",
}

-- Straight into the rock's own folders, in one step: the type "builtin" would leave objects beside the sources. CMakeLists.txt
-- says what nodelete is for; Apple's linker does not know it.
build = {
  type = "command",
  install_command = [[
    set -e
    mkdir -p '$(LIBDIR)/dgram' '$(LUADIR)'
    uname | grep -q Darwin || set -- -Wl,-z,nodelete
    $(CC) $(CFLAGS) $(LIBFLAG) "$@" -I'$(LUA_INCDIR)' csrc/*/*.c -o '$(LIBDIR)/dgram/core.so'
    cp -R lua/dgram '$(LUADIR)'
  ]],
}

-- Builds, and runs the spec; arguments after "--" are busted's.
test = {
  type = "command",
  command = "scripts/test.sh",
}
