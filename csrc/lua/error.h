/* SPDX-License-Identifier: MIT */
/* Error objects: tables with name, code, message (and errno, syscall, address, port of a failed system call), after
 * Node.js' errors. Everything that dgram raises or reports is one of them. Who gets one is decided elsewhere. */
#ifndef DG_LUA_ERROR_H
#define DG_LUA_ERROR_H

#include "../net/address.h"
#include "compat.h"

DG_HIDDEN_BEGIN

/* Creates the metatable in the state and leaves nothing on the stack. */
void dg_error_open(lua_State *L);

/* Raises an error of `name` ("Error", "TypeError", "RangeError"); the format is lua_pushfstring's. */
int dg_error_raise(lua_State *L, const char *name, const char *code, const char *format, ...);

/* TypeError ERR_INVALID_ARG_TYPE: The "<argument>" argument must be <expected>. Received ... */
int dg_error_arg_type(lua_State *L, int index, const char *argument, const char *expected);
/* RangeError ERR_OUT_OF_RANGE: The value of "<argument>" is out of range. It must be <expected>. Received ... */
int dg_error_range(lua_State *L, int index, const char *argument, const char *expected);
/* Pushes and returns the description of a value that messages put behind "Received ". */
const char *dg_error_received(lua_State *L, int index);
/* Raises for a surplus argument: it is number `number`, and the call takes at most `most`. */
int dg_error_too_many(lua_State *L, int index, int most, int number);
/* Raises where there is a value past `last`, because surplus arguments hide mistakes. The first is for methods, which
 * do not count `self` as an argument; the second is for functions. */
void dg_error_surplus(lua_State *L, int last);
void dg_error_surplus_function(lua_State *L, int last);

/* Pushes the error of a failed system call; `error` is a negative errno, `address` may be NULL. */
void dg_error_push_system(lua_State *L, int error, const char *syscall, const dg_address *address);
/* Does the same with advice (advice.h) at the end of the message, unless it is NULL. */
void dg_error_push_advised(lua_State *L, int error, const char *syscall, const dg_address *address, const char *advice);
/* Does the same for an address that could not be parsed: its text is at `index`; port 0: none. */
void dg_error_push_system_text(lua_State *L, int error, const char *syscall, int index, unsigned port,
                               const char *advice);
int dg_error_raise_system(lua_State *L, int error, const char *syscall, const dg_address *address);
int dg_error_raise_advised(lua_State *L, int error, const char *syscall, const char *advice);

/* core.error(name, code, message [, fields]): the constructor for the Lua side; returns the object. */
int dg_error_new(lua_State *L);
/* core.systemError(errno, syscall [, address [, port [, advice]]]) likewise. */
int dg_error_new_system(lua_State *L);
/* core.where(): "file:line:" of the program's call, or nil where the loop has called dgram. */
int dg_error_where(lua_State *L);
/* core.place(err, where): gives an error object the place of the call that it comes from, unless it has a place. */
int dg_error_place(lua_State *L);
/* Pushes the place of the call that the error object at `index` comes from, and returns 1; or returns 0. */
int dg_error_push_place(lua_State *L, int index);
/* core.describe(value): the "Received ..." part of messages. */
int dg_error_describe(lua_State *L);

/* Pushes the error for an address that a socket's sendBlockList contains. */
void dg_error_push_blocked(lua_State *L, const dg_address *address);

DG_HIDDEN_END

#endif
