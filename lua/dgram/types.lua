---@meta dgram
-- For the Lua language server; no program loads this. docs/api.md says the same at greater length. scripts/check-types.lua
-- reads it, and compares the calls in examples and documents with it.
-- An annotation cannot go on in another line.
-- luacheck: ignore 212 241 631

---@class dgram
---@field _VERSION string
---@field Socket dgram.Socket the sockets' methods; may be extended
---@field BlockList dgram.BlockListMaker
local dgram = {}

---@alias dgram.Type "udp4" | "udp6" | "unix_dgram"
---@alias dgram.Family "ipv4" | "ipv6"
---@alias dgram.SendCallback fun(err: dgram.Error?, bytes: integer)
---@alias dgram.ManyCallback fun(err: dgram.Error?, count: integer)
---@alias dgram.MessageListener fun(msg: string, rinfo: dgram.RemoteInfo)
---@alias dgram.ErrorListener fun(err: dgram.Error)
---@alias dgram.LookupCallback fun(err: any, address?: string, family?: integer)
---@alias dgram.Lookup fun(hostname: string, options: dgram.LookupOptions, cb: dgram.LookupCallback)
---@alias dgram.BatchListener fun(messages: string[], rinfos: dgram.RemoteInfo[])

--- What both createSocket and socketpair take.
---@class dgram.PairOptions
---@field reuseAddr? boolean several sockets may have one address; unix_dgram: bind removes a dead socket's file
---@field reusePort? boolean several sockets share one port
---@field ipv6Only? boolean udp6 only: leaves IPv4 to others
---@field recvBufferSize? integer bytes
---@field sendBufferSize? integer bytes
---@field sendQueueLimit? integer bytes that may wait in the socket, 64 counted for each datagram, 16 MiB unless given
---@field gso? boolean false: the kernel cuts no datagrams out of one piece
---@field gro? boolean whether the kernel hands over several datagrams in one piece: true at once, false never, nil when it pays
---@field moderation? false|integer microseconds that datagrams in quick succession may wait, 1 to 1000000; none unless given
---@field busyPoll? false|integer microseconds that the kernel is asked for more before the loop may sleep, 1 to 1000000
---@field interface? string the name of the interface that the socket is bound to: no datagram goes or comes by others
---@field multicastAll? boolean false: only groups that this socket has joined
---@field pktInfo? boolean rinfo has localAddress and interface; not for unix_dgram
---@field recvTTL? boolean rinfo has ttl; not for unix_dgram
---@field recvTOS? boolean rinfo has tos; not for unix_dgram
---@field timestamp? boolean|"ns" rinfo has timestamp: seconds, a float; "ns": nanoseconds, an integer, from Lua 5.3 on
---@field recvCredentials? boolean rinfo has pid, uid and gid; unix_dgram only
---@field recvErrors? boolean ICMP errors of all that the socket sends are `error` events
---@field lookup? dgram.Lookup
---@field receiveBlockList? dgram.BlockList drops what comes from these addresses
---@field sendBlockList? dgram.BlockList refuses what goes to these addresses: ERR_IP_BLOCKED
---@field signal? dgram.EventEmitter | dgram.Signal its `abort` event closes the socket

---@class dgram.SocketOptions: dgram.PairOptions
---@field type dgram.Type

---@class dgram.LookupOptions
---@field family 4 | 6

---@class dgram.Signal
---@field aborted? boolean
---@field on fun(self: any, event: "abort", listener: function)

---@class dgram.BindOptions
---@field port? integer 0 to 65535
---@field address? string a literal or a host name
---@field path? string for unix_dgram
---@field mode? string|integer the permissions of the path's file: octal digits, or 0 to 511
---@field fd? integer an open descriptor, which the socket takes over
---@field exclusive? boolean without effect

---@class dgram.Address
---@field address string
---@field family "IPv4" | "IPv6" | "unix"
---@field port? integer absent for unix_dgram

