-- SPDX-License-Identifier: MIT
-- Fails on a public name that docs/api.md or lua/dgram/types.lua does not have, and on one that they have and dgram does not.
--
--   scripts/with.sh lua5.4 lua5.4 scripts/check-docs.lua       in the top folder of the checkout
--
-- Each check is a line, `ok - ...` or `not ok - ...` with what is wrong below it; the exit status is 1 after a failure.

local failed = false

local function report(what, complaints)
  print((#complaints == 0 and "ok - " or "not ok - ") .. what)
  for _, complaint in ipairs(complaints) do
    failed = true
    print("    " .. complaint)
  end
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

local function keys_of(...)
  local set = {}
  for i = 1, select("#", ...) do
    for name in pairs((select(i, ...))) do set[name] = true end
  end
  return set
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- Whether two sets of names are one.
local function compare(what, there, told, where)
  local complaints = {}
  for _, name in ipairs(sorted(there)) do
    if not told[name] then complaints[#complaints + 1] = name .. " is not in " .. where end
  end
  for _, name in ipairs(sorted(told)) do
    if not there[name] then complaints[#complaints + 1] = name .. " is in " .. where .. ", but not in dgram" end
  end
  if next(there) == nil then complaints[1] = "dgram has none: has this check gone blind?" end
  report(what .. ": " .. where, complaints)
end

-- ---- What there is

local loaded, dgram = pcall(require, "dgram")
if not loaded then
  report("dgram loads", { tostring(dgram) })
  os.exit(1)
end

--- The table that a function can reach through its upvalues, and that has this key.
local function table_with(key, fn, seen)
  seen = seen or {}
  if seen[fn] then return nil end
  seen[fn] = true
  for i = 1, 255 do
    local name, value = debug.getupvalue(fn, i)
    if name == nil then return nil end
    if type(value) == "table" and rawget(value, key) ~= nil then return value end
    local found = type(value) == "function" and table_with(key, value, seen)
    if found then return found end
  end
end

--- The methods that an object's metatable leads to.
local function methods_of(object, some_method)
  local index = debug.getmetatable(object).__index
  return type(index) == "table" and index or table_with(some_method, index)
end

local emitter_methods = methods_of(dgram.EventEmitter(), "emit")
local list_methods = methods_of(dgram.BlockList(), "check")

local there = {
  module = keys_of(dgram),
  emitter = keys_of(emitter_methods),
  list = keys_of(list_methods, { rules = true, size = true }),
  socket = {},
  ["options of createSocket"] = keys_of(table_with("reuseAddr", require("dgram.options").check) or {}),
  ["options of bind"] = keys_of(table_with("exclusive", dgram.Socket.bind) or {}),
  events = {}, codes = {}, ["fields of errors"] = {}, rinfo = {}, stats = {},
}
for name in pairs(dgram.Socket) do
  if emitter_methods[name] == nil then there.socket[name] = true end
end

local function sources()
  local pipe = assert(io.popen "find csrc lua -name '*.[ch]' -o -name '*.lua'")
  local list = {}
  for path in pipe:lines() do
    if path ~= "lua/dgram/types.lua" then list[path] = read(path) end
  end
  pipe:close()
  return list
end

local texts = sources()

local function collect(set, pattern, path)
  for name, text in pairs(texts) do
    if not path or name == path then
      for found in text:gmatch(pattern) do set[found] = true end
    end
  end
end

collect(there.codes, '"(ERR_[A-Z_]+)"')
collect(there.events, 'dg_work_emit%(L, [%w_]+, "(%l+)"%)')
collect(there.events, 'dg_work_prepare%(L, [%w_]+, "(%l+)"%)')
collect(there.events, 'emitLater%([%w_]+, "(%l+)"')
collect(there.events, 'event == "(%l+)"')
collect(there["fields of errors"], 'lua_setfield%(L, %-%d, "(%l+)"%)', "csrc/lua/error.c")
collect(there["fields of errors"], 'lua_setfield%(L, %-%d, "(traceback)"%)')
collect(there["fields of errors"], 'set_integer%(L, "(%a+)"', "csrc/socket/icmp.c")
collect(there["fields of errors"], 'lua_setfield%(L, %-%d, "(%l+)"%)', "csrc/socket/icmp.c")
collect(there["fields of errors"], 'set_text%(L, [^,]+, "(%l+)"%)', "csrc/api/memberships.c")
collect(there["fields of errors"], "(hostname) = ", "lua/dgram/lookup.lua")
collect(there.rinfo, "rinfo%.(%a+)", "lua/dgram/init.lua")
for fields in texts["lua/dgram/init.lua"]:gmatch "rinfo = (%b{})" do
  for name in fields:gmatch "(%a+) = " do there.rinfo[name] = true end
end

collect(there.stats, 'set_count%(L, "(%a+)"', "csrc/api/stats.c")
collect(there.stats, 'lua_setfield%(L, %-2, "(%l+)"%)', "csrc/api/stats.c")

-- ---- What docs/api.md has

local api = read "docs/api.md"

--- The names in the headings, by what stands before them: dgram.createSocket(...), socket:bind(...), list.rules.
local function headings(text)
  local told = { dgram = {}, socket = {}, emitter = {}, list = {} }
  for heading in text:gmatch "\n###%s+([^\n]+)" do
    for owner, name in heading:gmatch "(%l+)[.:]([%a_]+)" do
      if told[owner] then told[owner][name] = true end
    end
  end
  return told
end

--- The names in the first column of the table below a heading.
local function table_below(text, heading)
  local _, start = text:find("\n#+ " .. heading .. "\n")
  if not start then return {} end
  local body = text:sub(start):match "^(.-)\n#+ " or text:sub(start)
  local set = {}
  for cell in body:gmatch "\n| ([^|]*) |" do
    for name in cell:gmatch "`([%w_]+)`" do set[name] = true end
  end
  return set
end

local told = headings(api)
local where = "docs/api.md"
compare("functions of the module", there.module, told.dgram, where)
compare("methods of sockets", there.socket, told.socket, where)
compare("methods of emitters", there.emitter, told.emitter, where)
compare("methods of block lists", there.list, told.list, where)
compare("options of createSocket", there["options of createSocket"], table_below(api, "Options of createSocket"), where)
compare("options of bind", there["options of bind"], table_below(api, "Options of bind"), where)
compare("events", there.events, table_below(api, "Events"), where)
compare("fields of errors", there["fields of errors"], table_below(api, "Fields of errors"), where)
compare("fields of rinfo", there.rinfo, table_below(api, "rinfo"), where)
compare("fields of stats", there.stats, table_below(api, "socket:stats%(%)"), where)

local codes = table_below(api, "Codes")
for name in pairs(codes) do
  if not name:find "^ERR_" then codes[name] = nil end
end
compare("codes of errors", there.codes, codes, where)

-- ---- What lua/dgram/types.lua has

--- Its classes: class -> names of fields and functions. A function belongs to the class whose local it hangs on.
local function classes(text)
  local found, owner, current = {}, {}, nil
  for line in text:gmatch "[^\n]+" do
    local class = line:match "^%-%-%-@class ([%w_.]+)"
    if class then
      current = {}
      found[class] = current
    end
    local field = line:match "^%-%-%-@field ([%w_]+)"
    if field then current[field] = true end
    local name = line:match "^local ([%w_]+) = {}"
    if name then owner[name] = current end
    local target, method = line:match "^function ([%w_]+)[.:]([%w_]+)%("
    local class_of_target = owner[target]
    if class_of_target then class_of_target[method] = true end
  end
  return found
end

local types = read "lua/dgram/types.lua"
local annotated = classes(types)
where = "lua/dgram/types.lua"
-- the emitter's, told again with the sockets' events
for name in pairs(there.emitter) do annotated["dgram.Socket"][name] = nil end
local options = keys_of(annotated["dgram.SocketOptions"], annotated["dgram.PairOptions"])
compare("functions of the module", there.module, annotated["dgram"], where)
compare("methods of sockets", there.socket, annotated["dgram.Socket"], where)
compare("methods of emitters", there.emitter, annotated["dgram.EventEmitter"], where)
compare("methods of block lists", there.list, annotated["dgram.BlockList"], where)
compare("options of createSocket", there["options of createSocket"], options, where)
compare("options of bind", there["options of bind"], annotated["dgram.BindOptions"], where)
compare("fields of errors", there["fields of errors"], annotated["dgram.Error"], where)
compare("fields of rinfo", there.rinfo, annotated["dgram.RemoteInfo"], where)
compare("fields of stats", there.stats, annotated["dgram.Stats"], where)

local poll = require "dgram.poll"
compare("functions of dgram.poll", keys_of(poll), annotated["dgram.poll"], where)
local others = { backend_fd = true, getaddrinfo = true, interface_addresses = true } -- which not every loop has
compare("functions of loops", keys_of(poll.new(function() return 0 end), others), annotated["dgram.Loop"], where)

--- The events for which each method that adds listeners knows them.
for _, adds in ipairs { "on", "addListener", "once", "prependListener", "prependOnceListener" } do
  local above = types:match("\n\n([^\n]*\n%-%-%-@[^\n]*event[^\0]-)\nfunction Socket:" .. adds .. "%(") or ""
  local events = {}
  for line in above:gsub(".*\n\n", ""):gmatch "event:? ([^\n]*)" do
    for name in line:gmatch '"(%l+)"' do events[name] = true end
  end
  compare("events for " .. adds, there.events, events, where)
end

-- ---- docs/from-node.md

local from_node = read "docs/from-node.md"

local function blanks()
  local complaints = {}
  for line in from_node:gmatch "[^\n]+" do
    local member, state = line:match "^| ([^|]*) | ([^|]*) |"
    if member and (member:match "^%s*$" or state:match "^%s*$") then
      complaints[#complaints + 1] = line
    end
  end
  return complaints
end
report("docs/from-node.md leaves nothing blank", blanks())

local function unsaid()
  local complaints, states = {}, set_of { "same", "taken", "another", "missing", "`dgram.BlockList()`" }
  local parity = from_node:match "\n## Each call\n(.-)\n## "
  for member, state in parity:gmatch "\n| ([^|]*) | ([^|]*) |" do
    if member ~= "Node 26" and not member:find "^%-" and not states[state] then
      complaints[#complaints + 1] = member .. ": " .. state
    end
  end
  return complaints
end
report("docs/from-node.md knows its states", unsaid())

local function all_documented()
  local complaints = {}
  for _, set in ipairs { there.socket, there.emitter, there.list, there["options of createSocket"], there.events } do
    for _, name in ipairs(sorted(set)) do
      local mentioned = from_node:find("%f[%w]" .. name .. "%f[%W]")
      if not mentioned then complaints[#complaints + 1] = name .. " is not mentioned" end
    end
  end
  return complaints
end
report("docs/from-node.md mentions every name", all_documented())

-- ---- Links

--- What the links of a page may point to: its headings, as anchors are made of them.
local function anchors(text)
  local set = {}
  for heading in ("\n" .. text):gmatch "\n#+ ([^\n]+)" do
    local anchor = heading:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")
    set[anchor] = true
  end
  return set
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function broken_links(path)
  local complaints, text = {}, read(path)
  local folder = path:match "^(.*/)" or ""
  for link in text:gsub("\n```.-\n```", ""):gmatch "%]%(([^)%s]+)%)" do
    local file, anchor = link:match "^([^#]*)#?(.*)$"
    local target = file == "" and path or folder .. file
    if not link:find "^https?:" then
      if not exists(target) then
        complaints[#complaints + 1] = link
      elseif anchor ~= "" and not anchors(read(target))[anchor] then
        complaints[#complaints + 1] = link
      end
    end
  end
  return complaints
end

local function pages()
  local pipe = assert(io.popen "find docs -name '*.md' | sort")
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

for _, path in ipairs { "README.md", "CHANGELOG.md" } do report("links of " .. path, broken_links(path)) end
for _, path in ipairs(pages()) do report("links of " .. path, broken_links(path)) end

-- ---- Shape

local function dead_ends()
  local complaints = {}
  for _, path in ipairs(pages()) do
    local last = read(path):gsub("\n*$", ""):gsub(".*\n\n", "") -- the last paragraph
    if not last:find("](", 1, true) then complaints[#complaints + 1] = path .. " ends with: " .. last end
  end
  return complaints
end
report("each page ends with a link to the one that comes next", dead_ends())

local most_lines = 140
local _, lines = read("README.md"):gsub("\n", "")
report(("README.md has at most %d lines"):format(most_lines), lines > most_lines and { lines .. " lines" } or {})

os.exit(failed and 1 or 0)
