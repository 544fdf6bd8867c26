--- Names to addresses, through luv's getaddrinfo(3) or the socket's `lookup` option. Look-ups of one name by one socket
-- that are under way at the same time are one, so that what is sent to the name keeps its order.
local core = require "dgram.core"

local lookup = {}

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
local function resolve(name, options, cb)
  local function answer(reason, list)
    local first = list and list[1]
    if reason or not first then return cb(failure(name, reason or "EAI_NONAME")) end
    cb(nil, first.addr)
  end
  local getaddrinfo = core.uv().getaddrinfo
  if not getaddrinfo then
    local text = "Looking up %s needs getaddrinfo, which the loop does not have: use an address, or createSocket's " ..
      "option lookup"
    return cb(core.error("Error", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", text:format(name),
      { syscall = "getaddrinfo", hostname = name }))
  end
  local hints = { family = options.family == 6 and "inet6" or "inet", socktype = "dgram" }
  local request, _, reason = getaddrinfo(name, nil, hints, answer)
  if not request then answer(reason or "EAI_FAIL") end
end

--- The zone of a link-local address that came without one, as luv's getaddrinfo tells them all: the only interface that
-- has such addresses. nil where there are several.
local function only_zone()
  local uv, zone = core.uv(), nil
  for name, addresses in pairs(uv.interface_addresses and uv.interface_addresses() or {}) do
    for _, address in ipairs(addresses) do
      if address.ip:find "^[fF][eE][89abAB]" then
        if zone and zone ~= name then return nil end
        zone = name
      end
    end
  end
  return zone
end

--- The kernel would send it through any interface and report success. -> err, address
local function add_zone(socket, name, address)
  if not core.lacksZone(socket, address) then return nil, address end
  local zone = only_zone()
  if zone then return nil, address .. "%" .. zone end
  local text = "getaddrinfo EINVAL %s: %s is a link-local address, and its interface is not known; use it with " ..
    "its zone, as in %s%%eth0"
  return core.error("Error", "EINVAL", text:format(name, address, address),
    { errno = -22, syscall = "getaddrinfo", hostname = name, address = address })
end

--- Lets every waiting call have the answer, once. What a user's look-up says is not trusted to be an address.
local function answer_all(socket, waiting, name, err, address)
  local list = waiting[name]
  if not list then return end
  waiting[name] = nil
  err = err or nil -- false is no error either
  if err == nil and not core.isAddress(socket, address) then
    err = core.error("TypeError", "ERR_INVALID_IP_ADDRESS", ("Invalid IP address for %s: %s"):format(name,
      core.describe(address)), { hostname = name })
  end
  if err == nil then err, address = add_zone(socket, name, address) end
  if err then
    address = nil
    core.place(err, list.place)
  end
  -- One that fails, for want of memory, must not keep the others from their answer.
  local failed, reason = false, nil
  for _, cb in ipairs(list) do
    local done, raised = pcall(cb, err, address, list.place)
    if not done then failed, reason = true, raised end
  end
  if failed then error(reason, 0) end
end

--- Looks a name up for a socket: cb(err, address, place), where `place` is that of the call. Raises only where there is
-- no loop for it.
function lookup.find(socket, name, cb)
  local private = core.private(socket)
  local waiting = private.waiting
  if not waiting then
    waiting = {}
    private.waiting = waiting
  end
  if waiting[name] then
    table.insert(waiting[name], cb)
    return
  end
  core.needLoop("Looking up a name")
  local list = { cb, place = core.where() }
  local options = { family = core.family(socket) }
  local function answer(err, address)
    -- a second answer must not be taken for a later look-up's
    if waiting[name] == list then answer_all(socket, waiting, name, err, address) end
  end
  -- From here on the name counts as being looked up: nothing that can fail stands between this and the call.
  waiting[name] = list
  local done, raised = pcall(private.lookup or resolve, name, options, answer)
  if not done and waiting[name] == list then
    answer_all(socket, waiting, name, raised == nil and "the lookup function raised nil" or raised)
  end
end

--- Sends to a name: holds the datagram, or the list of them, until the name was looked up. Raises what fails before; returns
-- true and what failed after the answer, when the datagram did not wait any more.
function lookup.send(socket, msg, port, name, cb, options)
  local private = core.private(socket)
  local sends = private.sends or {}
  private.sends = sends
  local serial = (private.last_send or 0) + 1
  local entry = { serial = serial, msg = msg, port = port, cb = cb }
  local function resolved(err, address)
    if not sends[entry] then return end -- given up
    sends[entry] = nil
    core.sendResolved(socket, msg, port, address, cb, err, options)
  end
  -- All is made: from here on it waits, or was answered.
  private.last_send = serial
  sends[entry] = true
  local done, err = pcall(lookup.find, socket, name, resolved)
  if done then return end
  if not sends[entry] then return true, err end
  sends[entry] = nil
  error(err, 0)
end

--- Gives up all sends of the socket that wait for a name, in the order of the sends. Each is reported with the error; where
-- none is given, those without a callback are only counted.
function lookup.cancel_sends(socket, err)
  local address = nil
  if err == nil then address = false end
  local sends, list = core.private(socket).sends or {}, {}
  for entry in pairs(sends) do list[#list + 1] = entry end
  table.sort(list, function(a, b) return a.serial < b.serial end)
  for _, entry in ipairs(list) do
    if sends[entry] then
      sends[entry] = nil
      core.sendResolved(socket, entry.msg, entry.port, address, entry.cb, err)
    end
  end
end

--- The `lookup` option: fn(hostname, {family = 4 or 6}, cb(err, address, family)).
function lookup.set(socket, fn)
  core.private(socket).lookup = fn
end

return lookup
