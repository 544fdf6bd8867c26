-- SPDX-License-Identifier: MIT
-- Loaded by busted before the first spec.
local busted = require "busted"

-- busted gives each spec an environment of some 2 KB, and keeps it to the end of the run. The specs collect garbage all the
-- time: most of the run went into walking through what nobody reads any more.
busted.subscribe({ "test", "end" }, function(element)
  element.env = nil
  return nil, true
end)
