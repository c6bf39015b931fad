/*  test_auth_bucket.c - rate limits, and the waiting of those who guess passwords. */

#include "transports/auth/bucket.h"

#include "runtime/base/memory.h"
#include "tests/unit/auth_help.h"
#include "transports/auth/recent.h"
#include "transports/auth/slowdown.h"

#define SECOND_NS 1000000000ull

static const bucket_rate_t rate = { .interval_ns = SECOND_NS, .burst = 3 };

static bool
takes (buckets_t *buckets, const char *key, uint32_t tokens, uint64_t now_ns, uint64_t *wait_ns)
{
    return buckets_take (buckets, key, strlen (key), &rate, tokens, now_ns, wait_ns);
}

static void
bucket_lets_a_burst_through_then_the_rate (void **state)
{
    (void) state;
    uint64_t wait_ns, now_ns = 1000 * SECOND_NS;
    buckets_t *buckets = buckets_new (8);
    for (int i = 0; i < 3; i++)
        assert_true (takes (buckets, "anna", 1, now_ns, &wait_ns));
    assert_false (takes (buckets, "anna", 1, now_ns, &wait_ns));
    assert_true (wait_ns == SECOND_NS);
    assert_true (takes (buckets, "ben", 1, now_ns, &wait_ns));
    assert_false (takes (buckets, "anna", 1, now_ns + SECOND_NS - 1, &wait_ns));
    assert_true (wait_ns == 1);
    assert_true (takes (buckets, "anna", 1, now_ns + SECOND_NS, &wait_ns));
    assert_false (takes (buckets, "anna", 1, now_ns + SECOND_NS, &wait_ns));
    assert_true (takes (buckets, "anna", 3, now_ns + 100 * SECOND_NS, &wait_ns));
    assert_false (takes (buckets, "anna", 1, now_ns + 100 * SECOND_NS, &wait_ns));
    buckets_destroy (&buckets);
}

static void
bucket_takes_all_or_nothing (void **state)
{
    (void) state;
    uint64_t wait_ns, now_ns = 0;
    buckets_t *buckets = buckets_new (8);
    assert_true (takes (buckets, "anna", 2, now_ns, &wait_ns));
    assert_false (takes (buckets, "anna", 2, now_ns, &wait_ns));
    assert_true (wait_ns == SECOND_NS);
    assert_true (takes (buckets, "anna", 1, now_ns, &wait_ns));
    assert_false (takes (buckets, "anna", 4, now_ns + 1000 * SECOND_NS, &wait_ns));
    assert_true (wait_ns == BUCKET_NEVER);
    buckets_destroy (&buckets);
}

static void
bucket_that_is_looked_at_keeps_what_it_has (void **state)
{
    (void) state;
    uint64_t wait_ns, now_ns = 1000 * SECOND_NS;
    buckets_t *buckets = buckets_new (8);
    for (int i = 0; i < 5; i++)
        assert_true (buckets_have (buckets, "anna", 4, &rate, 3, now_ns, &wait_ns));
    assert_true (takes (buckets, "anna", 3, now_ns, &wait_ns));
    assert_false (buckets_have (buckets, "anna", 4, &rate, 1, now_ns, &wait_ns));
    assert_true (wait_ns == SECOND_NS);
    assert_true (buckets_have (buckets, "anna", 4, &rate, 1, now_ns + SECOND_NS, &wait_ns));
    buckets_destroy (&buckets);
}

/*  In any stretch of time no more than the burst and what the time brings. */
static void
bucket_never_gives_more_than_its_rate (void **state)
{
    (void) state;
    uint64_t wait_ns, taken = 0, now_ns = 0;
    buckets_t *buckets = buckets_new (1);
    srand (1);
    for (int i = 0; i < 100000; i++) {
        now_ns += (uint64_t) rand () % (SECOND_NS / 10);
        taken += takes (buckets, "anna", 1, now_ns, &wait_ns);
        assert_true (taken <= rate.burst + now_ns / SECOND_NS);
    }
    assert_true (taken >= now_ns / SECOND_NS);
    buckets_destroy (&buckets);
}

static void
bucket_used_longest_ago_makes_room (void **state)
{
    (void) state;
    char key[16];
    uint64_t wait_ns;
    buckets_t *buckets = buckets_new (100);
    assert_true (takes (buckets, "old", 3, 0, &wait_ns));
    assert_true (takes (buckets, "used", 3, 0, &wait_ns));
    for (int i = 0; i < 99; i++) {
        snprintf (key, sizeof key, "key %d", i);
        assert_true (takes (buckets, key, 3, 0, &wait_ns));
        assert_false (takes (buckets, "used", 1, 0, &wait_ns));
    }
    assert_true (takes (buckets, "old", 1, 0, &wait_ns));
    buckets_destroy (&buckets);
}

