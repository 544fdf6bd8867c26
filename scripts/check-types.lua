-- SPDX-License-Identifier: MIT
-- Fails on a program in examples/ or in a Lua block of the documents that does what lua/dgram/types.lua does not declare: calls
-- a function that is not there, with another number or other kinds of arguments, another option or event; reads a field that
-- a result does not have. (That each public name has an annotation, and the other way round, scripts/check-docs.lua sees.)
--
--   lua5.4 scripts/check-types.lua       in the top folder of the checkout
--
-- It reads all programs a few times, and learns each time more of what variables, parameters and results may be. What it
-- cannot know, as what luv returns, passes. Of several possibilities one has to fit. Then it reads programs with mistakes, to
-- see that it finds them.
-- Each check is a line, `ok - ...` or `not ok - ...` with what is wrong below it; the exit status is 1 after a failure.
local programs_of = dofile "scripts/types/programs.lua"
local annotations, check = programs_of.annotations, programs_of.check

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function lines_of(command)
  local pipe, list = assert(io.popen(command)), {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

--- Name -> text. A block of a document has as many empty lines before it as the document has lines there.
local function programs()
  local found = {}
  for _, path in ipairs(lines_of "find examples -name '*.lua' | sort") do
    found[#found + 1] = { name = path, text = read(path) }
  end
  for _, path in ipairs(lines_of "ls README.md docs/*.md") do
    local text = read(path)
    for start, block_text in text:gmatch "\n```lua[^\n]*()\n(.-)\n```" do
      local _, above = text:sub(1, start):gsub("\n", "")
      found[#found + 1] = { name = path .. "#" .. above, text = ("\n"):rep(above) .. block_text }
    end
  end
  return found
end

local failed = false

local function report(what, wrong)
  print((#wrong == 0 and "ok - " or "not ok - ") .. what)
  for _, text in ipairs(wrong) do print("    " .. text) end
  failed = failed or #wrong > 0
end

annotations.read(read "lua/dgram/types.lua")
local undeclared = {}
for name in pairs(annotations.unknown) do undeclared[#undeclared + 1] = name end
report("lua/dgram/types.lua declares the types that it names", undeclared)

local all = programs()
local complaints, counts = check(all)
report(("%d programs do what lua/dgram/types.lua declares: %d calls, %d fields; %d calls of what is not known"):format(
  #all, counts.calls, counts.fields, counts.unseen), complaints)

-- ---- Whether it would find mistakes

local mistakes = {
  "socket:sned('a')", "dgram.createSockets 'udp4'", "dgram.createSocket 'udp5'",
  "dgram.createSocket { type = 'udp4', ttl = 1 }", "dgram.createSocket { recvTTL = true }",
  "dgram.createSocket { type = 'udp4', pktInfo = 1 }", "socket:bind('1', '::1')",
  "socket:bind { host = '::1' }", "socket:bindSync(0)", "socket:connect()", "socket:setTTL()",
  "socket:setTTL(1.5)", "socket:setTTL(1, 2)", "socket:on('mesage', print)", "socket:once('error')",
  "socket:on('message', function(a, b, c) end)", "socket:on('error', function(err) print(err.kode) end)",
  "socket:on('message', function(_, rinfo) print(rinfo.host) end)",
  "local function f(_, rinfo) print(rinfo.host) end socket:prependOnceListener('message', f)",
  "socket:send(1, 9)", "socket:send('a', 9, '::1', { dscp = 1 })", "socket:send('a', '::1', 9)",
  "socket:sendto('a', 9, '::1')", "socket:send('a', 9, function(err) print(err.cod) end)",
  "socket:sendMany('a', 9)", "socket:reply('a')", "socket:reply('a', { port = 9 })",
  "print(socket:address().host)", "print(socket:stats().drops)", "socket:stats().gso()",
  "local _, err = pcall(socket.setTTL, socket, 0) print(err.message, err.reason)",
  "pcall(socket.setTTL, socket, true)", "local _, rinfo = socket:receive(1) print(rinfo.host)",
  "for _, r in ipairs((select(2, socket:receiveMany()))) do end socket:x()",
  "socket:on('batch', function(_, rinfos) print(rinfos[1].host) end)",
  "for _, rinfo in socket:messages() do print(rinfo.host) end", "dgram.run 'twice'", "dgram.step '1'",
  "dgram.BlockList():addSubnet('192.0.2.0')", "dgram.BlockList.PRIVATE()", "require('dgram.poll').every()",
  "dgram.setLoop { run = print }", "require('dgram.poll').any().new_timer():begin()",
  "dgram.EventEmitter():emits('a')",
}
local right = [[
local socket = dgram.createSocket({ type = "udp4", pktInfo = true }, function(_, rinfo) print(rinfo.interface) end)
socket:on("message", print):once("close", function() end)
socket:prependListener("batch", function(list, rinfos) print(list[1], rinfos[1].size) end)
socket:bind(function() end):bind(0, function() end):bind(nil, "::1", function() end):bind { port = 0, address = "::1" }
socket:send({ "a", "b" }, 9, "::1", { ttl = 1 }, function(err, bytes) print(err and err.code, bytes) end)
socket:send("abc", 1, 2, 9) socket:send("a", "/path", print) socket:send("a", 9, { tos = 0 }) socket:send("a", nil)
]]

local function found_in(text)
  local made = 'local dgram = require "dgram" local socket = dgram.createSocket "udp4" ' .. text
  return (check { { name = "a program", text = made } })
end

local missed = {}
for _, text in ipairs(mistakes) do
  if #found_in(text) == 0 then missed[#missed + 1] = text end
end
report(("finds each of %d mistakes"):format(#mistakes), missed)
report("finds none where there is none", found_in(right))

os.exit(failed and 1 or 0)
