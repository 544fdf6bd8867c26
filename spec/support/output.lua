--- What scripts/test.sh has busted print: TAP, or busted's own for terminals (the environment variable DGRAM_TERMINAL), and
--- in the end one line that a person reads.

--- "8: a sanitizer is preloaded; 5: needs npm", or "" for nothing.
local function reasons(pendings)
  local counts, list = {}, {}
  for _, each in ipairs(pendings) do
    local why = tostring(each.message or "no reason given"):gsub("^%S+%.lua:%d+: ", ""):gsub("%s+$", "")
    if not counts[why] then list[#list + 1] = why end
    counts[why] = (counts[why] or 0) + 1
  end
  for i, why in ipairs(list) do list[i] = ("%d: %s"):format(counts[why], why) end
  return table.concat(list, "; ")
end

return function(options)
  local busted = require "busted"
  local terminal = (os.getenv "DGRAM_TERMINAL" or "") ~= ""
  local handler = require("busted.outputHandlers." .. (terminal and "utfTerminal" or "TAP"))(options)

  busted.subscribe({ "exit" }, function()
    local failed, skipped = handler.failuresCount + handler.errorsCount, handler.pendingsCount
    local why = reasons(handler.pendings)
    local verdict = failed == 0 and "OK" or "FAILED"
    if why ~= "" then why = " (" .. why .. ")" end
    io.write(("%s: %d passed, %d failed, %d skipped%s\n"):format(verdict, handler.successesCount, failed, skipped, why))
    io.flush()
    return nil, true
  end)

  return handler
end
