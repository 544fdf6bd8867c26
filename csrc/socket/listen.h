/* SPDX-License-Identifier: MIT */
/* The receiver of a socket's messages: the only listener, or the function that calls all of them. What gets the lists
 * of `batch`, likewise. And pause and resume.
 * Nobody is called here (receive.h does that), and lists of listeners are kept by lua/dgram/emitter.lua. */
#ifndef DG_SOCKET_LISTEN_H
#define DG_SOCKET_LISTEN_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Adds pause and resume; core.setReceiver and core.setLists(socket, function | nil), core.hasLists(socket),
 * core.listenAlone(socket, function). */
void dg_listen_open(lua_State *L);

DG_HIDDEN_END

#endif
