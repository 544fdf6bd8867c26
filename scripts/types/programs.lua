-- SPDX-License-Identifier: MIT
-- Reads programs in Lua, and complains of what they do with values that lua/dgram/types.lua declares: a part of
-- scripts/check-types.lua.
local types = dofile "scripts/types/annotations.lua"
local alternative, of, literal = types.alternative, types.of, types.literal
local has, join, shown = types.has, types.join, types.shown
local ANY, NIL, STRING, NUMBER, BOOLEAN = types.ANY, types.NIL, types.STRING, types.NUMBER, types.BOOLEAN

local READINGS = 6 -- what one has found may be needed by another that stands before it
local ERROR = of "dgram.Error"

local kept = {}      -- what is known of a place in a program from one reading to the next
local modules = {}   -- what files return: "lib/program.lua" -> type
local counts = { calls = 0, fields = 0, unseen = 0 }
local complaints, program, r, scope

local function keep(token, what, make)
  local key = what .. " " .. program .. ":" .. token.id
  kept[key] = kept[key] or make(key)
  return kept[key]
end

local function complain(token, text)
  table.insert(complaints, ("%s:%d: %s"):format(program:match "^[^#]*", token.line, text))
end

-- ---- Fields and calls

--- What a field of a value may be.
local function member(type, name, token)
  local result, found = {}, #type == 0
  for _, each in ipairs(type) do
    local class, one = types.classes[each.kind], nil
    if each.kind == "any" or each.kind == "table" then return ANY end
    if class then
      one = types.member_of(class, name)
      one = one and one.type
      if one then counts.fields = counts.fields + 1 end
    elseif each.kind == "record" then
      one = each.own.fields[name] or {}
    elseif each.kind == "string" or each.kind == "literal" and math.type(each.value) == nil then
      one = string[name] and ANY
    end
    found = found or one ~= nil or each.kind == "nil" and #type == 1
    result = one and join(result, one) or result
  end
  if not found then complain(token, ("%s has no %s"):format(shown(type), name)) end
  return result
end

local function take_params(own, args)
  for i, type in ipairs(args) do
    if own.params[i] then own.params[i].type = join(own.params[i].type, type) end
  end
end

--- What a call of a declared function returns. Functions of the program that it is given learn what they will get.
local function call_declared(signatures, args, open, receiver, token)
  local reason, nearest
  counts.calls = counts.calls + 1
  for _, signature in ipairs(types.candidates(signatures, args)) do
    local why, fitting = types.mismatch(signature, args, open)
    if not why then
      for i, param in ipairs(signature.params) do
        for _, wanted in ipairs(param.type) do
          for _, given in ipairs(wanted.signatures and args[i] or {}) do
            local learns = {}
            for k, each in ipairs(wanted.signatures[1].params) do learns[k] = each.type end
            if given.own and given.own.params then take_params(given.own, learns) end
          end
        end
      end
      local returns = {}
      for i, each in ipairs(signature.returns) do
        returns[i] = has(each, "self") and receiver or each
      end
      return returns
    end
    if not nearest or fitting > nearest then reason, nearest = why, fitting end
  end
  complain(token, reason)
  return { ANY }, true
end

