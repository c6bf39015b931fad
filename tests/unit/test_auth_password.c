/*  test_auth_password.c - passwords: the right one alone passes, and what it costs tells nothing. */

#include "transports/auth/password.h"

#include "runtime/base/clock.h"
#include "tests/unit/auth_help.h"

#include <sys/resource.h>

static const password_cost_t light = { 0, 0 }, dear = { UINT64_MAX, UINT64_MAX };
static char hash[PASSWORD_HASH_SIZE];

static int
start (void **state)
{
    return start_sodium (state) == 0 && password_hash (&light, "correct horse", 13, hash, NULL) == TROUPE_OK ? 0 : -1;
}

static void
password_right_one_alone_passes (void **state)
{
    (void) state;
    assert_int_equal (strncmp (hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31), 0);
    assert_int_equal (password_verify (&light, hash, "correct horse", 13), TROUPE_OK);
    assert_int_equal (password_verify (&light, hash, "correct horsf", 13), TROUPE_FORBIDDEN);
    assert_int_equal (password_verify (&light, hash, "correct horse", 12), TROUPE_FORBIDDEN);
    assert_int_equal (password_verify (&light, hash, "", 0), TROUPE_FORBIDDEN);
}

static void
password_hash_has_salt (void **state)
{
    (void) state;
    char other[PASSWORD_HASH_SIZE];
    assert_int_equal (password_hash (&light, "correct horse", 13, other, NULL), TROUPE_OK);
    assert_string_not_equal (other, hash);
}

static void
password_size_is_bounded (void **state)
{
    (void) state;
    char other[PASSWORD_HASH_SIZE], large[PASSWORD_MAX + 1] = "";
    assert_int_equal (password_hash (&light, "1234567", 7, other, NULL), TROUPE_INVALID);
    assert_int_equal (password_hash (&light, large, sizeof large, other, NULL), TROUPE_TOO_LARGE);
    assert_int_equal (password_verify (&light, hash, large, sizeof large), TROUPE_FORBIDDEN);
}

static void
password_hash_that_is_none_is_said_to_be_so (void **state)
{
    (void) state;
    char large[300];
    memset (large, 'a', sizeof large);
    memcpy (large, "$argon2id$", 10);
    large[299] = '\0';
    assert_int_equal (password_verify (&light, "", "correct horse", 13), TROUPE_CORRUPT);
    assert_int_equal (password_verify (&light, "$2y$10$abc", "correct horse", 13), TROUPE_CORRUPT);
    assert_int_equal (password_verify (&light, large, "correct horse", 13), TROUPE_CORRUPT);
    assert_int_equal (password_verify (&light, "$argon2id$", "correct horse", 13), TROUPE_CORRUPT);
    for (size_t cut = 0; cut < strlen (hash); cut++) {
        snprintf (large, sizeof large, "%.*s", (int) cut, hash);
        assert_int_equal (password_verify (&light, large, "correct horse", 13), TROUPE_CORRUPT);
    }
    snprintf (large, sizeof large, "$argon2id$v=19$m=999999999,t=2,p=1%s", strrchr (hash, '$') - 23);
    assert_int_equal (password_verify (&light, large, "correct horse", 13), TROUPE_CORRUPT);
    snprintf (large, sizeof large, "%sA", hash);
    assert_int_equal (password_verify (&light, large, "correct horse", 13), TROUPE_CORRUPT);
}

static void
password_of_another_cost_is_hashed_again (void **state)
{
    (void) state;
    assert_false (password_needs_rehash (&light, hash));
    assert_true (password_needs_rehash (&dear, hash));
}

static uint64_t
cost_ns (const char *of)
{
    uint64_t start_ns = clock_read_ns (CLOCK_THREAD_CPUTIME_ID);
    assert_int_equal (password_verify (&light, of, "wrong horse", 11), TROUPE_FORBIDDEN);
    return clock_read_ns (CLOCK_THREAD_CPUTIME_ID) - start_ns;
}

static void
password_of_nobody_costs_as_much (void **state)
{
    (void) state;
    uint64_t somebody_ns = cost_ns (hash), nobody_ns = cost_ns (NULL);
    assert_true (nobody_ns > somebody_ns / 4 && somebody_ns > nobody_ns / 4);
}

/*  The sanitizers have a great many address ranges of their own, so that this limit would hit them. */
static void
password_without_memory_is_neither_right_nor_wrong (void **state)
{
    (void) state;
    const char *sanitize = getenv ("TROUPE_SANITIZE");
    char other[PASSWORD_HASH_SIZE];
    struct rlimit old, tight = { 32u << 20, RLIM_INFINITY };
    if (sanitize && strcmp (sanitize, "no") != 0)
        skip ();
    getrlimit (RLIMIT_AS, &old);
    tight.rlim_max = old.rlim_max;
    assert_int_equal (setrlimit (RLIMIT_AS, &tight), 0);
    troupe_status_t hashed = password_hash (&light, "correct horse", 13, other, NULL);
    troupe_status_t verified = password_verify (&light, hash, "correct horse", 13);
    setrlimit (RLIMIT_AS, &old);
    assert_int_equal (hashed, TROUPE_NO_MEMORY);
    assert_int_equal (verified, TROUPE_NO_MEMORY);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (password_right_one_alone_passes),
        cmocka_unit_test (password_hash_has_salt),
        cmocka_unit_test (password_size_is_bounded),
        cmocka_unit_test (password_hash_that_is_none_is_said_to_be_so),
        cmocka_unit_test (password_of_another_cost_is_hashed_again),
        cmocka_unit_test (password_of_nobody_costs_as_much),
        cmocka_unit_test (password_without_memory_is_neither_right_nor_wrong),
    };
    return cmocka_run_group_tests (tests, start, NULL);
}
