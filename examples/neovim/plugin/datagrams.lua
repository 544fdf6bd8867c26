-- Datagrams in a buffer of Neovim's, one line each: logs of programs that send them to a UDP port.
--
--     :DatagramsListen [PORT]       opens the buffer, and listens on 127.0.0.1 (8125 unless given)
--     :DatagramsSend PORT TEXT      sends one
--     :DatagramsStop                ends it; so does deleting the buffer
--
-- Put this file into a folder `plugin` on Neovim's 'runtimepath' (~/.config/nvim/plugin). It needs dgram for LuaJIT, or
-- Lua 5.1; luv is part of Neovim, which runs its loop: dgram's callbacks come by themselves.
local dgram = require "dgram"

local MOST_LINES = 10000

local socket, buffer

local function complain(err)
  vim.schedule(function() vim.notify("datagrams: " .. tostring(err), vim.log.levels.ERROR) end)
end

--- Listeners run inside of the loop, where Neovim allows no change of buffers: what came is put into the buffer later.
local waiting = {}

local function show()
  local lines = waiting
  waiting = {}
  if not (buffer and vim.api.nvim_buf_is_valid(buffer)) then return end
  vim.api.nvim_buf_set_lines(buffer, -1, -1, false, lines)
  local surplus = vim.api.nvim_buf_line_count(buffer) - MOST_LINES
  if surplus > 0 then vim.api.nvim_buf_set_lines(buffer, 0, surplus, false, {}) end
end

local function on_message(msg, rinfo)
  if #waiting == 0 then vim.schedule(show) end
  waiting[#waiting + 1] = ("%s:%d %s"):format(rinfo.address, rinfo.port, (msg:gsub("%c", " ")))
end

local function stop()
  if socket then socket:close() end
  socket = nil
end

local function listen(command)
  stop()
  local port = command.args == "" and 8125 or tonumber(command.args)
  local done, made = pcall(function()
    local new = dgram.createSocket("udp4", on_message)
    new:on("error", complain)
    return new, new:bindSync { address = "127.0.0.1", port = port }
  end)
  if not done then return complain(made) end
  socket = made
  buffer = vim.api.nvim_create_buf(true, true)
  vim.api.nvim_buf_set_name(buffer, ("datagrams %d [%d]"):format(socket:address().port, buffer))
  vim.api.nvim_buf_attach(buffer, false, { on_detach = stop })
  vim.api.nvim_set_current_buf(buffer)
end

local function send(command)
  local port, text = command.args:match "^(%d+)%s+(.*)$"
  if not port then return complain "usage: DatagramsSend PORT TEXT" end
  local sender = socket or dgram.createSocket "udp4"
  local done, err = pcall(sender.send, sender, text, tonumber(port), "127.0.0.1", function(failure)
    if failure then complain(failure) end
    if sender ~= socket then sender:close() end
  end)
  if not done then complain(err) end
end

vim.api.nvim_create_user_command("DatagramsListen", listen, { nargs = "?" })
vim.api.nvim_create_user_command("DatagramsSend", send, { nargs = 1 })
vim.api.nvim_create_user_command("DatagramsStop", stop, {})
