--- Reads what the shell scripts hand on.
-- @param list  `name=value` each; `build=LABEL|FOLDER|LUA|OPTIONS` may come more than once
-- @return the values by name, numbers as numbers, without the empty ones; the builds, each as a list
return function(list)
  local options, builds = {}, {}
  for _, text in ipairs(list) do
    local name, value = text:match "^([%w_]+)=(.*)$"
    if name == "build" then
      local build = {}
      for part in (value .. "|"):gmatch "(.-)|" do build[#build + 1] = part end
      builds[#builds + 1] = build
    elseif value ~= "" then
      options[name] = tonumber(value) or value
    end
  end
  return options, builds
end