--- Who sent a message. The fields from localAddress on are there where createSocket was given the option that they name.
---@class dgram.RemoteInfo
---@field address string the sender's address; unix_dgram: its path, "" where it has none
---@field family "IPv4" | "IPv6" | "unix"
---@field port? integer absent for unix_dgram
---@field size integer bytes
---@field truncated? boolean true where the message was cut short
---@field localAddress? string pktInfo: the address that it was sent to
---@field interface? string pktInfo: the name of the interface that it came by, "#7" where that has gone
---@field ttl? integer recvTTL: 0 to 255
---@field tos? integer recvTOS: DSCP and ECN, 0 to 255
---@field timestamp? number timestamp: since the epoch, seconds or nanoseconds
---@field pid? integer recvCredentials: the sender's process
---@field uid? integer recvCredentials
---@field gid? integer recvCredentials

--- Where `reply` sends to: a table of the program's own in the place of an rinfo.
---@class dgram.Destination
---@field address string
---@field port? integer
---@field localAddress? string
---@field interface? string

--- What dgram raises, and hands to callbacks and `error` listeners. There a `lookup` of the program's own may have put
--- another value, and so may listeners that raise.
---@class dgram.Error
---@field name "Error" | "TypeError" | "RangeError"
---@field code string `ERR_...`, or the name of the system's error
---@field message string
---@field errno? integer negative, as libuv's
---@field syscall? string
---@field address? string
---@field port? integer
---@field interface? string of memberships, setMulticastInterface and the option interface
---@field source? string of source-specific memberships
---@field hostname? string of look-ups
---@field icmpType? integer of ICMP errors (the option recvErrors)
---@field icmpCode? integer of ICMP errors
---@field offender? string of ICMP errors: who sent the message
---@field mtu? integer of ICMP errors: the bytes that a packet may have
---@field where? string file and line of the program's call that failed
---@field traceback? string of what dgram.run raises

---@class dgram.Stats
---@field messagesReceived integer
---@field bytesReceived integer
---@field messagesSent integer
---@field bytesSent integer
---@field sendErrors integer
---@field dropped? integer dropped by the kernel, in entries of its buffer (a train is one); absent where it does not say
---@field blocked integer refused by receiveBlockList
---@field strangers integer of others than the peer, dropped after connect
---@field truncated integer
---@field descriptorsRefused integer messages that brought descriptors, which the kernel closed
---@field receiveCalls integer system calls
---@field sendCalls integer system calls
---@field gso boolean whether the kernel segments for the socket
---@field gro boolean whether it coalesces, by now
---@field moderated? boolean whether the socket is received from at intervals, by now; absent where the system cannot

---@class dgram.State
---@field type dgram.Type
---@field bound boolean
---@field connected boolean
---@field paused boolean
---@field closing boolean from close() until the descriptor closes
---@field closed boolean the descriptor is closed; bound, connected and paused are false then

---@class dgram.SystemdSocket
---@field fd integer
---@field name string "unknown" where systemd gave none

--- Makes a socket; it has its descriptor at once. socket(2)
--- Raises ERR_SOCKET_BAD_TYPE, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, ERR_SOCKET_BUFFER_SIZE,
--- system errors.
---@param type dgram.Type
---@param callback? dgram.MessageListener listens for `message`
---@return dgram.Socket
---@overload fun(options: dgram.SocketOptions, callback?: dgram.MessageListener): dgram.Socket
function dgram.createSocket(type, callback) end

--- Makes two unix_dgram sockets that are connected to each other; both get the options. socketpair(2)
--- Raises ERR_SOCKET_BAD_TYPE for another type, and what createSocket raises.
---@param options? dgram.PairOptions | dgram.SocketOptions
---@return dgram.Socket
---@return dgram.Socket
function dgram.socketpair(options) end

--- Makes an empty block list.
---@class dgram.BlockListMaker
---@field PRIVATE_RANGES string[] subnets for addCIDRs; made anew each time
---@overload fun(): dgram.BlockList
local BlockListMaker = {}

