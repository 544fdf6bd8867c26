-- SPDX-License-Identifier: MIT
-- Random walks over the sockets' methods: spec/support/fuzz.lua says what they do and what must be true.
-- DGRAM_FUZZ_SEED=n and DGRAM_FUZZ_STEPS=n have one again; scripts/fuzz.sh takes thousands.
local child = require "spec.support.child"
local loop = require "spec.support.loop"

local WALKS = 30

describe("a random walk over the sockets' methods", function()
  loop.guard()

  local function walk(seed)
    local source = ("package.path, package.cpath = %q, %q; arg = { %q }; dofile 'spec/support/fuzz.lua'"):format(
      package.path, package.cpath, seed)
    local process = child.start(child.interpreter(), { "-e", source }, { own = true }):wait(60)
    assert.same({ "ok\n", 0, 0 }, { process.out, process.status, process.signal },
      ("seed %d: %s"):format(seed, process.err))
  end

  local only = tonumber(os.getenv "DGRAM_FUZZ_SEED")
  it(only and "with one seed" or ("with %d seeds"):format(WALKS), function()
    for seed = only or 1, only or WALKS do walk(seed) end
  end)
end)
