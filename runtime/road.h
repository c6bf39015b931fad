/*  road.h - the road between this node and another: what links assume, made of a network that assures nothing.
 *
 *  The network may lose, double and reorder what is sent. On a road letters arrive once, in order and without a hole,
 *  until it breaks; a new one begins by telling the shards of both sides (LETTER_CUT). While there is none,
 *  letters are dropped: links send them again.
 *
 *  One thread at a time; nothing here waits or is durable.
 */
#ifndef RUNTIME_ROAD_H
#define RUNTIME_ROAD_H

#include "runtime/cluster.h"
#include "runtime/letter.h"

#define ROAD_IDENTITY_SIZE 32   /* store id, epoch */
#define ROAD_REASON_MAX 200      /* bytes of why it is not open */
#define ROAD_AGAIN_MS 200       /* between two tries to open it */
#define ROAD_REFUSED_MS 5000    /* and after a refusal */
#define ROAD_ALIVE_MS 1000      /* a word, when there is nothing else to say */
#define ROAD_SILENT_MS 5000     /* without one it is broken */
#define ROAD_UNHEARD_MOST (64u << 20)  /* bytes since the other side's newest word, beyond which casts are dropped */

typedef struct {
    void *self;
    /* To the other node, as well as it goes; borrowed. False: it does not go now. */
    bool (*send) (void *self, const void *bytes, size_t size);
    /* A letter for a shard of this node; takes it. */
    void (*deliver) (void *self, uint16_t to, letter_t *letter);
    /* Whether the other store is the one that links were made with, or none were yet: ROAD_IDENTITY_SIZE bytes. Not:
     * why. */
    bool (*knows) (void *self, const uint8_t *identity, troupe_error_t *error);
    /* The road is open, or (is_open false) broken or refused, for this reason. Not told again while it stays so. */
    void (*changed) (void *self, bool is_open, const char *why);
    /* What road_relay said at the other end, in order with all else, or not because the road broke; borrowed. NULL: it
     * is not of interest. */
    void (*relayed) (void *self, const void *bytes, size_t size);
} road_port_t;

typedef struct {
    const cluster_t *cluster;
    uint16_t peer;
    uint8_t identity[ROAD_IDENTITY_SIZE];
    uint64_t seed;                          /* of its numbers: random, another one at each start */
    road_port_t port;
} road_options_t;

typedef struct {
    uint64_t opened, broken, refused, sent, received, dropped, bytes_sent, bytes_received;
} road_counts_t;

typedef struct road_s road_t;

/*  NULL when out of memory. The cluster is borrowed. */
road_t *road_new (const road_options_t *options);
void road_destroy (road_t **self_p);

/*  A letter of a shard of this node to one of the other; takes it. */
void road_carry (road_t *self, uint16_t to, letter_t *letter);

/*  Says something that is no letter. False: there is no road, or it broke over this, which was told before. */
bool road_relay (road_t *self, const void *bytes, size_t size);

/*  Bytes that came from the other node, or from somebody who says so. */
void road_received (road_t *self, const void *bytes, size_t size, uint64_t now_ms);

/*  What time asks for. Returns when it will ask again. */
uint64_t road_tick (road_t *self, uint64_t now_ms);
uint64_t road_next_due (const road_t *self);

bool road_is_open (const road_t *self);
const road_counts_t *road_counts (const road_t *self);

#endif
