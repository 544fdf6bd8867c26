-- No window: the example runs anywhere.
function love.conf(t) -- luacheck: ignore
  t.identity = "dgram-example"
  t.modules.audio, t.modules.graphics, t.modules.sound, t.modules.window = false, false, false, false
end