--- Whether a value is a block list.
---@param value any
---@return boolean
function BlockListMaker.isBlockList(value) end

--- Makes a bare emitter.
---@return dgram.Emitter
function dgram.EventEmitter() end

--- Runs luv's loop; raises the first error of a listener or callback of dgram, with its traceback.
---@param mode? "default" | "once" | "nowait"
---@return boolean # whether something is left to do
function dgram.run(mode) end

--- The descriptor that a host waits for, to be readable. Raises ENOTSUP where the loop has none.
---@return integer
function dgram.pollfd() end

--- What a host waits for at the descriptor.
---@return "r"
function dgram.events() end

--- How long a host may wait before it steps; nil: no limit.
---@return number? seconds
function dgram.timeout() end

--- One turn of the loop, for the program around it. Raises what dgram.run does, and inside of the loop.
---@param timeoutMs? number milliseconds that it may wait, 0 unless given
---@return boolean # whether anything is left to do
function dgram.step(timeoutMs) end

--- Sets who is called when the host has to step, though it waits. The function must only wake the host.
---@param fn? fun()
function dgram.onDue(fn) end

--- Sets the loop to use in the place of luv. Before the first socket only.
---@param loop dgram.Loop
function dgram.setLoop(loop) end

--- Makes a function that calls fn; what fn raises goes to the uncaught handler or dgram.run, as errors of listeners do.
--- Raises ERR_INVALID_ARG_TYPE.
---@generic F: function
---@param fn F
---@return F
function dgram.protect(fn) end

--- Sets who gets uncaught errors in the place of dgram.run and luv.
---@param fn? fun(err: any, traceback: string)
function dgram.setUncaughtHandler(fn) end

--- The descriptors that systemd passed to this process. sd_listen_fds(3)
---@return dgram.SystemdSocket[]
function dgram.systemdSockets() end

---@param value any
---@return boolean # whether it is a socket of dgram
function dgram.isSocket(value) end

--- What sockets and bare emitters have in common. An event's name may be any value but nil and NaN.
---@class dgram.EventEmitter
local EventEmitter = {}

--- Adds a listener behind the others.
---@param event any
---@param listener function
---@return self
function EventEmitter:on(event, listener) end

---@param event any
---@param listener function
---@return self
function EventEmitter:addListener(event, listener) end

--- The same for one event.
---@param event any
---@param listener function
---@return self
function EventEmitter:once(event, listener) end

--- Adds a listener before the others.
---@param event any
---@param listener function
---@return self
function EventEmitter:prependListener(event, listener) end

---@param event any
---@param listener function
---@return self
function EventEmitter:prependOnceListener(event, listener) end

--- Removes the listener that was added last with this function.
---@param event any
---@param listener function
---@return self
function EventEmitter:off(event, listener) end

---@param event any
---@param listener function
---@return self
function EventEmitter:removeListener(event, listener) end

--- Removes the listeners of an event, or all.
---@param event? any
---@return self
function EventEmitter:removeAllListeners(event) end

--- Calls the listeners. An `error` event without one raises.
---@param event any
---@param ... any
---@return boolean # whether there was a listener
function EventEmitter:emit(event, ...) end

---@param event any
---@return function[]
function EventEmitter:listeners(event) end

---@param event any
---@param listener? function
---@return integer
function EventEmitter:listenerCount(event, listener) end

---@return any[] # in no particular order
function EventEmitter:eventNames() end

--- What dgram.EventEmitter makes: a table.
---@class dgram.Emitter: dgram.EventEmitter
---@field aborted? boolean for the option `signal`: true where `abort` was emitted already

---@class dgram.BlockList
---@field rules string[] one for each rule: addresses, subnets, ranges, each with the newest first; made anew each time
---@field size integer how many rules there are
local BlockList = {}

