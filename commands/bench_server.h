/*  bench_server.h - a node with a gateway in a process of its own, for benches that come from outside.
 *
 *  With the gateway it has the first core, and who starts it stays on the second, unless they share both.
 */
#ifndef COMMANDS_BENCH_SERVER_H
#define COMMANDS_BENCH_SERVER_H

#include "commands/bench.h"
#include "runtime/base/buffer.h"

#include <sys/types.h>

/*  Empty is what bench_server_start has. */
typedef struct {
    const char *store;         /* its name below the directory of the run */
    const char *node, *nodes;  /* which one it is of the map of a cluster; NULL: of none */
    bool shares_cores;
} bench_place_t;

typedef struct {
    bench_t *bench;
    const char *store;  /* NULL: the bare one has none */
    pid_t pid;
    int told, stop;  /* pipes */
    uint16_t port;   /* of the door */
} bench_server_t;

void bench_server_start (bench_server_t *self, bench_t *bench, const troupe_kind_t *const *kinds,
                         const bench_place_t *place);

/*  Of the same port, core and clients, without a node: bench_bare.c. */
void bench_server_start_bare (bench_server_t *self, bench_t *bench);
_Noreturn void bench_bare_serve (bench_t *bench, int told, int stop);

/*  The same with the door for backends alone; the cores are shared. */
void bench_server_start_zmq (bench_server_t *self, bench_t *bench, const troupe_kind_t *const *kinds,
                             const bench_place_t *place);

void bench_server_stop (bench_server_t *self);

/*  A token of its keys for this subject. */
void bench_server_token (const bench_server_t *self, const char *subject, buffer_t *text);

/*  Of the processor, so far. */
double bench_server_seconds (const bench_server_t *self);

/*  Of memory, now. */
uint64_t bench_server_pages (const bench_server_t *self);

#endif
