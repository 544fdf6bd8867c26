--- Writes JSON: tables with an element 1 are arrays; keys are sorted, so that files compare; what holds no table takes one
-- line.
local json = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function text(value)
  return '"' .. value:gsub('[%c"\\]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

local encode

local function join(parts, open, close, flat, indent)
  if flat then return open .. table.concat(parts, ", ") .. close end
  local inner = "\n" .. indent .. "  "
  return open .. inner .. table.concat(parts, "," .. inner) .. "\n" .. indent .. close
end

local function array(value, indent)
  local parts, flat = {}, true
  for i, each in ipairs(value) do
    parts[i] = encode(each, indent .. "  ")
    flat = flat and type(each) ~= "table"
  end
  return join(parts, "[", "]", flat, indent)
end

local function object(value, indent)
  local names, parts, flat = {}, {}, true
  for name, each in pairs(value) do
    names[#names + 1] = name
    flat = flat and type(each) ~= "table"
  end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = text(name) .. ": " .. encode(value[name], indent .. "  ") end
  return join(parts, "{", "}", flat, indent)
end

function encode(value, indent)
  if type(value) == "table" then
    return (value[1] ~= nil and array or object)(value, indent)
  elseif type(value) == "string" then
    return text(value)
  elseif type(value) == "number" then
    if value ~= value or value == math.huge or value == -math.huge then return "null" end
    return math.type(value) == "integer" and tostring(value) or ("%.9g"):format(value)
  end
  return tostring(value)
end

function json.encode(value) return encode(value, "") .. "\n" end

return json
