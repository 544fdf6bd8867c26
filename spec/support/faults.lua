-- SPDX-License-Identifier: MIT
-- What an error object must be, and who must raise it.

local luassert = require "luassert"

local faults = {}

local kinds = { Error = true, TypeError = true, RangeError = true }

--- Checks that err is an error object with the wanted fields; returns it.
function faults.check(err, want, label)
  label = label or want.code
  luassert.is_not_nil(err, label .. ": no error")
  luassert.is_not_equal("string", type(err), label .. ": a bare string: " .. tostring(err))
  luassert.equal(want.code, err.code, label .. ": " .. tostring(err))
  luassert.is_true(kinds[err.name] == true, label .. ": name is " .. tostring(err.name))
  luassert.equal("string", type(err.message), label .. ": message")
  luassert.is_true(#err.message > 0, label .. ": empty message")
  -- a refused buffer size tells the system's reason instead, as in Node
  local word = want.code == "ERR_SOCKET_BUFFER_SIZE" and "buffer size" or want.code
  luassert.is_truthy(tostring(err):find(word, 1, true), label .. ": tostring is " .. tostring(err))
  for field, value in pairs(want) do
    luassert.equal(value, err[field], label .. ": " .. field)
  end
  return err
end

--- Checks an error object that comes from a system call.
function faults.system(err, want, label)
  faults.check(err, want, label)
  luassert.equal("Error", err.name)
  luassert.equal("string", type(err.syscall))
  luassert.equal("number", type(err.errno))
  luassert.is_true(err.errno < 0, "errno is negative, as libuv's")
  return err
end

--- fn(...) must raise the wanted error; returns it.
function faults.raised(want, fn, ...)
  local ok, err = pcall(fn, ...)
  luassert.is_false(ok, (want.label or want.code) .. ": nothing raised")
  local label = want.label
  local fields = {}
  for k, v in pairs(want) do
    if k ~= "label" then fields[k] = v end
  end
  return (fields.syscall and faults.system or faults.check)(err, fields, label)
end

faults.bad_type = { name = "TypeError", code = "ERR_INVALID_ARG_TYPE" }
faults.bad_value = { name = "TypeError", code = "ERR_INVALID_ARG_VALUE" }
faults.out_of_range = { name = "RangeError", code = "ERR_OUT_OF_RANGE" }
faults.bad_port = { name = "RangeError", code = "ERR_SOCKET_BAD_PORT" }
faults.not_running = { name = "Error", code = "ERR_SOCKET_DGRAM_NOT_RUNNING" }

return faults
