--- Who is measured, and how each is started. A peer has a command for each role that it can play; where it knows several
-- ways, each is a variant of its own, and the best of them counts.
--
-- Roles, and what the driver fills in: BIN (folder of the C programs), PORT, SIZE (bytes), MS (milliseconds).
--   receive   until the end marker                         send      with a callback each, 64 in flight
--   burst     without callbacks                            fan       the same to 64 addresses in turn
--   pingpong  two sockets on one loop                      crowd     the same beside 10,000 idle sockets
--   echo      a server                                     idle      memory of 10,000 sockets
--   start     the echo server, timed from its start        sendmany  lists of datagrams

--- What runs on Lua, for one interpreter.
local function on_lua(lua)
  local function program(folder)
    return function(text) return ("%s bench/peers/%s/%s"):format(lua, folder, text) end
  end
  local dgram, least, luv, luvit = program "dgram", program "least", program "luv", program "luvit"
  local luasocket, cqueues = program "luasocket", program "cqueues"
  return {
    { name = "dgram", variants = { {
      name = "dgram", receive = dgram "receive.lua", send = dgram "send.lua PORT SIZE MS",
      burst = dgram "burst.lua PORT SIZE MS", fan = dgram "burst.lua PORT SIZE MS 64",
      sendmany = dgram "sendmany.lua PORT SIZE MS", pingpong = dgram "pingpong.lua SIZE MS",
      crowd = dgram "pingpong.lua SIZE MS 10000", echo = dgram "echo.lua", idle = dgram "idle.lua 10000",
      start = dgram "echo.lua",
    } } },
    -- each datagram at once, as the others have it
    { name = "prompt", variants = { { name = "dgram, moderation off", receive = dgram "receive.lua prompt" } } },
    { name = "luv", variants = { {
      name = "luv", receive = luv "receive.lua 1", send = luv "send.lua PORT SIZE MS send",
      burst = luv "burst.lua PORT SIZE MS send", fan = luv "burst.lua PORT SIZE MS send 64",
      pingpong = luv "pingpong.lua SIZE MS send", crowd = luv "pingpong.lua SIZE MS send 10000",
      echo = luv "echo.lua 1 send", idle = luv "idle.lua 10000", start = luv "echo.lua 1 send",
    }, {
      name = "luv, try_send", send = luv "send.lua PORT SIZE MS try", burst = luv "burst.lua PORT SIZE MS try",
      fan = luv "burst.lua PORT SIZE MS try 64", pingpong = luv "pingpong.lua SIZE MS try",
      crowd = luv "pingpong.lua SIZE MS try 10000", echo = luv "echo.lua 1 try",
    }, {
      name = "luv, mmsgs 20", receive = luv "receive.lua 20", echo = luv "echo.lua 20 try",
    } } },
    { name = "least", needs = { lua, "least" }, variants = { {
      name = "least", receive = least "receive.lua", send = least "send.lua PORT SIZE MS",
      burst = least "burst.lua PORT SIZE MS", pingpong = least "pingpong.lua SIZE MS",
    } } },
    { name = "luvit's way", variants = { {
      name = "luvit's way", receive = luvit "receive.lua", send = luvit "send.lua PORT SIZE MS",
      pingpong = luvit "pingpong.lua SIZE MS", echo = luvit "echo.lua", start = luvit "echo.lua",
    } } },
    { name = "luasocket", needs = { lua, "socket" }, variants = { {
      name = "luasocket", receive = luasocket "receive.lua", send = luasocket "send.lua PORT SIZE MS",
      burst = luasocket "send.lua PORT SIZE MS", fan = luasocket "send.lua PORT SIZE MS 64",
      pingpong = luasocket "pingpong.lua SIZE MS", echo = luasocket "echo.lua", start = luasocket "echo.lua",
    } } },
    { name = "cqueues", needs = { lua, "cqueues" }, variants = { {
      name = "cqueues", receive = cqueues "receive.lua", burst = cqueues "burst.lua PORT SIZE MS",
    } } },
  }
end

--- Node's programs, which Bun runs too.
local function on_node(name, command, collecting)
  local function node(text) return ("%s bench/peers/node/%s"):format(command, text) end
  return { name = name, needs = { command }, variants = { {
    name = name, receive = node "receive.js", send = node "send.js PORT SIZE MS", burst = node "burst.js PORT SIZE MS",
    fan = node "burst.js PORT SIZE MS 64", pingpong = node "pingpong.js SIZE MS",
    crowd = node "pingpong.js SIZE MS 10000", echo = node "echo.js", idle = collecting and
      ("%s %s bench/peers/node/idle.js 10000"):format(command, collecting), start = node "echo.js",
  } } }
end

local function on_python(command)
  local function python(text) return ("%s bench/peers/asyncio/%s"):format(command, text) end
  return { name = "asyncio", needs = { command }, variants = { {
    name = "asyncio", receive = python "receive.py", burst = python "burst.py PORT SIZE MS",
    fan = python "burst.py PORT SIZE MS 64", pingpong = python "pingpong.py SIZE MS", echo = python "echo.py",
    start = python "echo.py",
  } } }
end

--- What the kernel can do for a program in C.
local function limits()
  local function sender(mode) return "BIN/load PORT SIZE MS " .. mode end
  return { name = "C", variants = {
    { name = "C, plain", receive = "BIN/receive SIZE plain", send = sender "plain", burst = sender "plain",
      pingpong = "BIN/pingpong SIZE MS", crowd = "BIN/pingpong SIZE MS 10000", echo = "BIN/echo plain",
      start = "BIN/echo plain" },
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

return { on_lua = on_lua, on_node = on_node, on_python = on_python, limits = limits, long_trains = long_trains }
