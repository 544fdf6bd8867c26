/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <errno.h>
#include <string.h>

/* When a queue is empty, a payload block above this size goes to the state's spare block, and lists above their size
 * are freed. So many idle sockets need little memory. A batch's routes, each with a destination of its own, are kept.
 * */
enum { KEPT_BLOCK = 2048, KEPT_LIST = 16384, KEPT_ROUTES = 32768 };

/* Reported entries are dropped when there are so many, because dropping one costs as much as dropping many. */
enum { MOST_REPORTED = 64 };

void dg_queue_init(dg_queue *queue, dg_fifo *spare)
{
    memset(queue, 0, sizeof *queue);
    queue->spare = spare;
}

/* Returns how many items of a size have room at the end of the fifo, up to `most`. */
static uint32_t places(const dg_fifo *fifo, size_t size, size_t most)
{
    size_t room = (fifo->room - fifo->tail) / size;
    most = most < room ? most : room;
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

static dg_route *route_at(const dg_queue *queue, size_t i)
{
    return (dg_route *)dg_fifo_first(&queue->routes) + i;
}

void dg_queue_grant(dg_queue *queue, size_t bytes, size_t count)
{
    dg_queue_revoke(queue);
    uint32_t routes = queue->end_route - queue->first_route;
    if (queue->payload.block == NULL || !dg_fifo_has_room(&queue->routes, sizeof(dg_route)) ||
        (routes != 0 && route_at(queue, routes - 1)->options.set != 0))
        return;
    queue->credit_bytes = places(&queue->payload, 1, bytes);
    queue->credit_count = places(&queue->entries, sizeof(dg_entry), count);
}

void dg_queue_free(dg_queue *queue)
{
    dg_queue_revoke(queue);
    dg_fifo_free(&queue->payload);
    dg_fifo_free(&queue->entries);
    dg_fifo_free(&queue->routes);
    queue->first_route = queue->end_route = 0;
    queue->next = queue->reported = queue->to_report = queue->refused = 0;
}

static dg_entry *entry_at(const dg_queue *queue, size_t i)
{
    return (dg_entry *)dg_fifo_first(&queue->entries) + i;
}

static size_t entry_count(const dg_queue *queue)
{
    return dg_fifo_size(&queue->entries) / sizeof(dg_entry);
}

static void swap_blocks(dg_fifo *a, dg_fifo *b)
{
    dg_fifo old = *a;
    *a = *b;
    *b = old;
}

int dg_queue_make_room(dg_queue *queue, size_t count, size_t bytes)
{
    dg_queue_revoke(queue);
    if (queue->payload.room < bytes && dg_fifo_size(&queue->payload) == 0 && queue->spare->room > queue->payload.room)
        swap_blocks(&queue->payload, queue->spare);
    if (dg_fifo_reserve(&queue->payload, bytes) == NULL ||
        dg_fifo_reserve(&queue->entries, count * sizeof(dg_entry)) == NULL ||
        dg_fifo_reserve(&queue->routes, sizeof(dg_route)) == NULL)
        return -ENOMEM;
    return 0;
}

char *dg_queue_reserve(dg_queue *queue, size_t length)
{
    return dg_queue_make_room(queue, 1, length) == 0 ? dg_fifo_end(&queue->payload) : NULL;
}

/* Adds a route, unless the last one is the same. */
static void add_route(dg_queue *queue, const dg_route *route)
{
    uint32_t count = queue->end_route - queue->first_route;
    if (count != 0 && dg_route_equal(route_at(queue, count - 1), route))
        return;
    dg_route_copy(dg_fifo_end(&queue->routes), route);
    dg_fifo_commit(&queue->routes, sizeof *route);
    queue->end_route++;
}

static void add_entry(dg_queue *queue, size_t length, const dg_route *route, uint32_t tag, int error)
{
    add_route(queue, route);
    dg_entry *entry = dg_fifo_end(&queue->entries);
    *entry = (dg_entry){(uint32_t)length, tag, queue->end_route - 1, error};
    dg_fifo_commit(&queue->entries, sizeof *entry);
}

void dg_queue_push(dg_queue *queue, size_t length, const dg_route *route, uint32_t tag)
{
    add_entry(queue, length, route, tag, 0);
    dg_fifo_commit(&queue->payload, length);
}

void dg_queue_refuse(dg_queue *queue, size_t length, const dg_route *route, uint32_t tag, int error)
{
    add_entry(queue, length, route, tag, error);
    queue->refused++;
}

/* Drops entries from the front, all reported ones among them, and the routes that only these had. */
static void drop_entries(dg_queue *queue, size_t count)
{
    queue->reported = 0;
    dg_fifo_consume(&queue->entries, count * sizeof(dg_entry));
    queue->next -= count;
    uint32_t first = entry_count(queue) != 0 ? entry_at(queue, 0)->route : queue->end_route;
    dg_fifo_consume(&queue->routes, (first - queue->first_route) * sizeof(dg_route));
    queue->first_route = first;
}

static void retire_block(dg_queue *queue)
{
    if (queue->payload.room > KEPT_BLOCK && queue->payload.room > queue->spare->room)
        swap_blocks(&queue->payload, queue->spare);
    if (queue->payload.room > KEPT_BLOCK)
        dg_fifo_free(&queue->payload);
    if (entry_count(queue) == 0 && queue->entries.room > KEPT_LIST)
        dg_fifo_free(&queue->entries);
    if (entry_count(queue) == 0 && queue->routes.room > KEPT_ROUTES)
        dg_fifo_free(&queue->routes);
}

static void finish_entries(dg_queue *queue, size_t count, size_t bytes)
{
    dg_queue_revoke(queue);
    dg_fifo_consume(&queue->payload, bytes);
    queue->next += count;
    if (queue->to_report == 0)
        drop_entries(queue, queue->next);
    if (dg_queue_count(queue) == 0)
        retire_block(queue);
}

size_t dg_queue_give_up(dg_queue *queue, int error, int silent)
{
    size_t count = dg_queue_count(queue), given_up = count - queue->refused;
    for (size_t i = 0; i < count; i++) {
        dg_entry *entry = dg_queue_waiting(queue, i);
        if (entry->error == 0 && (entry->tag != 0 || !silent))
            entry->error = error;
        queue->to_report += entry->error != 0;
    }
    queue->refused = 0;
    finish_entries(queue, count, dg_queue_bytes(queue));
    return given_up;
}

static int goes_to(const dg_queue *queue, const dg_entry *entry, const dg_address *to)
{
    return entry->error == 0 && dg_address_equal(&dg_queue_route(queue, entry)->to, to);
}

size_t dg_queue_count_to(const dg_queue *queue, const dg_address *to, size_t *bytes)
{
    size_t found = 0;
    *bytes = 0;
    for (size_t i = 0; i < dg_queue_count(queue); i++) {
        const dg_entry *entry = dg_queue_waiting(queue, i);
        if (!goes_to(queue, entry, to))
            continue;
        found++;
        *bytes += entry->length;
    }
    return found;
}

void dg_queue_move(dg_queue *queue, const dg_address *to, dg_queue *other,
                   uint32_t (*renamed)(void *context, uint32_t tag), void *context)
{
    char *from = dg_fifo_first(&queue->payload), *kept = from;
    size_t count = dg_queue_count(queue), left = 0;
    for (size_t i = 0; i < count; i++) {
        dg_entry *entry = dg_queue_waiting(queue, i);
        size_t length = entry->error == 0 ? entry->length : 0;
        if (goes_to(queue, entry, to)) {
            memcpy(dg_fifo_end(&other->payload), from, length);
            dg_queue_push(other, length, dg_queue_route(queue, entry),
                          entry->tag != 0 ? renamed(context, entry->tag) : 0);
        } else {
            memmove(kept, from, length);
            kept += length;
            *dg_queue_waiting(queue, left++) = *entry;
        }
        from += length;
    }
    dg_queue_revoke(queue);
    dg_fifo_shorten(&queue->payload, (size_t)(from - kept));
    dg_fifo_shorten(&queue->entries, (count - left) * sizeof(dg_entry));
    finish_entries(queue, 0, 0);
}

const dg_route *dg_queue_route(const dg_queue *queue, const dg_entry *entry)
{
    return route_at(queue, entry->route - queue->first_route);
}

void dg_queue_name_peer(dg_queue *queue, const dg_address *peer)
{
    for (uint32_t i = 0; i < queue->end_route - queue->first_route; i++)
        if (route_at(queue, i)->to.length == 0)
            dg_address_copy(&route_at(queue, i)->to, peer);
}

void dg_queue_failed(dg_queue *queue, int error)
{
    dg_entry *entry = dg_queue_waiting(queue, 0);
    size_t payload = entry->error == 0 ? entry->length : 0;
    queue->refused -= entry->error != 0;
    entry->error = error;
    queue->to_report++;
    finish_entries(queue, 1, payload);
}

void dg_queue_sent(dg_queue *queue, size_t count, size_t bytes)
{
    const dg_entry *entry = dg_queue_waiting(queue, 0);
    for (size_t i = 0; i < count; i++)
        queue->to_report += entry[i].tag != 0;
    finish_entries(queue, count, bytes);
}

void dg_queue_reported(dg_queue *queue)
{
    queue->to_report--;
    queue->reported++;
    if (queue->reported == queue->next || queue->reported >= MOST_REPORTED)
        drop_entries(queue, queue->reported);
}
