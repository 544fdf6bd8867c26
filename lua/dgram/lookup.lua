--- Names to addresses, through luv's getaddrinfo(3). Look-ups of one name by one socket that are under way at the same
-- time are one, so that what is sent to the name keeps its order.
local core = require "dgram.core"
local find_uv = require "dgram.luv"

local lookup = {}

--- socket -> name -> list of those who wait; weak, for sockets that go.
local waiting = setmetatable({}, { __mode = "k" })

--- Node.js' names for the resolver's errors; others keep theirs.
local codes = { EAI_NONAME = "ENOTFOUND", EAI_NODATA = "ENOTFOUND" }

--- libuv's numbers for them, the same on every system.
local numbers = {
  EAI_ADDRFAMILY = -3000, EAI_AGAIN = -3001, EAI_BADFLAGS = -3002, EAI_FAIL = -3003, EAI_FAMILY = -3004,
  EAI_MEMORY = -3005, EAI_CANCELED = -3006, EAI_NODATA = -3007, EAI_NONAME = -3008, EAI_OVERFLOW = -3009,
  EAI_SERVICE = -3010, EAI_SOCKTYPE = -3011, EAI_BADHINTS = -3013, EAI_PROTOCOL = -3014,
}

local function failure(name, reason)
  local code = codes[reason] or reason
  return core.error("Error", code, ("getaddrinfo %s %s"):format(code, name),
    { syscall = "getaddrinfo", hostname = name, errno = numbers[reason] or numbers.EAI_FAIL })
end

--- The system's resolver. cb(err, address)
local function resolve(uv, name, family, cb)
  local function answer(reason, list)
    local first = list and list[1]
    if reason or not first then return cb(failure(name, reason or "EAI_NONAME")) end
    cb(nil, first.addr)
  end
  local hints = { family = family == 6 and "inet6" or "inet", socktype = "dgram" }
  local request, _, reason = uv.getaddrinfo(name, nil, hints, answer)
  if not request then answer(reason or "EAI_FAIL") end
end

--- Looks a name up for a socket: cb(err, address), never before this has returned.
function lookup.find(socket, name, cb)
  local names = waiting[socket]
  if not names then
    names = {}
    waiting[socket] = names
  end
  if names[name] then
    table.insert(names[name], cb)
    return
  end
  names[name] = { cb }
  core.needLoop("Looking up a name")
  resolve(find_uv(), name, core.family(socket), function(err, address)
    local list = names[name]
    names[name] = nil
    for _, each in ipairs(list) do each(err, address) end
  end)
end

return lookup
