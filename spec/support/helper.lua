-- SPDX-License-Identifier: MIT
-- Loaded by busted before the first spec.
local busted = require "busted"

-- busted gives each spec an environment of some 2 KB, and keeps it to the end of the run. The specs collect garbage all the
-- time: most of the run went into walking through what nobody reads any more.
busted.subscribe({ "test", "end" }, function(element)
  element.env = nil
  return nil, true
end)

-- DGRAM_LOOP=poll: the specs run without luv, on a loop of dgram.poll's.
if os.getenv "DGRAM_LOOP" == "poll" then
  package.preload.luv = function() return require "spec.support.poll_loop" end
end
