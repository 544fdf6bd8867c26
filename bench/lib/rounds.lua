--- Runs a plan of measures, round by round: what is compared was measured within the same seconds.
local machine, run, stats = require "machine", require "run", require "stats"
local rounds = {}

local MOST_WAITING = 0.05 -- of the time: above it somebody else used the CPUs
local QUIET = 0.9 -- of the CPUs' time is idle
local ENOUGH_QUIET = 3
local MOST_TRIES = 3 -- for one round: a peer with threads of its own disturbs itself

local function listed(name, list)
  if not list then return true end
  for beginning in list:gmatch "[^,]+" do
    if name:find(beginning, 1, true) == 1 then return true end
  end
  return false
end

--- All runs of one measure.
local function entries(measure, peers)
  local found = {}
  for _, peer in ipairs(peers) do
    for _, variant in ipairs(peer.variants) do
      local command = variant[measure.role]
      if command then
        found[#found + 1] = { measure = measure, peer = peer, variant = variant, command = command, got = {} }
      end
    end
  end
  return found
end

--- What there is to run: a list of lists of entries, one for each measure whose name begins as one of `only`.
-- Ends the program where there is none.
function rounds.plan(measures, peers, only)
  local plan, names = {}, {}
  for i, measure in ipairs(measures) do
    local each = listed(measure.name, only) and entries(measure, peers) or {}
    if each[1] then plan[#plan + 1] = each end
    names[i] = measure.name
  end
  if plan[1] then return plan end
  io.stderr:write("nothing to measure: no measure that somebody can take part in begins so. They are: ",
    table.concat(names, ", "), "\n")
  os.exit(1)
end

local patience -- seconds left for repeating what others disturbed, and for waiting until they do no more

local function wait_for_quiet()
  while patience > 0 and machine.idle(0.25) < QUIET do patience = patience - 0.25 end
end

local function one(entry)
  local got, why
  local tries = 0
  repeat
    tries = tries + 1
    got, why = run.once(entry)
    if not got then
      entry.failed = why
      return
    end
    got.disturbed = got.waiting ~= nil and got.waiting > MOST_WAITING
    if got.disturbed then
      patience = patience - got.took
      wait_for_quiet()
    end
  until not got.disturbed or patience <= 0 or tries == MOST_TRIES
  return got
end

local function progress(options, text)
  if options.terminal then
    io.stderr:write(text)
    io.stderr:flush()
  end
end

--- Runs a plan. Who begins changes from round to round.
-- @param options  rounds, patience (seconds), terminal (whether there is one to write progress to)
function rounds.run(plan, options)
  patience = options.patience
  local at, total = 0, 0
  for _, each in ipairs(plan) do total = total + #each * options.rounds end
  for _, each in ipairs(plan) do
    for round = 1, options.rounds do
      for i = 1, #each do
        local entry = each[(i + round) % #each + 1]
        at = at + 1
        progress(options, ("\r[%3d/%d] %-70s"):format(at, total,
          ("%s: %s, round %d"):format(entry.measure.name, entry.peer.label, round)))
        if not entry.failed then entry.got[round] = one(entry) end
      end
    end
  end
  progress(options, "\r\27[K")
  for _, each in ipairs(plan) do
    for _, entry in ipairs(each) do rounds.settle(entry) end
  end
end

--- The values of a figure that count: of the undisturbed rounds, if there are enough of them.
function rounds.values(entry, figure)
  local quiet, any = {}, {}
  for _, got in ipairs(entry.got) do
    local value = got.figures[figure]
    any[#any + 1] = value
    if not got.disturbed then quiet[#quiet + 1] = value end
  end
  return #quiet >= ENOUGH_QUIET and quiet or any
end

--- Sets `median` and `spread`, both by figure, and `quiet`, the number of undisturbed rounds.
function rounds.settle(entry)
  entry.quiet, entry.median, entry.spread = 0, {}, {}
  for _, got in ipairs(entry.got) do
    if not got.disturbed then entry.quiet = entry.quiet + 1 end
    for figure in pairs(got.figures) do
      local values = rounds.values(entry, figure)
      entry.median[figure], entry.spread[figure] = stats.median(values), stats.spread(values)
    end
  end
end

return rounds
