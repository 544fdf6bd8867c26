std = "max"
max_line_length = 120
max_comment_line_length = 130
exclude_files = { "build", "lua_modules" }

files["spec"] = { std = "max+busted" }
-- What the hosts of these examples give their Lua.
files["examples/nginx"] = { globals = { "ngx" } }
files["examples/neovim"] = { read_globals = { "vim" } }
