-- SPDX-License-Identifier: MIT
-- What becomes of a datagram. Change this file and send dgram-host a SIGHUP.
return function(socket, msg, rinfo)
  socket:reply("echo: " .. msg, rinfo)
end
