-- SPDX-License-Identifier: MIT
-- examples/dns-client.lua against a name server of the spec's own.
local child = require "spec.support.child"
local loop = require "spec.support.loop"
local sockets = require "spec.support.sockets"

local function lines_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  table.sort(list)
  return list
end

local function run(port, ...)
  local paths = ("package.path = %q; package.cpath = %q"):format(package.path, package.cpath)
  return child.start(child.interpreter(), { "-e", paths, "examples/dns-client.lua", "127.0.0.1:" .. port, ... },
    { own = true }):wait()
end

--- An answer with so many addresses: the header as real servers set it, the question, then a CNAME and the addresses, whose
-- names are pointers to the question's.
local function answer(query, code, ...)
  local records = {}
  for i = 1, select("#", ...) do
    records[i] = "\192\12\0\1\0\1\0\0\0\60\0\4" .. (select(i, ...))
  end
  if code == 0 then table.insert(records, 1, "\192\12\0\5\0\1\0\0\0\60\0\2\192\12") end
  return query:sub(1, 2) .. "\129" .. string.char(128 + code) .. "\0\1\0" .. string.char(#records) .. "\0\0\0\0" ..
    query:sub(13) .. table.concat(records)
end

describe("the DNS client of the examples", function()
  loop.guard()

  it("asks, waits, tries again, and tells errors", function()
    local asked = {}
    local server, port
    server, port = sockets.bound("udp4", function(query, rinfo)
      local first = query:match("^%z?[%w]+", 14) or query:sub(14, 13 + query:byte(13))
      asked[first] = (asked[first] or 0) + 1
      if first == "none" then
        server:send(answer(query, 3), rinfo.port, rinfo.address)
      elseif first == "lost" and asked[first] == 1 then
        return -- as if it had not come
      elseif first == "forged" then
        server:send("\0\0" .. answer(query, 0, "\6\6\6\6"):sub(3), rinfo.port, rinfo.address)
        server:send("short", rinfo.port, rinfo.address)
        server:send(answer(query, 0, "\10\0\0\9"), rinfo.port, rinfo.address)
      elseif first ~= "silent" then
        server:send(answer(query, 0, "\10\0\0\1", "\10\0\0\2"), rinfo.port, rinfo.address)
      end
    end)
    local process = run(port, "www.example.org", "none.example.org", "lost.example.org", "forged.example.org",
      "silent.example.org")
    assert.are.same({
      "forged.example.org\t10.0.0.9",
      "lost.example.org\t10.0.0.1 10.0.0.2",
      "none.example.org\terror code 3",
      "silent.example.org\ttimeout",
      "www.example.org\t10.0.0.1 10.0.0.2",
    }, lines_of(process.out))
    assert.are.equal("", process.err)
    assert.are.equal(1, process.status)
    assert.are.equal(3, asked.silent)
    assert.are.equal(2, asked.lost)
    server:close()
    loop.run()
  end)

  it("hears where nobody is there", function()
    local server, port = sockets.bound "udp4"
    server:close()
    loop.run()
    local process = run(port, "example.org")
    assert.matches("ECONNREFUSED", process.out)
    assert.are.equal(1, process.status)
  end)
end)
