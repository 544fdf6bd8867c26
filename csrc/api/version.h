/* SPDX-License-Identifier: MIT */
/* The only place where the version stands. */
#ifndef DG_API_VERSION_H
#define DG_API_VERSION_H

#define DG_VERSION "0.1.0"

#endif