--- Raises ERR_INVALID_ADDRESS, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE.
---@param address string
---@param family? dgram.Family
function BlockList:addAddress(address, family) end

--- All of them, or none.
---@param addresses string[]
---@param family? dgram.Family
function BlockList:addAddresses(addresses, family) end

--- Both ends belong to it.
---@param start string
---@param last string
---@param family? dgram.Family
function BlockList:addRange(start, last, family) end

--- Raises ERR_OUT_OF_RANGE, too.
---@param network string
---@param prefix integer 0 to 32, or to 128
---@param family? dgram.Family
function BlockList:addSubnet(network, prefix, family) end

---@param cidr string "192.0.2.0/24"
function BlockList:addCIDR(cidr) end

--- All of them, or none.
---@param cidrs string[]
function BlockList:addCIDRs(cidrs) end

--- Takes away what addAddress added; where there is no such rule, nothing happens. So do the next three.
---@param address string
---@param family? dgram.Family
function BlockList:removeAddress(address, family) end

---@param start string
---@param last string
---@param family? dgram.Family
function BlockList:removeRange(start, last, family) end

---@param network string the address that it was added by
---@param prefix integer
---@param family? dgram.Family
function BlockList:removeSubnet(network, prefix, family) end

---@param cidr string
function BlockList:removeCIDR(cidr) end

--- Takes all rules away.
function BlockList:clear() end

---@param address string
---@param family? dgram.Family
---@return boolean
function BlockList:check(address, family) end

---@return string[] # what `rules` is
function BlockList:toJSON() end

--- Adds the rules of such texts, all or none; what is no rule is passed over.
---@param data string[]
function BlockList:fromJSON(data) end

---@class dgram.Socket: dgram.EventEmitter
local Socket = {}

--- Adds a listener behind the others. The sockets' own events have these listeners.
---@param event "listening" | "connect" | "drain" | "close"
---@param listener fun()
---@return dgram.Socket
---@overload fun(self: dgram.Socket, event: "message", listener: dgram.MessageListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "batch", listener: dgram.BatchListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "error", listener: dgram.ErrorListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: any, listener: function): dgram.Socket
function Socket:on(event, listener) end

--- The same as `on`.
---@param event "listening" | "connect" | "drain" | "close"
---@param listener fun()
---@return dgram.Socket
---@overload fun(self: dgram.Socket, event: "message", listener: dgram.MessageListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "batch", listener: dgram.BatchListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "error", listener: dgram.ErrorListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: any, listener: function): dgram.Socket
function Socket:addListener(event, listener) end

--- The same for one event.
---@param event "listening" | "connect" | "drain" | "close"
---@param listener fun()
---@return dgram.Socket
---@overload fun(self: dgram.Socket, event: "message", listener: dgram.MessageListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "batch", listener: dgram.BatchListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "error", listener: dgram.ErrorListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: any, listener: function): dgram.Socket
function Socket:once(event, listener) end

--- Adds a listener before the others.
---@param event "listening" | "connect" | "drain" | "close"
---@param listener fun()
---@return dgram.Socket
---@overload fun(self: dgram.Socket, event: "message", listener: dgram.MessageListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "batch", listener: dgram.BatchListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "error", listener: dgram.ErrorListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: any, listener: function): dgram.Socket
function Socket:prependListener(event, listener) end

--- The same for one event.
---@param event "listening" | "connect" | "drain" | "close"
---@param listener fun()
---@return dgram.Socket
---@overload fun(self: dgram.Socket, event: "message", listener: dgram.MessageListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "batch", listener: dgram.BatchListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: "error", listener: dgram.ErrorListener): dgram.Socket
---@overload fun(self: dgram.Socket, event: any, listener: function): dgram.Socket
function Socket:prependOnceListener(event, listener) end

