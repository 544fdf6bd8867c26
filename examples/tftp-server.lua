-- A TFTP server that only gives: the files of one folder, and of the folders in it (RFC 1350, with the options blksize and
-- tsize of RFC 2347 to 2349). Ctrl-C ends it.
--
--   sh scripts/with.sh lua5.4 lua5.4 examples/tftp-server.lua [FOLDER] [PORT] [ADDRESS]
--
-- FOLDER is the current one if not given. It listens on PORT (6969; clients expect 69, which needs root) of ADDRESS (127.0.0.1).
-- Get a file with: curl -O tftp://127.0.0.1:6969/README.md
local dgram = require "dgram"
local uv = require "luv"
local program = dofile((arg[0]:match ".*/" or "") .. "lib/program.lua")

local first_wait, tries = 500, 5  -- ms until a block is sent again, twice as long after each try, and how often at most
local largest = 1428              -- bytes of a block: what goes through Ethernet in one piece
local most_transfers = 100
local transfers, running, done = {}, 0, 0 -- "address port" of a client -> a function that ends its transfer
local server, root, address

local function ignore() end

local function two_bytes(number)
  return string.char(math.floor(number / 256) % 256, number % 256)
end

local function error_packet(code, text)
  return "\0\5" .. two_bytes(code) .. text .. "\0"
end

--- The texts of a request, each of which ends with a NUL.
local function texts_of(msg)
  local texts, at = {}, 3
  local stop = msg:find("\0", at, true)
  while stop do
    texts[#texts + 1] = msg:sub(at, stop - 1)
    at = stop + 1
    stop = msg:find("\0", at, true)
  end
  return texts
end

--- Opens a file for reading: returns its descriptor and its size, or nil. Names lead nowhere but below the folder, whatever
-- ".." and symbolic links they have: where the file really is decides.
local function open(name)
  local path = uv.fs_realpath(root .. name)
  local stat = path and path:sub(1, #root) == root and uv.fs_stat(path)
  if not stat or stat.type ~= "file" then return nil end
  return uv.fs_open(path, "r", 0), stat.size
end

--- A function that returns block after block of a file, the last of which is shorter than the others; or nil and the reason.
-- In the mode "netascii" a line ends with CR LF, and a lone CR is CR NUL.
local function blocks_of(file, size, mode)
  local rest, offset, ended = "", 0, false
  return function()
    while #rest < size and not ended do
      local chunk, reason = uv.fs_read(file, 65536, offset)
      if not chunk then return nil, reason end
      ended, offset = chunk == "", offset + #chunk
      if mode == "netascii" then chunk = chunk:gsub("[\r\n]", { ["\r"] = "\r\0", ["\n"] = "\r\n" }) end
      rest = rest .. chunk
    end
    local block = rest:sub(1, size)
    rest = rest:sub(size + 1)
    return block
  end
end

--- The options that the client asks for and gets: the size of a block, and the packet that says so, if there is one.
local function accept_options(texts, mode, bytes)
  local size, list = 512, {}
  for i = 3, #texts - 1, 2 do
    local option, value = texts[i]:lower(), tonumber(texts[i + 1]:match "^%d+$")
    if option == "blksize" and value and value >= 8 then
      size = math.min(value, largest)
      list[#list + 1] = ("blksize\0%d\0"):format(size)
    elseif option == "tsize" and mode == "octet" and bytes > 0 then -- curl takes no 0
      list[#list + 1] = ("tsize\0%d\0"):format(bytes)
    end
  end
  return size, #list > 0 and "\0\6" .. table.concat(list) or nil
end

--- Sends a file from a port of its own: each packet when the one before is acknowledged, and again where no answer comes.
local function transfer(socket, rinfo, name, file, next_block, size, options)
  local key = rinfo.address .. " " .. rinfo.port
  local timer = uv.new_timer()
  local number, packet, tried, last = 0, nil, 0, false
  running = running + 1

  local function finish(what)
    print(("%s to %s: %s"):format(name, key, tostring(what)))
    transfers[key], running = nil, running - 1
    timer:close()
    socket:close()
    uv.fs_close(file)
  end

  local function send()
    if tried == tries then return finish "no answer" end
    timer:start(first_wait * 2 ^ tried, 0, send)
    tried = tried + 1
    socket:send(packet, ignore)
  end

  local function go_on()
    local block, reason = next_block()
    if not block then
      socket:send(error_packet(0, reason), ignore)
      return finish(reason)
    end
    number, last, tried = (number + 1) % 65536, #block < size, 0
    packet = "\0\3" .. two_bytes(number) .. block
    send()
  end

  socket:on("error", finish) -- the client has gone
  socket:on("message", function(msg)
    if msg:sub(1, 2) == "\0\5" then return finish "the client gives up" end
    -- Another number is an old acknowledgement: to answer it would send every packet from here on twice.
    if msg:sub(1, 4) ~= "\0\4" .. two_bytes(number) then return end
    if not last then return go_on() end
    done = done + 1
    finish "sent"
  end)
  transfers[key] = finish
  socket:bind(0, address)
  socket:connect(rinfo.port, rinfo.address) -- what others send does not come
  packet = options
  if options then send() else go_on() end
end

local function on_request(msg, rinfo)
  local function refuse(code, text) server:reply(error_packet(code, text), rinfo, ignore) end
  local name, mode = texts_of(msg)[1], (texts_of(msg)[2] or ""):lower()
  if rinfo.port == 0 or transfers[rinfo.address .. " " .. rinfo.port] then return end -- nobody; asked twice
  if msg:sub(1, 2) == "\0\2" then return refuse(2, "this server only gives") end
  if msg:sub(1, 2) ~= "\0\1" or mode ~= "octet" and mode ~= "netascii" then return refuse(4, "no request") end
  if running == most_transfers then return refuse(0, "busy") end
  local file, bytes = open(name)
  if not file then return refuse(1, "there is no such file") end
  local made, socket = pcall(dgram.createSocket, program.kind_of(rinfo.address)) -- there may be no descriptor left
  if not made then
    uv.fs_close(file)
    return refuse(0, "busy")
  end
  local size, options = accept_options(texts_of(msg), mode, bytes)
  transfer(socket, rinfo, name:gsub("%c", "?"), file, blocks_of(file, size, mode), size, options)
end

local folder, port
folder, port, address = program.words("[FOLDER] [PORT] [ADDRESS]", 0, 3)
folder, address = folder or ".", program.address(address, "127.0.0.1")
root = uv.fs_realpath(folder) or program.fail(folder .. ": there is no such folder")
if uv.fs_stat(root).type ~= "directory" then program.fail(folder .. " is no folder") end
root = root:gsub("/*$", "") .. "/"
server = dgram.createSocket(program.kind_of(address), on_request)
server:on("error", program.on_error)
server:bind(program.port(port, 6969), address, function() program.say_listening(server) end)

program.on_interrupt(function()
  for _, finish in pairs(transfers) do finish "broken off" end
  server:close()
  print("closed after " .. program.counted(done, "file"))
end)
dgram.run()
