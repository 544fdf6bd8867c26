/* SPDX-License-Identifier: MIT */
/* Attributes of functions. Every header's declarations stand between the first two, so that the module exports its
 * opener and nothing else whatever flags it is compiled with (luarocks passes no -fvisibility).
 * DG_HOT: what runs for a lone datagram and its answer. The compiler lays these functions side by side, and out of
 * their way what only calls something DG_COLD: a dozen pages less to find again after each system call. What batches go
 * through is elsewhere: many datagrams share its pages.
 * DG_APART: a function with a large frame, which must not become part of its caller: on the way of a lone datagram each
 * page of the stack that is touched is one more that the CPU has to find again after a system call. */
#ifndef DG_NET_ATTRIBUTES_H
#define DG_NET_ATTRIBUTES_H

#if defined(__GNUC__)
#define DG_HIDDEN_BEGIN _Pragma("GCC visibility push(hidden)")
#define DG_HIDDEN_END _Pragma("GCC visibility pop")
#define DG_APART __attribute__((noinline))
#define DG_HOT __attribute__((hot))
#define DG_COLD __attribute__((cold))
#else
#define DG_HIDDEN_BEGIN
#define DG_HIDDEN_END
#define DG_APART
#define DG_HOT
#define DG_COLD
#endif

#endif
