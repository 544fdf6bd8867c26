/* SPDX-License-Identifier: MIT */
/* Hidden symbols. Every header's declarations stand between these two, so that the module exports only
 * luaopen_dgram_core, whatever flags it is compiled with (luarocks passes no -fvisibility). */
#ifndef DG_NET_ATTRIBUTES_H
#define DG_NET_ATTRIBUTES_H

#if defined(__GNUC__)
#define DG_HIDDEN_BEGIN _Pragma("GCC visibility push(hidden)")
#define DG_HIDDEN_END _Pragma("GCC visibility pop")
#else
#define DG_HIDDEN_BEGIN
#define DG_HIDDEN_END
#endif

#endif
