/*  test_recorder_file.c - the flight recorder's strikes, and what it makes of a damaged file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "tests/unit/deaths.h"

static recorder_suspect_t
suspect_of (uint64_t message)
{
    recorder_suspect_t suspect = { .message = message, .signal = SIGSEGV };
    snprintf (suspect.address, sizeof suspect.address, "runner/%llu", (unsigned long long) message);
    snprintf (suspect.verb, sizeof suspect.verb, "lap");
    return suspect;
}

static void
strike_message (recorder_t *recorder, uint64_t message)
{
    recorder_suspect_t suspect = suspect_of (message);
    recorder_strike (recorder, &suspect);
}

static void
recorder_in_memory_counts_strikes_too (void **state)
{
    (void) state;
    recorder_t *recorder = recorder_new (NULL, 1, NULL);
    assert_false (recorder_has_suspects (recorder));
    assert_false (recorder_has_suspects (NULL));
    assert_null (recorder_find (recorder, 0));
    strike_message (recorder, 9);
    strike_message (recorder, 9);
    strike_message (recorder, 10);
    assert_int_equal (suspects (recorder), 2);
    assert_int_equal (recorder_find (recorder, 9)->strikes, 2);
    assert_int_equal (recorder_find (recorder, 10)->strikes, 1);
    assert_string_equal (recorder_find (recorder, 10)->address, "runner/10");
    recorder_forgive (recorder, 9);
    assert_int_equal (suspects (recorder), 1);
    strike_message (recorder, 11);  /* in the place that is free again */
    assert_int_equal (recorder_find (recorder, 11)->strikes, 1);
    recorder_destroy (&recorder);
    assert_null (recorder);
    recorder_destroy (&recorder);
}

static void
recorder_full_table_lets_one_go (void **state)
{
    (void) state;
    recorder_t *recorder = open_again ();
    for (uint64_t message = 1; message <= RECORDER_SUSPECTS_MAX; message++) {
        strike_message (recorder, message);
        if (message != 500)
            strike_message (recorder, message);  /* again: later than 500's only one */
    }
    assert_int_equal (suspects (recorder), RECORDER_SUSPECTS_MAX);
    strike_message (recorder, 5000);
    assert_int_equal (suspects (recorder), RECORDER_SUSPECTS_MAX);
    assert_null (recorder_find (recorder, 500));
    assert_int_equal (recorder_find (recorder, 5000)->strikes, 1);
    recorder_destroy (&recorder);
    recorder = open_again ();
    assert_string_equal (recorder_warning (recorder), "");
    assert_int_equal (suspects (recorder), RECORDER_SUSPECTS_MAX);
    assert_int_equal (recorder_find (recorder, RECORDER_SUSPECTS_MAX)->strikes, 2);
    recorder_destroy (&recorder);
}

#define SHARED_MESSAGES 200

static void *
forgive_odd (void *arg)
{
    for (uint64_t message = 1; message <= SHARED_MESSAGES; message += 2) {
        bool is_there = recorder_has_suspects (arg) && recorder_find (arg, message);
        recorder_forgive (arg, message);
        if (!is_there || recorder_find (arg, message))
            return arg;
    }
    return NULL;
}

static void
recorder_is_asked_by_several_threads (void **state)
{
    (void) state;
    recorder_t *recorder = recorder_new (NULL, 1, NULL);
    for (uint64_t message = 1; message <= SHARED_MESSAGES; message++)
        strike_message (recorder, message);
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, forgive_odd, recorder), 0);
    unsigned lost = 0;
    for (uint64_t message = 2; message <= SHARED_MESSAGES; message += 2) {
        lost += recorder_find (recorder, message) == NULL;
        recorder_forgive (recorder, message);
    }
    void *wrong;
    pthread_join (thread, &wrong);
    assert_null (wrong);
    assert_int_equal (lost, 0);
    assert_int_equal (suspects (recorder), 0);
    recorder_destroy (&recorder);
}

/* ---- damage ---- */

