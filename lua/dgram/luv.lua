--- Finds luv: `luv` (luarocks, Debian, Neovim), else `uv` (luvit), else Neovim's own.
return function()
  for _, name in ipairs { "luv", "uv" } do
    local found, uv = pcall(require, name)
    if found and type(uv) == "table" and uv.new_poll then return uv end
  end
  local vim = rawget(_G, "vim")
  return type(vim) == "table" and (vim.uv or vim.loop) or nil
end
