/*  test_idle.c - a node that has nothing to do: it does nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <troupe.h>

#include <cmocka.h>

#define MS 1000000ull
#define WINDOW_NS (200 * MS)
#define WINDOWS_MOST 300
#define IDLE_WAKES 4  /* this thread's own, and those of a sanitizer */

static troupe_status_t
greet (troupe_turn_t *turn)
{
    return troupe_reply (turn, "s", "hello");
}

static const troupe_verb_t verbs[] = { { "greet", greet }, { NULL } };
static const troupe_kind_t greeter = { "greeter", .version = 1, .verbs = verbs };

/*  How often threads of this process went to sleep: what polls does so all the time. */
static long
wakes_in_a_window (void)
{
    struct timespec window = { .tv_nsec = (long) WINDOW_NS };
    struct rusage before, after;
    getrusage (RUSAGE_SELF, &before);
    nanosleep (&window, NULL);
    getrusage (RUSAGE_SELF, &after);
    return after.ru_nvcsw - before.ru_nvcsw;
}

/*  It comes to rest: sooner or later nothing happens for a while. */
static void
idle_node_after_a_call_sleeps (void **state)
{
    (void) state;
    const troupe_kind_t *kinds[] = { &greeter, NULL };
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_t *node = troupe_new (kinds, &error);
    assert_non_null (node);
    assert_int_equal (troupe_start (node, &error), TROUPE_OK);
    assert_int_equal (troupe_call_wait (node, "greeter/1", "greet", NULL, NULL), TROUPE_OK);
    for (int window = 0; wakes_in_a_window () > IDLE_WAKES; window++)
        assert_in_range (window, 0, WINDOWS_MOST);
    troupe_destroy (&node);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (idle_node_after_a_call_sleeps)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