static void
overwrite (off_t place, const void *bytes, size_t size)
{
    int fd = open (PATH, O_RDWR);
    assert_true (fd >= 0);
    assert_int_equal (pwrite (fd, bytes, size, place), size);
    close (fd);
}

static void
flip (size_t place)
{
    int fd = open (PATH, O_RDWR);
    uint8_t byte;
    assert_int_equal (pread (fd, &byte, 1, (off_t) place), 1);
    byte ^= 0x10;
    assert_int_equal (pwrite (fd, &byte, 1, (off_t) place), 1);
    close (fd);
}

static void
make_three_suspects (void)
{
    recorder_t *recorder = open_again ();
    for (uint64_t message = 1; message <= 3; message++)
        strike_message (recorder, message);
    recorder_destroy (&recorder);
}

static void
recorder_file_is_allocated_and_private (void **state)
{
    (void) state;
    recorder_t *recorder = open_again ();
    struct stat info;
    assert_int_equal (stat (PATH, &info), 0);
    assert_int_equal (info.st_size, sizeof (recorder_file_t));
    assert_true ((size_t) info.st_blocks * 512 >= sizeof (recorder_file_t));
    assert_int_equal (info.st_mode & 0777, 0600);
    recorder_destroy (&recorder);
}

static void
recorder_damaged_record_is_dropped_alone (void **state)
{
    (void) state;
    static const size_t places[] = {
        offsetof (recorder_record_t, check), offsetof (recorder_record_t, stamp_ns),
        offsetof (recorder_record_t, suspect.message), offsetof (recorder_record_t, suspect.strikes),
        offsetof (recorder_record_t, suspect.address) + 3, offsetof (recorder_record_t, suspect.backtrace) + 1000
    };
    for (size_t at = 0; at < sizeof places / sizeof places[0]; at++) {
        unlink (PATH);
        make_three_suspects ();
        flip (offsetof (recorder_file_t, records[1]) + places[at]);
        recorder_t *recorder = open_again ();
        assert_non_null (strstr (recorder_warning (recorder), "1 records"));
        assert_int_equal (suspects (recorder), 2);
        assert_null (recorder_find (recorder, 2));
        assert_int_equal (recorder_find (recorder, 3)->strikes, 1);
        recorder_destroy (&recorder);
        recorder = open_again ();
        assert_string_equal (recorder_warning (recorder), "");
        recorder_destroy (&recorder);
    }
}

static void
recorder_doubled_record_is_dropped (void **state)
{
    (void) state;
    make_three_suspects ();
    recorder_record_t record;
    int fd = open (PATH, O_RDWR);
    assert_int_equal (pread (fd, &record, sizeof record, offsetof (recorder_file_t, records)), sizeof record);
    close (fd);
    overwrite (offsetof (recorder_file_t, records[7]), &record, sizeof record);
    recorder_t *recorder = open_again ();
    assert_int_equal (suspects (recorder), 3);
    recorder_destroy (&recorder);
}

static void
recorder_other_format_starts_anew (void **state)
{
    (void) state;
    static const size_t places[] = { offsetof (recorder_head_t, magic), offsetof (recorder_head_t, format),
                                     offsetof (recorder_head_t, record_size), offsetof (recorder_head_t, check) };
    for (size_t at = 0; at < sizeof places / sizeof places[0]; at++) {
        make_three_suspects ();
        flip (places[at]);
        recorder_t *recorder = open_again ();
        assert_non_null (strstr (recorder_warning (recorder), "another format"));
        assert_int_equal (suspects (recorder), 0);
        strike_message (recorder, 4);
        recorder_destroy (&recorder);
        recorder = open_again ();
        assert_string_equal (recorder_warning (recorder), "");
        assert_int_equal (suspects (recorder), 1);
        recorder_destroy (&recorder);
    }
}

static void
recorder_other_size_starts_anew (void **state)
{
    (void) state;
    static const off_t sizes[] = { 1, 4096, sizeof (recorder_file_t) - 1, sizeof (recorder_file_t) + 1 };
    for (size_t at = 0; at < sizeof sizes / sizeof sizes[0]; at++) {
        make_three_suspects ();
        assert_int_equal (truncate (PATH, sizes[at]), 0);
        recorder_t *recorder = open_again ();
        assert_non_null (strstr (recorder_warning (recorder), "bytes instead of"));
        assert_int_equal (suspects (recorder), 0);
        recorder_destroy (&recorder);
    }
}

