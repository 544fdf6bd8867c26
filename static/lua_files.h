/* SPDX-License-Identifier: MIT */
/* dgram's Lua files as data: static/lua_files.cmake writes the source from the folder lua/. */
#ifndef DG_STATIC_LUA_FILES_H
#define DG_STATIC_LUA_FILES_H

#include <stddef.h>

typedef struct dg_lua_file {
    const char *module; /* as require knows it; NULL ends the list */
    const char *chunk;  /* as error messages and tracebacks show it */
    const char *text;
    size_t length;
} dg_lua_file;

extern __attribute__((visibility("hidden"))) const dg_lua_file dg_lua_files[];

#endif
