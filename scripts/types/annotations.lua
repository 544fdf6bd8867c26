-- SPDX-License-Identifier: MIT
-- Reads lua/dgram/types.lua, and says what fits what it declares: a part of scripts/check-types.lua.

-- ---- Types: lists of alternatives. An empty one is not known yet; ANY may be anything.

local function alternative(kind, key, more)
  more = more or {}
  more.kind, more.key = kind, key or kind
  return more
end

local function of(kind) return { alternative(kind) } end
local function literal(value)
  return { alternative("literal", "literal " .. tostring(value), { value = value }) }
end

local function fun(signatures, key)
  return { alternative("fun", key or "fun " .. tostring(signatures), { signatures = signatures }) }
end

local ANY, NIL, STRING, NUMBER, BOOLEAN = of "any", of "nil", of "string", of "number", of "boolean"

local function has(type, kind)
  for _, each in ipairs(type) do
    if each.kind == kind then return true end
  end
  return false
end

local function join(a, b)
  if has(a, "any") or has(b, "any") then return ANY end
  local all, seen = {}, {}
  for _, list in ipairs { a, b } do
    for _, each in ipairs(list) do
      if not seen[each.key] then all[#all + 1] = each end
      seen[each.key] = true
    end
  end
  return all
end

local function list_of(type)
  local keys = {}
  for i, each in ipairs(type) do keys[i] = each.key end
  return { alternative("list", "list of " .. table.concat(keys, "|"), { items = type }) }
end

local function shown(type)
  local texts = {}
  for i, each in ipairs(type) do
    texts[i] = each.kind == "literal" and ("%q"):format(each.value) or each.name or each.kind
  end
  return #texts > 0 and table.concat(texts, "|") or "?"
end

-- ---- Tokens, of Lua and of annotations

local long_operators = {}
for operator in ("... :: .. == ~= <= >= // << >>"):gmatch "%S+" do long_operators[operator] = #operator end

--- The kind, the value and the end of the token at a place; no kind for blanks and comments.
local function token_at(text, at, name_pattern)
  local comment, blank = text:match("^%-%-()", at), text:match("^%s+()", at)
  if blank then return nil, nil, blank end
  local level, inside = text:match("^%[(=*)%[()", comment or at)
  local first, stop = text:find("]" .. (level or "") .. "]", inside or at, true)
  if level and first then return not comment and "string" or nil, text:sub(inside, first - 1), stop + 1 end
  if comment then return nil, nil, text:find("\n", at, true) or #text + 1 end
  local name, after_name = text:match("^(" .. name_pattern .. ")()", at)
  if name then return "name", name, after_name end
  if text:find("^%.?%d", at) then
    local number = text:match("^0[xX]%x+", at) or text:match("^[%d.]+[eE]?[+-]?%d*", at)
    if not tonumber(number) then number = text:match("^[%d.]+", at) end
    return "number", tonumber(number), at + #number
  end
  local quote, finish = text:match("^[\"']", at), at + 1
  if quote then
    while finish < #text and text:sub(finish, finish) ~= quote do
      finish = finish + (text:sub(finish, finish) == "\\" and 2 or 1)
    end
    return "string", text:sub(at + 1, finish - 1), finish + 1
  end
  local size = long_operators[text:sub(at, at + 2)] or long_operators[text:sub(at, at + 1)] or 1
  return "operator", text:sub(at, at + size - 1), at + size
end

local function tokens_of(text, name_pattern)
  local tokens, at, line = {}, 1, 1
  while at <= #text do
    local kind, value, after = token_at(text, at, name_pattern)
    if kind then tokens[#tokens + 1] = { kind = kind, value = value, line = line, id = #tokens + 1 } end
    line, at = line + select(2, text:sub(at, after - 1):gsub("\n", "")), after
  end
  tokens[#tokens + 1] = { kind = "end", value = "<end>", line = line, id = 0 }
  return tokens
end

--- Functions that go through tokens.
local function reader(tokens)
  local r, at = {}, 1
  function r.peek(value) return tokens[at].kind ~= "string" and tokens[at].value == value end
  function r.next() at = at + 1 return tokens[at - 1] end
  function r.token(ahead) return tokens[at + (ahead or 0)] end
  function r.accept(value) return r.peek(value) and r.next() end
  function r.expect(value)
    return r.accept(value) or
      error(("line %d: expected %s, not %s"):format(tokens[at].line, value, tokens[at].value), 0)
  end
  return r
end

-- ---- Annotations

local classes, aliases = {}, {}
local unknown = {} -- names of types that nobody declares
local builtin = { string = true, integer = true, number = true, boolean = true, ["nil"] = true, ["function"] = true,
  table = true, any = true, self = true, F = true }
local read_type

local function read_fun(r)
  local signature = { params = {}, returns = {} }
  r.expect "("
  while not r.accept ")" do
    local name = r.next().value
    local optional = r.accept "?" ~= false
    local type = r.accept ":" and read_type(r) or ANY
    if name == "self" then
      signature.receiver = type
    else
      table.insert(signature.params, { type = type, optional = optional or has(type, "nil"), rest = name == "..." })
    end
    r.accept ","
  end
  if r.accept ":" then
    repeat table.insert(signature.returns, (read_type(r))) until not r.accept ","
  end
  return signature
end

local function read_one(r)
  local token = r.next()
  if token.kind == "string" or token.kind == "number" then return literal(token.value) end
  if token.value == "true" or token.value == "false" then return literal(token.value == "true") end
  if token.value == "fun" then return fun { read_fun(r) } end
  if aliases[token.value] then return aliases[token.value] end
  if r.accept "<" then
    repeat read_type(r) until not r.accept ","
    r.expect ">"
  end
  if not classes[token.value] and not builtin[token.value] then unknown[token.value] = true end
  return of(token.value == "F" and "any" or token.value)
end

function read_type(r)
  local type = {}
  repeat
    local one = read_one(r)
    while r.peek "[" do
      r.next()
      r.expect "]"
      one = list_of(one)
    end
    if r.accept "?" then one = join(one, NIL) end
    type = type[1] and join(type, one) or one
  until not r.accept "|"
  return type
end

local function annotation(text) return reader(tokens_of(text, "[%a_][%w_.]*")) end

local function read_annotations(text)
  for name in text:gmatch "@class ([%w_.]+)" do classes[name] = { members = {}, name = name } end
  local owners, class, pending = {}, nil, { params = {}, returns = {}, overloads = {} }
  for line in text:gmatch "[^\n]+" do
    local tag, rest = line:match "^%-%-%-@(%l+) (.*)"
    local name, optional, after = (rest or ""):match "^([%w_.]+)(%??) ?(.*)"
    local target, mark, method = line:match "^function ([%w_]+)([.:])([%w_]+)%("
    if tag == "alias" then
      aliases[name] = read_type(annotation(after))
    elseif tag == "class" then
      class = classes[name]
      class.parent = rest:match ": ([%w_.]+)"
    elseif tag == "field" then
      local type = read_type(annotation(after))
      class.members[name] = { type = type, optional = optional ~= "" or has(type, "nil") }
    elseif tag == "param" or tag == "return" then
      local type = read_type(annotation(tag == "param" and after or rest))
      if rest:find "^%.%.%." then name, type = "...", ANY end
      if tag == "return" then table.insert(pending.returns, type) end
      local param = { type = type, optional = optional ~= "" or has(type, "nil"), rest = name == "..." }
      if tag == "param" then table.insert(pending.params, param) end
    elseif tag == "overload" then
      local r = annotation(rest)
      r.expect "fun"
      table.insert(pending.overloads, read_fun(r))
    elseif line:find "^local [%w_]+ = {}" then
      owners[line:match "^local ([%w_]+)"] = class
      class.call = pending.overloads[1] and fun(pending.overloads)
    elseif method then
      local owner = owners[target]
      pending.receiver = mark == ":" and of(owner.name) or nil
      owner.members[method] = { type = fun { pending, table.unpack(pending.overloads) } }
    end
    if not line:find "^%-%-%-" then pending = { params = {}, returns = {}, overloads = {} } end
  end
end

local function member_of(class, name)
  return class and (class.members[name] or member_of(classes[class.parent], name))
end

local function is_a(class, name) return class and (class.name == name or is_a(classes[class.parent], name)) end

-- ---- What fits what

local fits

local function record_fits(record, class, complain)
  for name, type in pairs(record.fields) do
    local member = member_of(class, name)
    if not member then return complain(("%s has no %s"):format(class.name, name)) end
    if not fits(type, member.type) then
      return complain(("%s is %s, not %s"):format(name, shown(type), shown(member.type)))
    end
  end
  local each = class
  while each do
    for name, member in pairs(each.members) do
      local missing = not member.optional and not record.fields[name] and not record.indexed
      if missing then return complain(("%s lacks %s"):format(class.name, name)) end
    end
    each = classes[each.parent]
  end
  return true
end

local function one_fits(value, wanted, complain)
  local kind, to = value.kind, wanted.kind
  if kind == "any" or to == "any" then return true end
  if kind == "literal" and to == "literal" then return value.value == wanted.value end
  if kind == "literal" then
    local number = math.type(value.value)
    return type(value.value) == to or number and (to == "number" or to == "integer" and number == "integer")
  elseif to == "literal" then
    return kind == type(wanted.value)
  elseif kind == "fun" then
    local most = wanted.signatures and #wanted.signatures[1].params
    return to == "function" or to == "fun" and (not value.own or value.own.count <= most)
  elseif kind == "record" and classes[to] then
    return record_fits(value.own, classes[to], complain)
  elseif kind == "record" or kind == "list" then
    return to == "table" or to == "list" and fits(value.items or value.own.items, wanted.items)
  end
  return kind == to or kind == "integer" and to == "number" or kind == "number" and to == "integer" or
    to == "table" and classes[kind] ~= nil or is_a(classes[kind], to)
end

--- Whether one of the alternatives does.
function fits(type, wanted, complain)
  for _, value in ipairs(type) do
    for _, one in ipairs(wanted) do
      if one_fits(value, one, complain or function() return false end) then return true end
    end
  end
  return #type == 0
end

--- The signatures that a call may mean: where some name the word that is given, as an event, these; where some name others
-- only, none of them fits.
local function candidates(signatures, args)
  for i, arg in ipairs(args) do
    local word, naming, same = arg[1] and #arg == 1 and arg[1].kind == "literal" and arg[1].value, {}, {}
    for _, signature in ipairs(signatures) do
      local param = signature.params[i]
      if type(word) == "string" and param and has(param.type, "literal") then
        naming[#naming + 1] = signature
        if fits(arg, param.type) then same[#same + 1] = signature end
      end
    end
    if naming[1] then return same[1] and same or naming end
  end
  return signatures
end

--- What is wrong with the arguments, or nil; and how far they fit, so that the nearest of several signatures can be told.
local function mismatch(signature, args, open)
  local params, reason = signature.params, nil
  local rest = params[#params] and params[#params].rest
  if #args > #params and not rest then return ("%d arguments, not %d"):format(#args, #params), 0 end
  for i, param in ipairs(params) do
    local type = args[i] or (open and ANY or NIL)
    if not param.rest and not (param.optional and fits(type, NIL)) and
        not fits(type, param.type, function(why) reason = why return false end) then
      local what = reason or shown(type) .. " for " .. shown(param.type)
      return ("argument %d: %s"):format(i, what), reason and i + 1 or i
    end
  end
end

return {
  fun = fun, alternative = alternative, literal = literal, of = of, has = has, join = join, shown = shown, fits = fits,
  ANY = ANY, NIL = NIL, STRING = STRING, NUMBER = NUMBER, BOOLEAN = BOOLEAN,
  tokens_of = tokens_of, reader = reader,
  read = read_annotations, unknown = unknown, classes = classes, member_of = member_of,
  candidates = candidates, mismatch = mismatch,
}
