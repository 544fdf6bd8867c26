--- The options of the socket that a program measures: its own, and those of the variable DGRAM_OPTIONS besides, as in
-- `moderation=50,gro=true`.
local words = { ["true"] = true, ["false"] = false }

return function(options)
  options.type = "udp4"
  for name, text in (os.getenv "DGRAM_OPTIONS" or ""):gmatch "(%w+)=(%w+)" do
    options[name] = words[text]
    if words[text] == nil then options[name] = tonumber(text) or text end
  end
  return options
end
