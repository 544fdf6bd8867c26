--- Finds luv: `luv` (luarocks, Debian, Neovim), else `uv` (luvit), else Neovim's own.
local names = { "luv", "uv" }
local found
local searched = false

local function is_luv(value)
  return type(value) == "table" and value.new_poll ~= nil
end

local function loaded()
  for _, name in ipairs(names) do
    if is_luv(package.loaded[name]) then return package.loaded[name] end
  end
  local vim = rawget(_G, "vim")
  local uv = type(vim) == "table" and (vim.uv or vim.loop)
  return is_luv(uv) and uv or nil
end

local function search()
  -- A search that found nothing would be made again by every call that could do with a loop.
  if searched then return nil end
  searched = true
  for _, name in ipairs(names) do
    local done, uv = pcall(require, name)
    if done and is_luv(uv) then return uv end
  end
  return nil
end

--- @return luv's module table, or nil
return function()
  found = found or loaded() or search()
  return found
end
