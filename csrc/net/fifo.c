/* SPDX-License-Identifier: MIT */
#include "fifo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_BLOCK = 512 };

static int grow(dg_fifo *fifo, size_t needed)
{
    size_t room = fifo->room != 0 ? fifo->room : SMALLEST_BLOCK / 2;
    do {
        if (room > SIZE_MAX / 4)
            return -1;
        room *= 2;
    } while (room < needed);
    /* realloc moves large blocks by remapping their pages: a big queue never exists twice. */
    char *block = realloc(fifo->block, room);
    if (block == NULL)
        return -1;
    fifo->block = block;
    fifo->room = room;
    return 0;
}

void *dg_fifo_make_room(dg_fifo *fifo, size_t more)
{
    size_t used = dg_fifo_size(fifo);
    if (more > SIZE_MAX / 4 - used)
        return NULL;
    /* Moving alone pays only when little is moved; else a queue that stays nearly full would move at every call. */
    int enough = used + more <= fifo->room && used <= fifo->room / 2;
    if (fifo->head != 0) {
        memmove(fifo->block, fifo->block + fifo->head, used);
        fifo->head = 0;
        fifo->tail = used;
    }
    if ((!enough || fifo->block == NULL) && grow(fifo, used + more) != 0)
        return NULL;
    return fifo->block + fifo->tail;
}

void dg_fifo_free(dg_fifo *fifo)
{
    free(fifo->block);
    memset(fifo, 0, sizeof *fifo);
}
