/*  test_carrier.c - bytes between nodes: what one that reads nothing is sent, and one that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transports/zmq/carrier.h"

#include <stdatomic.h>
#include <unistd.h>

#define WAITING_MOST 50
#define TAKEN_MOST 2000   /* messages of 64 KB: more than the kernel keeps, and both queues */
#define TRIES 5000

static uint8_t message[64 << 10];
static _Atomic uint32_t received;

static void
count (void *arg, uint32_t from, const void *bytes, size_t size)
{
    (void) arg;
    (void) from;
    (void) bytes;
    received += size == sizeof message;
}

static uint64_t
sleep_on (void *arg)
{
    (void) arg;
    return 10;
}

static void
be_silent (bool is_error, const char *line)
{
    (void) is_error;
    (void) line;
}

static carrier_t *
make (uint32_t self, const char *address_of_b)
{
    troupe_error_t error;
    carrier_options_t options = {
        .listen = "127.0.0.1:0", .certificate = "", .certificates = "",
        .nodes = { { "a", "127.0.0.1:1", "" }, { "b", address_of_b, "" } }, .count = 2, .self = self,
        .waiting_most = WAITING_MOST, .received = count, .round = sleep_on, .log = be_silent
    };
    carrier_t *carrier = carrier_new (&options, &error);
    if (!carrier)
        fail_msg ("%s", error.text);
    return carrier;
}

/*  Until the connection is there. */
static bool
send_first (carrier_t *carrier)
{
    for (int tries = 0; tries < TRIES; tries++) {
        if (carrier_send (carrier, 1, message, sizeof message))
            return true;
        usleep (1000);
    }
    return false;
}

static void
carrier_to_nobody_refuses (void **state)
{
    (void) state;
    carrier_t *a = make (0, "127.0.0.1:1");
    assert_false (carrier_send (a, 1, message, sizeof message));
    carrier_destroy (&a);
}

static void
carrier_to_who_reads_nothing_refuses_and_loses_nothing (void **state)
{
    (void) state;
    troupe_error_t error;
    uint32_t taken = 1;
    carrier_t *b = make (1, "127.0.0.1:1");  /* it listens, and its thread does not run yet */
    carrier_t *a = make (0, carrier_address (b));
    assert_true (send_first (a));
    for (int quiet = 0; quiet < 100 && taken <= TAKEN_MOST; quiet++)
        if (carrier_send (a, 1, message, sizeof message)) {
            taken += 1;
            quiet = 0;
        } else
            usleep (1000);
    assert_in_range (taken, WAITING_MOST, TAKEN_MOST);
    assert_int_equal (carrier_start (b, &error), TROUPE_OK);
    for (int tries = 0; tries < TRIES && received < taken; tries++)
        usleep (1000);
    assert_int_equal (received, taken);
    carrier_destroy (&a);
    carrier_destroy (&b);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (carrier_to_nobody_refuses),
        cmocka_unit_test (carrier_to_who_reads_nothing_refuses_and_loses_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
