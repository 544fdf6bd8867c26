--- Who is measured, and how each is started. A peer has a command for each role that it can play; where it knows several
-- ways, each is a variant of its own, and the best of them counts.
--
-- Roles, and what the driver fills in: BIN (folder of the C programs), PORT, SIZE (bytes), MS (milliseconds).
--   receive   until the end marker                         sink      the same, and answers one in 100
--   send      with a callback each, 64 in flight           burst     without callbacks
--   fan       the same to 64 addresses in turn             sendmany  lists of datagrams
--   echo      a server                                     idle      memory of 10,000 sockets
--   start     the echo server, timed from its start

local function program(command, folder)
  return function(text) return ("%s bench/peers/%s/%s"):format(command, folder, text) end
end

local function dgram(lua)
  local text = program(lua, "dgram")
  return {
    name = "dgram", receive = text "receive.lua", sink = text "receive.lua 100", send = text "send.lua PORT SIZE MS",
    burst = text "burst.lua PORT SIZE MS", fan = text "burst.lua PORT SIZE MS 64",
    sendmany = text "sendmany.lua PORT SIZE MS", echo = text "echo.lua", idle = text "idle.lua 10000",
    start = text "echo.lua",
  }
end

--- One of several builds of dgram.
-- @param folder   a checkout, built for that Lua
-- @param options  of each socket, as in `moderation=50`
local function build(label, folder, lua, options)
  local cpath = "LUA_CPATH"
  if lua:find "^lua5%.[2-9]" then cpath = cpath .. "_5_" .. lua:match "%d$" end
  return { name = label, label = label, lua = lua, variants = { dgram(lua) }, env = {
    DGRAM_OPTIONS = options, LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(folder, folder),
    [cpath] = ("%s/build/%s/?.so;;"):format(folder, lua),
  } }
end

--- What runs on Lua, for one interpreter.
local function on_lua(lua)
  local least, luv, luvit = program(lua, "least"), program(lua, "luv"), program(lua, "luvit")
  local luasocket, cqueues = program(lua, "luasocket"), program(lua, "cqueues")
  return {
    { name = "dgram", variants = { dgram(lua) } },
    { name = "moderated", env = { DGRAM_OPTIONS = "moderation=50" }, variants = { {
      name = "dgram, moderation = 50", receive = program(lua, "dgram") "receive.lua",
      sink = program(lua, "dgram") "receive.lua 100",
    } } },
    { name = "batch", variants = { { name = "dgram, event batch", receive = program(lua, "dgram") "batch.lua" } } },
    { name = "busy", env = { DGRAM_OPTIONS = "busyPoll=50" }, variants = { {
      name = "dgram, busyPoll = 50", echo = program(lua, "dgram") "echo.lua",
    } } },
    { name = "luv", variants = { {
      name = "luv", receive = luv "receive.lua 1", sink = luv "receive.lua 1 100",
      send = luv "send.lua PORT SIZE MS send",
      burst = luv "burst.lua PORT SIZE MS send", fan = luv "burst.lua PORT SIZE MS send 64",
      echo = luv "echo.lua 1 send", idle = luv "idle.lua 10000", start = luv "echo.lua 1 send",
    }, {
      name = "luv, try_send", send = luv "send.lua PORT SIZE MS try", burst = luv "burst.lua PORT SIZE MS try",
      fan = luv "burst.lua PORT SIZE MS try 64", echo = luv "echo.lua 1 try",
    }, {
      name = "luv, mmsgs 20", receive = luv "receive.lua 20", sink = luv "receive.lua 20 100",
      echo = luv "echo.lua 20 try",
    } } },
    { name = "least", needs = { lua, "least" }, variants = { {
      name = "least", receive = least "receive.lua", send = least "send.lua PORT SIZE MS",
      burst = least "burst.lua PORT SIZE MS", echo = least "echo.lua",
    } } },
    { name = "luvit's way", variants = { {
      name = "luvit's way", receive = luvit "receive.lua", send = luvit "send.lua PORT SIZE MS",
      sink = luvit "receive.lua 100", echo = luvit "echo.lua", start = luvit "echo.lua",
    } } },
    { name = "luasocket", needs = { lua, "socket" }, variants = { {
      name = "luasocket", receive = luasocket "receive.lua", send = luasocket "send.lua PORT SIZE MS",
      burst = luasocket "send.lua PORT SIZE MS", fan = luasocket "send.lua PORT SIZE MS 64",
      sink = luasocket "receive.lua 100", echo = luasocket "echo.lua", start = luasocket "echo.lua",
    } } },
    { name = "cqueues", needs = { lua, "cqueues" }, variants = { {
      name = "cqueues", receive = cqueues "receive.lua", burst = cqueues "burst.lua PORT SIZE MS",
    } } },
  }
end

--- Node's programs, which Bun runs too.
local function on_node(name, command, collecting)
  local node = program(command, "node")
  return { name = name, needs = { command }, variants = { {
    name = name, receive = node "receive.js", sink = node "receive.js 100", send = node "send.js PORT SIZE MS",
    burst = node "burst.js PORT SIZE MS", fan = node "burst.js PORT SIZE MS 64", echo = node "echo.js",
    idle = collecting and program(command .. " " .. collecting, "node") "idle.js 10000", start = node "echo.js",
  } } }
end

local function on_python(command)
  local python = program(command, "asyncio")
  return { name = "asyncio", needs = { command }, variants = { {
    name = "asyncio", receive = python "receive.py", sink = python "receive.py 100",
    burst = python "burst.py PORT SIZE MS", fan = python "burst.py PORT SIZE MS 64", echo = python "echo.py",
    start = python "echo.py",
  } } }
end

--- What the kernel can do for a program in C.
local function limits()
  local function sender(mode) return "BIN/load PORT SIZE MS " .. mode end
  return { name = "C", variants = {
    { name = "C, plain", receive = "BIN/receive SIZE plain", send = sender "plain", burst = sender "plain",
      echo = "BIN/echo plain", start = "BIN/echo plain" },
    { name = "C, epoll", receive = "BIN/receive SIZE epoll" },
    { name = "C, mmsg", receive = "BIN/receive SIZE mmsg", send = sender "mmsg", burst = sender "mmsg",
      fan = sender "fan" },
    { name = "C, gso/gro", receive = "BIN/receive SIZE gro", send = sender "gso", burst = sender "gso",
      echo = "BIN/echo gso" },
  } }
end

--- The same with trains of up to 128 datagrams, which not every kernel takes.
local function long_trains()
  local sender = "BIN/load PORT SIZE MS long"
  return { name = "C 128", variants = { { name = "C, gso of 128", burst = sender } } }
end

return {
  build = build, on_lua = on_lua, on_node = on_node, on_python = on_python, limits = limits, long_trains = long_trains,
}
