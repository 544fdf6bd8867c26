/* SPDX-License-Identifier: MIT */
/* A first-in first-out queue of bytes in one contiguous block. It does not know what the bytes mean. */
#ifndef DG_NET_FIFO_H
#define DG_NET_FIFO_H

#include <stddef.h>

#include "attributes.h"

DG_HIDDEN_BEGIN

/* All zero is an empty fifo. The bytes queued are block[head .. tail). */
typedef struct dg_fifo {
    char *block;
    size_t head, tail, room;
} dg_fifo;

/* Makes room for `more` bytes at the end. Returns where to write them, or NULL without memory (nothing changed).
 * Pointers into the fifo are invalid after it. */
static inline void *dg_fifo_reserve(dg_fifo *fifo, size_t more);

/* The rare half of it: moves or grows the block. */
void *dg_fifo_make_room(dg_fifo *fifo, size_t more);

/* Returns whether there is room for `more` bytes at the end. */
static inline int dg_fifo_has_room(const dg_fifo *fifo, size_t more)
{
    return fifo->room - fifo->tail >= more && fifo->block != NULL;
}

static inline void *dg_fifo_reserve(dg_fifo *fifo, size_t more)
{
    if (dg_fifo_has_room(fifo, more))
        return fifo->block + fifo->tail;
    return dg_fifo_make_room(fifo, more);
}

/* Returns where to write, when there is room. */
static inline void *dg_fifo_end(const dg_fifo *fifo)
{
    return fifo->block + fifo->tail;
}

static inline void dg_fifo_commit(dg_fifo *fifo, size_t bytes)
{
    fifo->tail += bytes;
}

static inline void *dg_fifo_first(const dg_fifo *fifo)
{
    return fifo->block + fifo->head;
}

static inline size_t dg_fifo_size(const dg_fifo *fifo)
{
    return fifo->tail - fifo->head;
}

/* Drops bytes from the front. */
static inline void dg_fifo_consume(dg_fifo *fifo, size_t bytes)
{
    fifo->head += bytes;
    if (fifo->head == fifo->tail)
        fifo->head = fifo->tail = 0;
}

/* Drops bytes from the end. */
static inline void dg_fifo_shorten(dg_fifo *fifo, size_t bytes)
{
    fifo->tail -= bytes;
    if (fifo->head == fifo->tail)
        fifo->head = fifo->tail = 0;
}

/* Frees the block; the fifo is empty and may be used again. */
void dg_fifo_free(dg_fifo *fifo);

DG_HIDDEN_END

#endif
