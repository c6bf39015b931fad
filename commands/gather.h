/*  gather.h - a request that is answered by what shards say, one of them or all.
 *
 *  The control thread makes the gathering and sends its visits; each runs on
 *  its shard's thread, and what it saw waits until it is durable; when all are
 *  home the control thread puts the parts together and finishes the request.
 */
#ifndef COMMANDS_GATHER_H
#define COMMANDS_GATHER_H

#include "commands/control.h"
#include "commands/node.h"

typedef struct {
    errand_t errand;
    note_t note;
    struct gather_s *gather;
    /* owner: the shard's thread, then the control thread */
    troupe_error_t error;
    buffer_t packed;
} visit_t;

typedef struct gather_s {
    /* fixed while shards are visited; what the request asks for */
    request_t *request;
    /* On the shard's thread, between turns. Returns what it puts into the error. */
    troupe_status_t (*look) (const struct gather_s *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error);
    /* On the control thread, when all went well: the last step, or NULL. Returns what it puts into the error. */
    troupe_status_t (*finish) (const struct gather_s *gather, troupe_error_t *error);
    troupe_t *node;
    bool is_list;      /* each visit brings an array; the answer is all their elements as one */
    char address[TROUPE_ADDRESS_MAX + 1];
    uint64_t from, number;
    uint32_t most;
    uint32_t count;

    /* owner: control thread */
    uint32_t waiting;
    visit_t visits[];
} gather_t;

/*  NULL when out of memory: the request is finished then. */
gather_t *gather_new (request_t *request, uint32_t count);

/*  Visits `count` shards from `first` on. The gathering is no longer the caller's. */
void gather_send (troupe_t *node, gather_t *gather, uint16_t first);

/*  Instead: the request's error says why. */
void gather_give_up (gather_t **gather_p);

#endif