--- Gives the socket its address. A failure is an `error` event. bind(2)
--- Raises ERR_SOCKET_ALREADY_BOUND, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_INVALID_FD_TYPE.
---@param port? integer
---@param address? string
---@param callback? fun() listens once for `listening`
---@return dgram.Socket
---@overload fun(self: dgram.Socket, options: dgram.BindOptions, callback?: fun()): dgram.Socket
---@overload fun(self: dgram.Socket, path: string, callback?: fun()): dgram.Socket
---@overload fun(self: dgram.Socket, port: integer?, callback: fun()): dgram.Socket
---@overload fun(self: dgram.Socket, callback: fun()): dgram.Socket
function Socket:bind(port, address, callback) end

--- Binds within the call, or raises; a host name is ERR_INVALID_ARG_VALUE. Needs no loop.
---@param options? dgram.BindOptions
---@return dgram.Address
function Socket:bindSync(options) end

--- Sets the peer. A failure goes to the callback, or else to `error`. connect(2)
--- Raises ERR_SOCKET_DGRAM_IS_CONNECTED, ERR_SOCKET_BAD_PORT, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE.
---@param port integer
---@param address? string
---@param callback? fun(err: dgram.Error?)
---@overload fun(self: dgram.Socket, port: integer, callback: fun(err: dgram.Error?))
---@overload fun(self: dgram.Socket, path: string, callback?: fun(err: dgram.Error?))
function Socket:connect(port, address, callback) end

--- Connects within the call, or raises; a host name is ERR_INVALID_ARG_VALUE. Needs no loop.
---@param port integer
---@param address? string
---@overload fun(self: dgram.Socket, path: string)
function Socket:connectSync(port, address) end

--- Takes the peer away. Raises ERR_SOCKET_DGRAM_NOT_CONNECTED.
function Socket:disconnect() end

--- Raises ERR_SOCKET_DGRAM_NOT_CONNECTED. getpeername(2)
---@return dgram.Address
function Socket:remoteAddress() end

--- The options of a datagram of `send` and `sendMany`. Not for unix_dgram.
---@class dgram.SendOptions
---@field localAddress? string the source address
---@field interface? string where it leaves: a name, or "#" and an index
---@field tos? integer the traffic class, 0 to 255
---@field ttl? integer the hop limit, 1 to 255

--- Sends a datagram. sendmsg(2)
--- Each form without a port and an address is for connected sockets, each with a path for unix_dgram.
--- Raises ERR_SOCKET_BAD_PORT, ERR_BUFFER_OUT_OF_BOUNDS, ERR_OUT_OF_RANGE, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE,
--- ERR_INVALID_IP_ADDRESS, ERR_SOCKET_DGRAM_IS_CONNECTED.
---@param msg string | string[]
---@param port integer
---@param address? string
---@param options? dgram.SendOptions
---@param callback? dgram.SendCallback
---@return boolean # false when much waits: then `drain` comes
---@overload fun(self: dgram.Socket, msg: string|string[], port: integer, callback: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string|string[], port: integer, address: string?, callback: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string|string[], port: integer, options: dgram.SendOptions, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string|string[], callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string|string[], options: dgram.SendOptions, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string|string[], path: string, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, port: integer, address?: string, options?: dgram.SendOptions, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, port: integer, callback: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, port: integer, address: string?, callback: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, port: integer, options: dgram.SendOptions, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, options: dgram.SendOptions, callback?: dgram.SendCallback): boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, path: string, callback?: dgram.SendCallback): boolean
function Socket:send(msg, port, address, options, callback) end

--- The older form of `send`, for sockets that are not connected.
---@param msg string
---@param offset integer bytes, from 0
---@param length integer bytes
---@param port integer
---@param address string
---@param callback? dgram.SendCallback
---@return boolean
---@overload fun(self: dgram.Socket, msg: string, offset: integer, length: integer, path: string, callback?: dgram.SendCallback): boolean
function Socket:sendto(msg, offset, length, port, address, callback) end