/*  Whatever stands there: it starts, and everything that it says can be printed. */
static void
check_text (void *arg, const recorder_suspect_t *suspect)
{
    (void) arg;
    assert_non_null (memchr (suspect->address, 0, sizeof suspect->address));
    assert_non_null (memchr (suspect->verb, 0, sizeof suspect->verb));
    assert_non_null (memchr (suspect->backtrace, 0, sizeof suspect->backtrace));
    for (const char *at = suspect->address; *at; at++)
        assert_in_range (*at, 0x20, 0x7e);
}

static void
recorder_garbage_never_stops_a_start (void **state)
{
    (void) state;
    uint8_t *garbage = test_malloc (sizeof (recorder_file_t));
    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (size_t at = 0; at + 8 <= sizeof (recorder_file_t); at += 8)
            put_le64 (garbage + at, hash_mix (seed, at));
        make_three_suspects ();
        size_t from = seed % 2 ? offsetof (recorder_file_t, slots) : 0;  /* also below a good head */
        overwrite ((off_t) from, garbage + from, sizeof (recorder_file_t) - from);
        recorder_t *recorder = open_again ();
        assert_true (recorder_warning (recorder)[0]);
        recorder_each (recorder, check_text, NULL);
        recorder_destroy (&recorder);
        recorder = open_again ();
        assert_string_equal (recorder_warning (recorder), "");
        recorder_destroy (&recorder);
    }
    test_free (garbage);
}

/* ---- what it cannot do ---- */

static void
assert_no_recorder (const char *path, troupe_status_t status, const char *part)
{
    troupe_error_t error = { 0 };
    assert_null (recorder_new (path, SLOTS, &error));
    assert_int_equal (error.status, status);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" is not in \"%s\"", part, error.text);
}

static void
recorder_impossible_file_is_an_error (void **state)
{
    (void) state;
    assert_no_recorder ("no/such/folder", TROUPE_IO, "cannot open");
    assert_int_equal (mkdir ("folder", 0700), 0);
    assert_no_recorder ("folder", TROUPE_INVALID, "folder");
    assert_no_recorder ("/dev/null", TROUPE_INVALID, "not a plain file");
    rmdir ("folder");
}

static void
recorder_file_that_gets_no_room_is_an_error (void **state)
{
    (void) state;
    struct rlimit before, small;
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit) { 4096, before.rlim_max };
    signal (SIGXFSZ, SIG_IGN);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &small), 0);
    troupe_error_t error = { 0 };
    recorder_t *recorder = recorder_new (PATH, SLOTS, &error);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &before), 0);
    signal (SIGXFSZ, SIG_DFL);
    assert_null (recorder);
    assert_non_null (strstr (error.text, "File too large"));
    recorder = open_again ();  /* it can be made later */
    recorder_destroy (&recorder);
}

static void
recorder_out_of_memory_is_an_error (void **state)
{
    (void) state;
    memory_fail_after (1);
    troupe_error_t error = { 0 };
    recorder_t *recorder = recorder_new (PATH, SLOTS, &error);
    memory_fail_after (0);
    assert_null (recorder);
    assert_int_equal (error.status, TROUPE_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, remove_file, remove_file)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (recorder_in_memory_counts_strikes_too),
        TEST (recorder_full_table_lets_one_go),
        TEST (recorder_is_asked_by_several_threads),
        TEST (recorder_file_is_allocated_and_private),
        TEST (recorder_damaged_record_is_dropped_alone),
        TEST (recorder_doubled_record_is_dropped),
        TEST (recorder_other_format_starts_anew),
        TEST (recorder_other_size_starts_anew),
        TEST (recorder_garbage_never_stops_a_start),
        TEST (recorder_impossible_file_is_an_error),
        TEST (recorder_file_that_gets_no_room_is_an_error),
        TEST (recorder_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
