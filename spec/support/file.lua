-- SPDX-License-Identifier: MIT
-- Whole files.
local file = {}

function file.write(path, text)
  local handle = assert(io.open(path, "wb"))
  handle:write(text)
  handle:close()
end

--- @return what the file holds, or nil where there is none
function file.read(path)
  local handle = io.open(path, "rb")
  if not handle then return nil end
  local text = handle:read "*a"
  handle:close()
  return text
end

return file
