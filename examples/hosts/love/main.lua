-- Two players in a game of LOVE, without luv: each frame makes a turn of dgram's loop, in love.update.
--
--   sh scripts/with.sh luajit love examples/hosts/love [FRAMES]
--
-- Plays so many frames (30 if not given), prints how many each player saw of the other's, and ends. Only love's `timer` and
-- `event` are needed, so it runs without a window, too.
local dgram = require "dgram"

local love = love -- luacheck: ignore
local frames, frame = 30, 0
local players = {}

local function player(name)
  local self = { name = name, x = 0, seen = 0, socket = dgram.createSocket "udp4" }
  self.socket:bind(0, "127.0.0.1")
  self.socket:on("message", function(msg)
    local x = tonumber(msg:match "^x=(%d+)$")
    if x then self.seen, self.other = self.seen + 1, x end -- anybody may send anything
  end)
  return self
end

function love.load(arguments)
  frames = tonumber(arguments[1]) or frames
  dgram.setLoop(require "dgram.poll".any()) -- LOVE has LuaSocket and FFI, but no luv
  players = { player "one", player "two" }
end

local function finish()
  for _, each in ipairs(players) do
    local text = "player %s saw the other %d times in %d frames, last at %s"
    print(text:format(each.name, each.seen, frames, each.other))
    each.socket:close()
  end
  while dgram.step(100) do end
  love.event.quit()
end

function love.update()
  if frame == frames then return finish() end
  frame = frame + 1
  for i, each in ipairs(players) do
    each.x = each.x + 1
    each.socket:send("x=" .. each.x, players[3 - i].socket:address().port, "127.0.0.1")
  end
  for _ = 1, 3 do dgram.step() end -- what was sent in this frame comes in it, here where both are one program
  if love.timer then love.timer.sleep(1 / 60) end -- without a window nothing else waits for the next frame
end