/*  Against a plain list of all keys, the newest first. */
static void
recent_keeps_the_newest_keys_alone (void **state)
{
    (void) state;
    enum { ROOM = 7, KEYS = 20 };
    int order[KEYS], known = 0;
    uint64_t values[KEYS];
    recent_t *recent = recent_new (ROOM);
    srand (2);
    for (uint64_t i = 1; i < 20000; i++) {
        int key = rand () % KEYS, place = 0;
        uint64_t *numbers = recent_use (recent, &key, sizeof key);
        while (place < known && order[place] != key)
            place++;
        assert_true (numbers[0] == (place < known ? values[key] : 0));
        if (place == known && known < ROOM)
            known++;
        else if (place == known)
            place--;
        memmove (order + 1, order, (size_t) place * sizeof order[0]);
        order[0] = key;
        values[key] = numbers[0] = i;
    }
    recent_destroy (&recent);
}

static const slowdown_rule_t names = { .free = 3, .first_ns = SECOND_NS, .most_ns = 8 * SECOND_NS,
                                       .forget_ns = 3600 * SECOND_NS };
static const slowdown_rule_t addresses = { .free = 10, .first_ns = 100 * SECOND_NS, .most_ns = 800 * SECOND_NS,
                                           .forget_ns = 7200 * SECOND_NS };

static attempt_t
attempt_of (const char *name, const char *address)
{
    return (attempt_t) { name, address, strlen (name), strlen (address) };
}

static void
slowdown_of_a_name_doubles (void **state)
{
    (void) state;
    static const uint64_t waits[] = { 0, 0, 0, 1, 2, 4, 8, 8, 8 };
    uint64_t now_ns = 0;
    slowdown_t *slowdown = slowdown_new (100, &names, &addresses);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        attempt_t attempt = attempt_of ("anna", (const char *[]) { "a", "b" }[i % 2]);
        uint64_t wait_ns = slowdown_try (slowdown, &attempt, now_ns);
        assert_true (wait_ns == waits[i] * SECOND_NS);
        if (wait_ns) {
            assert_true (slowdown_try (slowdown, &attempt, now_ns + wait_ns - 1) == 1);
            now_ns += wait_ns;
            assert_true (slowdown_try (slowdown, &attempt, now_ns) == 0);
        }
    }
    attempt_t attempt = attempt_of ("anna", "a");
    assert_true (slowdown_try (slowdown, &attempt, now_ns) > 0);
    slowdown_passed (slowdown, &attempt);
    assert_true (slowdown_try (slowdown, &attempt, now_ns) == 0);
    slowdown_destroy (&slowdown);
}

/*  Each time another name, now and then an account of one's own in between. */
static void
slowdown_of_an_address_is_not_forgiven (void **state)
{
    (void) state;
    char name[16];
    slowdown_t *slowdown = slowdown_new (100, &names, &addresses);
    attempt_t own = attempt_of ("mallory", "evil");
    for (int i = 0; i < 9; i++) {
        snprintf (name, sizeof name, "user %d", i);
        attempt_t attempt = attempt_of (name, "evil");
        assert_true (slowdown_try (slowdown, &attempt, 0) == 0);
        assert_true (slowdown_try (slowdown, &own, 0) == 0);
        slowdown_passed (slowdown, &own);
    }
    attempt_t last = attempt_of ("last", "evil"), other = attempt_of ("last", "good");
    assert_true (slowdown_try (slowdown, &last, 0) == 0);
    assert_true (slowdown_try (slowdown, &last, 0) == 100 * SECOND_NS);
    assert_true (slowdown_try (slowdown, &other, 0) == 0);
    assert_true (slowdown_try (slowdown, &last, 7200 * SECOND_NS) == 0);
    slowdown_destroy (&slowdown);
}

static void
bucket_without_memory_is_not_made (void **state)
{
    (void) state;
    slowdown_t *slowdown = NULL;
    for (uint64_t n = 1; !slowdown; n++) {
        memory_fail_after (n);
        slowdown = slowdown_new (10, &names, &addresses);
        memory_fail_after (0);
        assert_true (n < 20 && (slowdown || n <= 7));
    }
    slowdown_destroy (&slowdown);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (bucket_lets_a_burst_through_then_the_rate),
        cmocka_unit_test (bucket_takes_all_or_nothing),
        cmocka_unit_test (bucket_that_is_looked_at_keeps_what_it_has),
        cmocka_unit_test (bucket_never_gives_more_than_its_rate),
        cmocka_unit_test (bucket_used_longest_ago_makes_room),
        cmocka_unit_test (recent_keeps_the_newest_keys_alone),
        cmocka_unit_test (slowdown_of_a_name_doubles),
        cmocka_unit_test (slowdown_of_an_address_is_not_forgiven),
        cmocka_unit_test (bucket_without_memory_is_not_made),
    };
    return cmocka_run_group_tests (tests, start_sodium, NULL);
}