--- What a call returns: a list of types, and whether there may be more.
local function call(type, args, open, receiver, token)
  local returns, more, callable = {}, false, #type == 0
  for _, each in ipairs(type) do
    local class = types.classes[each.kind]
    local signatures, list = each.signatures or class and class.call and class.call[1].signatures, nil
    callable = callable or signatures or each.kind == "fun" or each.kind == "function"
    if each.kind == "any" then return { ANY }, true end
    if signatures then
      if signatures[1].receiver and not receiver and args[1] then
        receiver, args = args[1], table.move(args, 2, #args, 1, {})
      end
      list, more = call_declared(signatures, args, open, receiver, token)
    elseif each.kind == "fun" then
      take_params(each.own, args)
      list, more = each.own.returns, each.own.open
    end
    for i, one in ipairs(list or {}) do returns[i] = join(returns[i] or {}, one) end
  end
  if not callable then complain(token, shown(type) .. " is called") end
  return returns, more or #type == 0
end

--- What a value has at [...].
local function items_of(type, fields_too)
  local result = {}
  for _, each in ipairs(type) do
    if each.kind == "any" or each.kind == "table" then return ANY end
    result = join(result, each.items or each.own and each.own.items or {})
    for _, field in pairs(fields_too and each.own and each.own.fields or {}) do result = join(result, field) end
  end
  return result
end

local function iterator(...)
  return { types.fun { { params = {}, returns = { ... } } } }
end

--- Functions of Lua's own that matter here.
local own = {}
function own.ipairs(args) return iterator(of "integer", items_of(args[1] or ANY)) end
function own.pairs(args) return iterator(ANY, items_of(args[1] or ANY, true)) end
function own.assert(args, open) return args, open end
function own.setmetatable(args) return { args[1] } end
function own.tostring() return { STRING } end
function own.pcall(args, open, _, token)
  local returns, more = call(args[1] or ANY, table.move(args, 2, #args, 1, {}), open, nil, token)
  local raised = args[1] and args[1][1] and args[1][1].own and join(ERROR, STRING) or ERROR
  local first = join(returns[1] or more and ANY or {}, raised)
  return { BOOLEAN, first, table.unpack(returns, 2) }, more
end
function own.require(_, _, name)
  if types.classes[name] then return { of(name) } end
  for path, type in pairs(modules) do
    if ("/" .. path):find("/" .. name:gsub("%.lua$", "") .. ".lua", 1, true) then return { type } end
  end
  return { ANY }
end
own.dofile = own.require

-- ---- Expressions. Each function returns a type, and where several values may come a list of them and whether there are more.

local expression, block

local function variable(name)
  local at = scope
  while at and not at.names[name] do at = at.outer end
  return at and at.names[name]
end

local function declare(token, type)
  local new = keep(token, "variable", function() return { type = {} } end)
  new.type = join(new.type, type or {})
  scope.names[token.value] = new
  return new
end

local function enter() scope = { names = {}, outer = scope, fn = scope and scope.fn } end
local function leave() scope = scope.outer end

--- The types of a list of expressions, and whether there may be more.
local function expressions()
  local list = {}
  while true do
    local type, several, more = expression()
    if not r.accept "," then
      table.move(several or { type }, 1, several and #several or 1, #list + 1, list)
      return list, more or false
    end
    list[#list + 1] = type
  end
end

local function function_body(token, receiver)
  local this = keep(token, "function", function(key)
    return { params = {}, returns = {}, open = false, count = 0, type = { alternative("fun", key) } }
  end)
  this.type[1].own = this
  enter()
  scope.fn = this
  if receiver then scope.names.self = { type = receiver } end
  r.expect "("
  local count = 0
  while not r.accept ")" do
    local param = r.next()
    if param.value == "..." then count = 0 / 0 else count = count + 1 end -- NaN: as many as come
    if param.kind == "name" then this.params[count] = declare(param) end
    r.accept ","
  end
  this.count = count == count and count or 0
  block()
  r.expect "end"
  leave()
  return this.type
end

local function table_constructor(token)
  local this = keep(token, "table", function() return { fields = {}, items = {}, indexed = false } end)
  while not r.accept "}" do
    local name = r.token()
    if r.accept "[" then
      expression()
      r.expect "]"
      r.expect "="
      this.items, this.indexed = join(this.items, (expression())), true
    elseif name.kind == "name" and r.token(1).value == "=" and r.token(1).kind == "operator" then
      r.next()
      r.next()
      this.fields[name.value] = join(this.fields[name.value] or {}, (expression()))
    else
      local type, several = expression()
      for _, each in ipairs(several or { type }) do this.items = join(this.items, each) end
    end
    if not r.accept "," then r.accept ";" end
  end
  return { alternative("record", "table " .. program .. token.id, { own = this }) }
end

local function arguments()
  local token = r.next()
  if token.kind == "string" then return { literal(token.value) }, false, token.value end
  if token.value == "{" then return { table_constructor(token) }, false end
  if r.accept ")" then return {}, false end
  local list, open = expressions()
  local last = r.token(-1)
  r.expect ")"
  return list, open, last.kind == "string" and last.value or nil
end

local function is_call() return r.token().kind == "string" or r.peek "(" or r.peek "{" end

--- A name or a value in brackets, and what follows it. The third result is a function that assigns to it.
local function suffixed()
  local token = r.next()
  local type, assign
  if token.value == "(" and token.kind == "operator" then
    type = expression()
    r.expect ")"
  else
    local known = variable(token.value)
    type = known and known.type or ANY
    assign = function(new) if known then known.type = join(known.type, new) end end
  end
  local special = token.kind == "name" and not variable(token.value) and own[token.value]
  local several, more = nil, nil
  while true do
    local object, at = type, r.token()
    if r.accept "." then
      local name = r.next().value
      local known = object[1] and object[1].kind == "record" and object[1].own
      local current = member(object, name, at)
      type, several = current, nil
      assign = function(new)
        if known then known.fields[name] = join(known.fields[name] or {}, new) end
        local wrong = not known and #object > 0 and #current > 0 and not types.fits(new, current)
        if wrong then complain(at, ("%s: %s for %s"):format(name, shown(new), shown(current))) end
      end
    elseif r.accept "[" then
      expression()
      r.expect "]"
      type, several = items_of(object, true), nil
      assign = function(new)
        for _, each in ipairs(object) do
          if each.own and each.own.items then each.own.items, each.own.indexed = join(each.own.items, new), true end
        end
      end
    elseif r.peek ":" and r.token(1).kind == "name" then
      r.next()
      local name = r.next().value
      type = member(object, name, at)
      local args, open = arguments()
      if (#object == 0 or has(object, "any")) and types.classes["dgram.Socket"].members[name] then
        counts.unseen = counts.unseen + 1
      end
      several, more = call(type, args, open, object, at)
      type, assign = several[1] or more and ANY or NIL, nil
    elseif is_call() then
      local args, open, word = arguments()
      if special then
        several, more = special(args, open, word or "", at)
      else
        several, more = call(object, args, open, nil, at)
      end
      type, assign = several[1] or more and ANY or NIL, nil
    else
      return type, several, assign, more
    end
    special = nil
  end
end

local comparison = { ["<"] = true, [">"] = true, ["<="] = true, [">="] = true, ["~="] = true, ["=="] = true }
local binary = { ["or"] = true, ["and"] = true, [".."] = true }
for operator in ("+ - * / // % ^ & | << >>"):gmatch "%S+" do binary[operator] = true end
for operator in pairs(comparison) do binary[operator] = true end

local constants = { ["nil"] = NIL, ["true"] = literal(true), ["false"] = literal(false) }

local function simple()
  local token = r.token()
  local constant = token.kind == "name" and constants[token.value]
  if token.kind == "string" or token.kind == "number" then constant = literal(token.value) end
  if constant then r.next() return constant end
  if r.accept "..." then return ANY, {}, true end
  if r.accept "function" then return function_body(token) end
  if r.accept "{" then return table_constructor(token) end
  if r.accept "not" then return simple() and BOOLEAN end
  if r.accept "#" then return simple() and NUMBER end
  if r.accept "-" then
    local type = simple()
    return type[1] and type[1].kind == "literal" and literal(-type[1].value) or NUMBER
  end
  local type, several, _, more = suffixed()
  return type, several, more
end

--- Without the operators' ranks: `and` and `or` split, and of the others the first says what comes out of them.
function expression()
  local type, several, more = simple()
  local result = {}
  while r.token().kind == "operator" and binary[r.token().value] or r.peek "or" or r.peek "and" do
    local operator = r.next().value
    local right = simple()
    if operator == "or" then
      result, type = join(result, type), right
    elseif operator == "and" then
      type = has(type, "nil") and join(right, NIL) or right
    elseif type ~= BOOLEAN then
      type = comparison[operator] and BOOLEAN or operator == ".." and STRING or NUMBER
    end
    several, more = nil, nil
  end
  return join(result, type), several, more
end

-- ---- Statements

local statement = {}

local function names_and_values(targets)
  local list, open = {}, false
  if r.accept "=" then list, open = expressions() end
  for i, target in ipairs(targets) do target(list[i] or open and ANY or NIL) end
end

statement["local"] = function()
  if r.accept "function" then
    local name = r.next()
    declare(name)
    return declare(name, function_body(name))
  end
  local targets = {}
  repeat
    local name = r.next()
    if r.accept "<" then
      r.next()
      r.expect ">"
    end
    targets[#targets + 1] = function(type) declare(name, type ~= NIL and type or {}) end
  until not r.accept ","
  names_and_values(targets)
end

statement["function"] = function()
  local token, receiver = r.next(), nil
  local known = variable(token.value)
  local type, name = known and known.type or ANY, nil
  while r.peek "." or r.peek ":" do
    receiver = r.next().value == ":" and type or nil
    name = r.next().value
  end
  local body = function_body(token, receiver)
  if not name and known then known.type = join(known.type, body) end
  if name and type[1] and type[1].kind == "record" then type[1].own.fields[name] = body end
end

statement["for"] = function()
  local names = {}
  repeat names[#names + 1] = r.next() until not r.accept ","
  local list = { NUMBER }
  if r.accept "=" then
    expressions()
  else
    r.expect "in"
    local type = expressions()[1]
    list = type and type[1] and type[1].signatures and type[1].signatures[1].returns or { ANY, ANY, ANY }
  end
  r.expect "do"
  enter()
  for i, name in ipairs(names) do declare(name, list[i] or ANY) end
  block()
  r.expect "end"
  leave()
end

local function inner_block()
  enter()
  block()
  leave()
end

statement["if"] = function()
  repeat
    if not r.accept "else" then
      expression()
      r.expect "then"
    end
    inner_block()
  until not (r.accept "elseif" or r.peek "else")
  r.expect "end"
end

statement["do"] = function()
  inner_block()
  r.expect "end"
end

statement["while"] = function()
  expression()
  statement["do"](r.expect "do")
end

statement["repeat"] = function()
  inner_block()
  r.expect "until"
  expression()
end

statement["return"] = function()
  if r.peek "end" or r.peek "else" or r.peek "elseif" or r.peek "until" or r.token().kind == "end" then return end
  local list, open = expressions()
  local fn = scope.fn
  for i, type in ipairs(list) do fn.returns[i] = join(fn.returns[i] or {}, type) end
  fn.open = fn.open or open
end

statement["break"] = function() end
statement["goto"] = function() r.next() end
statement["::"] = function() return r.next() and r.expect "::" end
statement[";"] = function() end

local function assignment()
  local targets = {}
  repeat
    local _, _, assign = suffixed()
    targets[#targets + 1] = assign or function() end
  until not r.accept ","
  if r.peek "=" then names_and_values(targets) end
end

function block()
  while r.token().kind ~= "end" and not (r.peek "end" or r.peek "else" or r.peek "elseif" or r.peek "until") do
    local known = r.token().kind ~= "string" and statement[r.token().value]
    if known then known(r.next()) else assignment() end
    r.accept ";"
  end
end

--- Reads programs ({ name = string, text = string }) until nothing new is found. Returns complaints, and how many calls
-- and fields were compared.
local function learn(all)
  kept = {}
  for _, each in ipairs(all) do each.tokens = types.tokens_of(each.text:gsub("^#![^\n]*", ""), "[%a_][%w_]*") end
  for _ = 1, READINGS do
    complaints, counts.calls, counts.fields, counts.unseen = {}, 0, 0, 0
    for _, each in ipairs(all) do
      program, r, scope = each.name, types.reader(each.tokens), nil
      enter()
      scope.fn = { returns = {} }
      block()
      if r.token().kind ~= "end" then complain(r.token(), "cannot read on from " .. tostring(r.token().value)) end
      modules[program] = scope.fn.returns[1] or ANY
    end
  end
  return complaints, counts
end

return { annotations = types, check = learn }