--- Sends a datagram to a message's sender, from the rinfo's localAddress, where it has one. What is in `rinfo` never raises; a
--- sender that cannot be answered is EDESTADDRREQ, to the callback or the `error` event. Raises
--- ERR_INVALID_ARG_TYPE for a wrong msg, rinfo (no table) or callback.
---@param msg string | string[]
---@param rinfo dgram.RemoteInfo | dgram.Destination
---@param callback? dgram.SendCallback
---@return boolean # false when much waits: then `drain` comes
function Socket:reply(msg, rinfo, callback) end

--- Sends each string of a list as a datagram. `callback` comes once: the first error, and how many went.
---@param list string[]
---@param port? integer
---@param address? string
---@param options? dgram.SendOptions
---@param callback? dgram.ManyCallback
---@return boolean # false when much waits: then `drain` comes
---@overload fun(self: dgram.Socket, list: string[], port: integer, callback: dgram.ManyCallback): boolean
---@overload fun(self: dgram.Socket, list: string[], port: integer, address: string?, callback: dgram.ManyCallback): boolean
---@overload fun(self: dgram.Socket, list: string[], port: integer, options: dgram.SendOptions, callback?: dgram.ManyCallback): boolean
---@overload fun(self: dgram.Socket, list: string[], callback: dgram.ManyCallback): boolean
---@overload fun(self: dgram.Socket, list: string[], options: dgram.SendOptions, callback?: dgram.ManyCallback): boolean
---@overload fun(self: dgram.Socket, list: string[], path: string, callback?: dgram.ManyCallback): boolean
function Socket:sendMany(list, port, address, options, callback) end

--- Hands what was accepted to the kernel now. Needs no loop.
---@return boolean # whether nothing waits any more
function Socket:flush() end

--- Gives up what waits to be sent, look-ups included: each callback gets ECANCELED. Works while the socket closes, too.
---@return integer # how many datagrams
function Socket:discard() end

--- Takes the descriptor out of the socket, open, and closes the socket without it: for whoever adopts it by bind{fd}. What is
--- queued is flushed first, what is left fails with ECANCELED. Needs no loop. Raises ERR_SOCKET_DGRAM_NOT_RUNNING, EMFILE.
---@return integer # its number; another one than fileno() told, where the loop has watched it
function Socket:detach() end

--- Stops receiving; what was accepted still goes out. Raises ERR_SOCKET_DGRAM_NOT_RUNNING the second time.
---@param callback? fun() listens once for `close`
---@return dgram.Socket
function Socket:close(callback) end

--- Raises EBADF before bind. getsockname(2)
---@return dgram.Address
function Socket:address() end

---@return integer # the descriptor, which stays the socket's own
function Socket:fileno() end

--- What the socket is and where it stands. Works on a closed socket, too.
---@return dgram.State
function Socket:state() end

--- Lets the socket keep the loop alive (it does at first).
---@return dgram.Socket
function Socket:ref() end

---@return dgram.Socket
function Socket:unref() end

--- Takes no more datagrams from the kernel.
---@return dgram.Socket
function Socket:pause() end

---@return dgram.Socket
function Socket:resume() end

--- The next datagram: waits in a coroutine by yielding, outside of one by running the loop; with 0 it never waits.
--- Raises ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_INVALID_STATE.
---@param timeoutMs? number milliseconds; nil for no limit
---@return string? msg
---@return dgram.RemoteInfo|"timeout"|"closed"|dgram.Error rinfo
function Socket:receive(timeoutMs) end

--- As many datagrams as are there. Raises what receive does.
---@param max? integer 2,048 unless given
---@param timeoutMs? number milliseconds to wait for the first one; 0 unless given
---@return string[]? messages
---@return dgram.RemoteInfo[]|"timeout"|"closed"|dgram.Error rinfos
function Socket:receiveMany(max, timeoutMs) end

--- for msg, rinfo in socket:messages() do: ends when the socket closes; errors are raised.
---@return fun(): string, dgram.RemoteInfo
function Socket:messages() end

