-- SPDX-License-Identifier: MIT
-- Runs of datagrams: how many, how long, what is in them, and whether they came as they were sent.
-- It needs no loop and no dgram, so that programs in other processes can use it as well.

local trains = {}

--- What one segmented send can carry is 64, or 128 with newer kernels; these lie around them, and several of them in one.
trains.runs = { 1, 2, 63, 64, 65, 128, 129, 1000 }

local mixture = { 100, 100, 100, 99, 0, 1, 0, 0, 1200, 1200, 1200, 1200, 7, 1472, 1473, 1473, 17, 9000, 9000, 300, 2 }

local function always(size)
  return function() return size end
end

local function cycle(list)
  return function(i) return list[(i - 1) % #list + 1] end
end
trains.cycle = cycle

--- How long the i-th datagram of a run of n is.
trains.sizes = {
  ["empty"] = always(0),
  ["of one byte"] = always(1),
  ["equal, 64 to a train"] = always(100),
  ["equal, fewer to a train"] = always(1472), -- 44 of them fill the largest send
  ["shrinking"] = function(i, n) return n - i + 1 end,
  ["growing"] = function(i) return i end,
  ["mixed"] = cycle(mixture),
}

-- A length that no size above divides, so that a cut in a wrong place shows.
local letters = {}
for i = 1, 251 do letters[i] = string.char((i * 7) % 256) end
local filler = table.concat(letters):rep(264)

--- The i-th datagram: different from its neighbours from the first byte on.
function trains.payload(i, size)
  if size == 0 then return "" end
  return (string.char(i % 256) .. ("%05d:"):format(i) .. filler:sub(1 + i % 251, i % 251 + size)):sub(1, size)
end

--- A run: a list of n datagrams, numbered from `first` (1 unless given) on.
function trains.run(n, size, first)
  local list = {}
  for i = 1, n do list[i] = trains.payload(i + (first or 1) - 1, size(i, n)) end
  return list
end

--- The first difference between what was to come and what came (each {msg = ..., rinfo = ...}), in words; or nil.
function trains.difference(wanted, got)
  for i = 1, math.max(#wanted, #got) do
    local one = got[i]
    if not one then return ("number %d of %d is missing"):format(i, #wanted) end
    if not wanted[i] then return ("%d came instead of %d"):format(#got, #wanted) end
    if one.msg ~= wanted[i] then
      return ("number %d has %d bytes instead of %d, beginning with %q instead of %q"):format(
        i, #one.msg, #wanted[i], one.msg:sub(1, 7), wanted[i]:sub(1, 7))
    end
    if one.rinfo.size ~= #wanted[i] then return ("number %d says it has %s bytes"):format(i, one.rinfo.size) end
    if one.rinfo.truncated then return ("number %d says it is cut"):format(i) end
  end
end

--- How many datagrams of the list, from the first-th on, surely have room in a receive buffer of so many bytes.
-- The kernel counts what it has allocated for them: up to twice their size, and a header.
function trains.fitting(list, first, room)
  local n, used = 0, 0
  while list[first + n] do
    used = used + 2 * #list[first + n] + 1280
    if used > room and n > 0 then break end
    n = n + 1
  end
  return n
end

return trains
