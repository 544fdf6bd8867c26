std = "max"
max_line_length = 120
max_comment_line_length = 130
exclude_files = { "build", "lua_modules" }

files["spec"] = { std = "max+busted" }
