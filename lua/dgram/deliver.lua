--- The last step to a listener. A table constructor costs the interpreter less than building it through the C API; LuaJIT
-- compiles it together with the listener.
return function(msg, receiver, address, family, port, size, truncated)
  local rinfo = { address = address, family = family, port = port, size = size }
  if truncated then rinfo.truncated = true end
  return receiver(msg, rinfo)
end
