-- A game of 60 frames a second, for two players who tell each other where they are, without luv: dgram's loop is one of
-- dgram.poll, and each frame makes a turn of it.
--
--   sh scripts/with.sh luajit luajit examples/hosts/game-loop.lua [FRAMES]
--
-- Both players are in this one program. Plays so many frames (30 if not given), prints what each player saw of the other,
-- and ends. In LOVE the body of the loop stands in love.update, and love waits for the next frame.
local dgram = require "dgram"
local poll = require "dgram.poll"

local frames = tonumber(arg[1] or 30)
local loop = poll.any()
dgram.setLoop(loop)

local function player(name)
  local socket = dgram.createSocket("udp4")
  local self = { name = name, socket = socket, x = 0, seen = 0, other = nil }
  socket:bind(0, "127.0.0.1")
  socket:on("message", function(msg)
    local x = tonumber(msg:match "^x=(%d+)$")
    if x then self.seen, self.other = self.seen + 1, x end -- anybody may send anything
  end)
  return self
end

local function update(self, peer)
  self.x = self.x + 1
  self.socket:send(("x=%d"):format(self.x), peer.socket:address().port, "127.0.0.1")
end

local one, two = player "one", player "two"

-- A frame every 1/60 s: what is left of its time is spent waiting for datagrams.
local start = loop.now()
for frame = 1, frames do
  update(one, two)
  update(two, one)
  repeat
    loop.update_time()
    local left = start + frame * 1000 / 60 - loop.now()
    dgram.step(math.max(left, 0))
    loop.update_time()
  until loop.now() >= start + frame * 1000 / 60
end

for _, each in ipairs { one, two } do
  print(("player %s saw the other %d times in %d frames, last at %s"):format(each.name, each.seen, frames, each.other))
  each.socket:close()
end
while dgram.step(100) do end
