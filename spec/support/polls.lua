-- SPDX-License-Identifier: MIT
-- luv's polls where they fail.

local uv = require "luv"

local polls = {}

--- Runs body() while luv starts no poll.
function polls.without(body)
  local start = uv.poll_start
  uv.poll_start = function() return nil, "ENOMEM: not enough memory", "ENOMEM" end
  local ok, err = pcall(body)
  uv.poll_start = start
  if not ok then error(err, 0) end
end

return polls
