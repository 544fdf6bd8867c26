/* SPDX-License-Identifier: MIT */
/* Who takes a socket's messages, and whether now: its receiver, which is the listener or what calls all of them; pause
 * and resume. Calls nobody (receive.h does), and keeps no list of listeners (that is Lua's part). */
#ifndef DG_SOCKET_LISTEN_H
#define DG_SOCKET_LISTEN_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* core.setReceiver(socket, function | nil), core.listenAlone(socket, function); the methods pause and resume. */
void dg_listen_open(lua_State *L);

DG_HIDDEN_END

#endif
