/*  floor.c - a ROUTER that sends back what it gets, and a DEALER that counts. */
#include "transports/zmq/floor.h"

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

#include <zmq.h>

static void *
send_back (void *router)
{
    zmq_msg_t part;
    zmq_msg_init (&part);
    while (zmq_msg_recv (&part, router, 0) >= 0) {
        int has_more = zmq_msg_more (&part);
        if (zmq_msg_send (&part, router, has_more ? ZMQ_SNDMORE : 0) < 0)
            break;
    }
    zmq_msg_close (&part);
    return NULL;
}

static double
count (void *dealer, uint32_t in_flight, uint32_t bytes, double seconds)
{
    uint8_t *message = memory_zalloc (bytes);
    uint64_t done = 0, began_ns = clock_monotonic_ns (), took_ns = 0;
    bool is_good = message != NULL;
    for (uint32_t i = 0; i < in_flight && is_good; i++)
        is_good = zmq_send (dealer, message, bytes, 0) >= 0;
    for (; is_good && took_ns < (uint64_t) (seconds * 1e9); done++) {
        is_good = zmq_recv (dealer, message, bytes, 0) >= 0 && zmq_send (dealer, message, bytes, 0) >= 0;
        took_ns = clock_monotonic_ns () - began_ns;
    }
    memory_free (message);
    return is_good ? (double) done / ((double) took_ns / 1e9) : 0;
}

double
floor_round_trips (uint32_t in_flight, uint32_t bytes, double seconds)
{
    pthread_t thread;
    char endpoint[64];
    size_t size = sizeof endpoint;
    double rate = 0;
    void *context = zmq_ctx_new ();
    void *router = context ? zmq_socket (context, ZMQ_ROUTER) : NULL;
    void *dealer = router ? zmq_socket (context, ZMQ_DEALER) : NULL;
    int linger = 0, patience_ms = 2000, yes = 1;
    if (router)
        zmq_setsockopt (router, ZMQ_ROUTER_MANDATORY, &yes, sizeof yes);  /* nothing is dropped in silence */
    if (dealer)
        zmq_setsockopt (dealer, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    if (dealer && zmq_bind (router, "tcp://127.0.0.1:*") == 0
        && zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0 && zmq_connect (dealer, endpoint) == 0
        && thread_start (&thread, "floor", send_back, router, NULL) == TROUPE_OK) {
        rate = count (dealer, in_flight, bytes, seconds);
        zmq_setsockopt (dealer, ZMQ_LINGER, &linger, sizeof linger);
        zmq_close (dealer);
        zmq_ctx_shutdown (context);  /* ends the thread */
        pthread_join (thread, NULL);
        dealer = NULL;
    }
    if (router)
        zmq_setsockopt (router, ZMQ_LINGER, &linger, sizeof linger);
    if (dealer)
        zmq_close (dealer);
    if (router)
        zmq_close (router);
    if (context)
        zmq_ctx_term (context);
    return rate;
}
