/*  bench_client.h - many WebSocket clients on one thread, for the benches: a load that costs little itself.
 *
 *  Plain sockets and epoll. Frames are masked with zeros, which is a mask. Not for servers
 *  that are not ours: what it does not expect ends the bench.
 */
#ifndef COMMANDS_BENCH_CLIENT_H
#define COMMANDS_BENCH_CLIENT_H

#include "commands/bench.h"
#include "runtime/base/buffer.h"

typedef struct {
    int socket;
    uint32_t number;
    bool is_open;      /* the handshake is over */
    buffer_t in;       /* bytes of a frame that is not whole yet */
    uint64_t seq;
    void *arg;         /* the bench's */
} bench_client_t;

typedef struct bench_clients_s bench_clients_t;

/*  One whole message came in. */
typedef void (bench_heard_t) (bench_clients_t *self, bench_client_t *client, const uint8_t *bytes, size_t size);

struct bench_clients_s {
    bench_t *bench;
    uint16_t port;
    int poll;
    uint32_t count, opened;
    uint64_t lag_ns;   /* of what was heard last in a round, at most: how late the load itself is */
    bool is_binary;    /* troupe.v1.bin; said before they are opened, as the next */
    const char *token; /* in a hello as text; NULL: nobody's */
    bench_client_t *clients;
    bench_heard_t *heard;
    void *arg;
    uint8_t *scratch;
    const bench_client_t *hearing;  /* what it is sent waits in `out` */
    buffer_t out;
};

void bench_clients_init (bench_clients_t *self, bench_t *bench, uint16_t port, uint32_t count, bench_heard_t *heard);

/*  Opens those from `first` on, so many; each says hello. Their welcomes are heard. */
void bench_clients_open (bench_clients_t *self, uint32_t first, uint32_t count);

/*  Sends one frame. */
void bench_client_send (bench_clients_t *self, bench_client_t *client, const void *bytes, size_t size);

/*  The same of a text that is made so, of at most 511 bytes. */
void bench_client_say (bench_clients_t *self, bench_client_t *client, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/*  Hears what comes in within so many ms at most; the number of sockets that had something. */
int bench_clients_poll (bench_clients_t *self, int wait_ms);

void bench_clients_close (bench_clients_t *self);

#endif
