-- SPDX-License-Identifier: MIT
-- Words of the cases for Node and dgram: arguments that neither JSON nor a Lua table can hold.

local words = {}

local function word(kind, fields)
  fields = fields or {}
  fields["$"] = kind
  return fields
end

words.NIL = word "nil"
words.NAN = word "nan"
words.HUGE = word "huge"

--- A string of so many equal parts.
function words.rep(text, times) return word("rep", { text = text, times = times }) end

--- The port that a socket is bound to.
function words.port(of) return word("port", { of = of }) end

--- Something that was made before: an emitter, a block list.
function words.made(of) return word("made", { of = of }) end

--- A function that logs its call under this name, then does the steps. The same name is the same function.
function words.cb(name, ...) return word("cb", { cb = name, steps = { ... } }) end

--- The same; it also logs what comes after an error.
function words.cb_all(name) return word("cb", { cb = name, steps = {}, all = true }) end

--- A function for the `lookup` option. It logs the name that it is asked for, and then: raises = MESSAGE, fails = CODE, or
-- answer = ADDRESS; now = true answers within the call. Only with literals = true does it log addresses, which Node asks for.
function words.lookup(fields) return word("lookup", fields) end

return words
