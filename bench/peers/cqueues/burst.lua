-- Sends through a connected socket (cqueues has no other), 256 at a turn of the loop. Arguments: PORT SIZE MILLISECONDS
local cqueues, socket = require "cqueues", require "cqueues.socket"

local port, payload, milliseconds = tonumber(arg[1]), ("x"):rep(tonumber(arg[2])), tonumber(arg[3])
local udp = assert(socket.connect { host = "127.0.0.1", port = port, type = socket.SOCK_DGRAM })
udp:setmode("bn", "bn")

local sent = 0
local start, cpu = cqueues.monotime(), os.clock()
local loop = cqueues.new()
loop:wrap(function()
  repeat
    for _ = 1, 256 do assert(udp:write(payload)) end
    sent = sent + 256
    cqueues.sleep(0)
  until cqueues.monotime() - start >= milliseconds / 1e3
end)
assert(loop:loop())
print(("count=%d bytes=%d seconds=%.6f cpu=%.6f"):format(
  sent, sent * #payload, cqueues.monotime() - start, os.clock() - cpu))