--- SO_BROADCAST
---@param flag boolean
function Socket:setBroadcast(flag) end

--- IP_TTL, IPV6_UNICAST_HOPS. Raises ERR_OUT_OF_RANGE.
---@param ttl integer 1 to 255
---@return integer
function Socket:setTTL(ttl) end

--- IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS. Raises ERR_OUT_OF_RANGE.
---@param ttl integer 0 to 255
---@return integer
function Socket:setMulticastTTL(ttl) end

--- IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP
---@param flag boolean
---@return boolean
function Socket:setMulticastLoopback(flag) end

--- IP_MULTICAST_IF, IPV6_MULTICAST_IF. Raises EINVAL, EADDRNOTAVAIL.
---@param interface string an address of it, its name, or "::%name"
function Socket:setMulticastInterface(interface) end

--- DSCP (the upper six bits) and ECN of what is sent. IP_TOS, IPV6_TCLASS. Raises ERR_OUT_OF_RANGE.
---@param tos integer 0 to 255
function Socket:setTypeOfService(tos) end

---@return integer # on a udp6 socket that of IPv6
function Socket:getTypeOfService() end

--- true: no datagram is cut up on its way; one that the interface does not take whole fails with EMSGSIZE. IP_MTU_DISCOVER,
--- IPV6_MTU_DISCOVER, IPV6_DONTFRAG
---@param flag boolean
function Socket:setDontFragment(flag) end

--- Bytes, headers included, that fit into one packet to the peer. IP_MTU, IPV6_MTU
--- Raises ERR_SOCKET_DGRAM_NOT_CONNECTED.
---@return integer
function Socket:getPathMTU() end

--- Any option of the system's. `level` and `name`: the system's numbers, or names of its constants ("SOL_SOCKET",
--- "SO_PRIORITY"). An integer is set as an int, a string as its bytes. setsockopt(2)
--- Raises ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, system errors.
---@param level integer | string
---@param name integer | string
---@param value integer | string
function Socket:setOption(level, name, value) end

--- An integer where the kernel answers with as many bytes as an int has (4), else the bytes. getsockopt(2)
--- Raises ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, system errors.
---@param level integer | string
---@param name integer | string
---@return integer | string
function Socket:getOption(level, name) end

--- MCAST_JOIN_GROUP. Raises ERR_MISSING_ARGS, EINVAL, EADDRINUSE, ENODEV.
---@param group string
---@param interface? string an address of it, its name, "::%name", or "*" for all
function Socket:addMembership(group, interface) end

--- MCAST_LEAVE_GROUP. Raises ERR_MISSING_ARGS, EINVAL, EADDRNOTAVAIL, ENODEV.
---@param group string
---@param interface? string
function Socket:dropMembership(group, interface) end

--- MCAST_JOIN_SOURCE_GROUP
---@param source string
---@param group string
---@param interface? string
function Socket:addSourceSpecificMembership(source, group, interface) end

--- MCAST_LEAVE_SOURCE_GROUP
---@param source string
---@param group string
---@param interface? string
function Socket:dropSourceSpecificMembership(source, group, interface) end

--- SO_RCVBUF. Raises ERR_SOCKET_BUFFER_SIZE.
---@return integer bytes
function Socket:getRecvBufferSize() end

--- SO_RCVBUF. Raises ERR_SOCKET_BAD_BUFFER_SIZE, ERR_SOCKET_BUFFER_SIZE.
---@param bytes integer
function Socket:setRecvBufferSize(bytes) end

--- SO_SNDBUF. Raises ERR_SOCKET_BUFFER_SIZE.
---@return integer bytes
function Socket:getSendBufferSize() end

--- SO_SNDBUF. Raises ERR_SOCKET_BAD_BUFFER_SIZE, ERR_SOCKET_BUFFER_SIZE.
---@param bytes integer
function Socket:setSendBufferSize(bytes) end

