/*  device.h - a small client of troupe.v1.bin: calls to one actor that run exactly once, whatever the network does.
 *
 *  Nothing blocks: the owner polls device_fd for device_events, and calls device_turn. A lost connection is made
 *  again after a growing pause, and every call without an outcome is said again as it was.
 */
#ifndef EXAMPLES_LIVE_WORKOUT_DEVICE_H
#define EXAMPLES_LIVE_WORKOUT_DEVICE_H

#include "packing.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

enum { DEVICE_VERBS = 2, DEVICE_WAITING_MAX = 4096 };

typedef struct {
    uint64_t sent, answered;     /* calls */
    uint64_t resent;
    uint64_t opened;             /* connections */
    uint64_t sessions;           /* that were given up, since the store was another one */
    uint64_t refused;            /* with a final error */
    uint64_t unknown;            /* whether they ran */
    uint64_t samples;            /* in calls that were answered */
} device_counts_t;

typedef struct device_s device_t;

/*  `where`, `host` and the texts live as long as the device. Destroy it with device_destroy. */
device_t *device_new (const struct addrinfo *where, const char *host, const char *address,
                      const char *const verbs[DEVICE_VERBS]);
void device_destroy (device_t **device_p);

/*  Queues a call of the n-th verb with a packed body, which is copied, and carries so many samples. False: too many
 *  wait already. */
bool device_call (device_t *device, uint32_t verb, const bytes_t *body, uint32_t samples);

/*  -1: not connected, and nothing to poll. */
int device_fd (const device_t *device);
short device_events (const device_t *device);

/*  Connects, sends and reads as far as it goes, by a clock of milliseconds since 1970. */
void device_turn (device_t *device, uint64_t now_ms);

/*  Calls without an outcome. */
uint32_t device_waiting (const device_t *device);

/*  What the server's clock is ahead of ours, ms. False before the first welcome. */
bool device_clock (const device_t *device, int64_t *ahead_ms);

const device_counts_t *device_counts (const device_t *device);

#endif
