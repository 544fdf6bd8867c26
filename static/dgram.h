/* SPDX-License-Identifier: MIT */
/* dgram inside of a program in C: the core and its Lua files are in one static library, and no file is read. Lua and luv are
 * the program's: it links to them, and makes luv known to Lua as "luv" (package.preload or luaL_requiref). */
#ifndef DGRAM_H
#define DGRAM_H

struct lua_State;

#ifdef __cplusplus
extern "C" {
#endif

/* The opener of the module, for luaL_requiref, or for package.preload["dgram"]. Returns the module, one value; it sets
 * package.loaded["dgram"], and package.preload for the other files (`dgram.bind`, ...). The state needs the package
 * library, and whatever dgram's files call: luaL_openlibs does. A state of another Lua than the library was built for
 * raises an error. May be called again, and in any number of states. */
int luaopen_dgram(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