---@return integer # bytes of payload accepted and not yet handed to the kernel
function Socket:getSendQueueSize() end

---@return integer # datagrams likewise
function Socket:getSendQueueCount() end

--- Counters since the socket was made.
---@return dgram.Stats
function Socket:stats() end

--- A loop of luv's kind, for dgram.setLoop. What is optional is used where it is there.
---@class dgram.Loop
---@field new_poll fun(fd: integer): dgram.Handle
---@field poll_start fun(handle: dgram.Handle, events: string, callback: fun(err: string?, events: string?))
---@field poll_stop fun(handle: dgram.Handle)
---@field new_idle fun(): dgram.Handle
---@field idle_start fun(handle: dgram.Handle, callback: fun())
---@field idle_stop fun(handle: dgram.Handle)
---@field new_timer fun(): dgram.Timer
---@field timer_start fun(handle: dgram.Handle, timeoutMs: number, repeatMs: number, callback: fun())
---@field timer_stop? fun(handle: dgram.Handle)
---@field close fun(handle: dgram.Handle, callback?: fun())
---@field is_closing fun(handle: dgram.Handle): boolean
---@field is_active? fun(handle: dgram.Handle): boolean
---@field has_ref? fun(handle: dgram.Handle): boolean
---@field ref fun(handle: dgram.Handle)
---@field unref fun(handle: dgram.Handle)
---@field run fun(mode?: "default" | "once" | "nowait"): boolean
---@field stop fun()
---@field now? fun(): integer milliseconds
---@field update_time? fun()
---@field loop_alive? fun(): boolean
---@field loop_mode? fun(): string?
---@field backend_fd? fun(): integer
---@field backend_timeout? fun(): integer milliseconds, -1: no limit
---@field getaddrinfo? function
---@field interface_addresses? function

--- A handle of a loop that dgram.poll made.
---@class dgram.Handle
local Handle = {}

---@param ... any of polls the letters and the callback, of idles the callback
function Handle:start(...) end

function Handle:stop() end

---@param callback? fun()
function Handle:close(callback) end

---@return boolean
function Handle:is_closing() end

---@return boolean
function Handle:is_active() end

---@return boolean
function Handle:has_ref() end

--- Lets the handle keep the loop alive (it does at first).
function Handle:ref() end

function Handle:unref() end

---@class dgram.Timer: dgram.Handle
local Timer = {}

---@param timeoutMs number milliseconds until the first time
---@param repeatMs number milliseconds of the interval, or 0
---@param callback fun()
function Timer:start(timeoutMs, repeatMs, callback) end

---@class dgram.PollEvents
---@field IN? boolean
---@field OUT? boolean
---@field PRI? boolean
---@field ERR? boolean
---@field HUP? boolean
---@field NVAL? boolean

---@class dgram.PollEntry
---@field events dgram.PollEvents
---@field revents? dgram.PollEvents

---@alias dgram.PollFunction fun(fds: table<integer, dgram.PollEntry>, timeoutMs: integer): integer?, string?, integer?

--- The module dgram.poll. Where a part is missing the functions raise.
---@class dgram.poll
---@overload fun(fn: dgram.PollFunction): dgram.Loop
local poll = {}

--- Makes a loop of a function that waits for descriptors, as lua-posix' poll does. Raises ERR_INVALID_ARG_TYPE.
---@param fn dgram.PollFunction
---@return dgram.Loop
function poll.new(fn) end

--- Of lua-posix' poll(2).
---@return dgram.Loop
function poll.posix() end

--- Of LuaSocket's select(2).
---@return dgram.Loop
function poll.luasocket() end

--- Of LuaJIT's FFI and poll(2).
---@return dgram.Loop
function poll.ffi() end

--- Of the first of lua-posix, FFI, LuaSocket that is there. Raises ERR_FEATURE_UNAVAILABLE_ON_PLATFORM.
---@return dgram.Loop
function poll.any() end

return dgram
