/*  store_help.h - one store, filled, folded and checked in short words, for the suites over a store as a whole.
 */
#ifndef TESTS_UNIT_STORE_HELP_H
#define TESTS_UNIT_STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"
#include "storage/store.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "store"
#define SHARDS 3
#define TABLES "sx"
#define FRAMES_MAX 4000

static store_options_t options;
static store_t *store;
static frame_t *frames[FRAMES_MAX];  /* all that were made or handed out */
static size_t frames_count;
static uint64_t newest[SHARDS];      /* submitted, or found by recovery */
static atomic_uint folded_calls;

static inline void
on_folded (void *arg, uint16_t shard, uint64_t frame)
{
    (void) arg;
    (void) shard;
    (void) frame;
    atomic_fetch_add (&folded_calls, 1);
}

static inline troupe_status_t
on_replay (void *arg, frame_t *frame)
{
    (void) arg;
    assert_true (frames_count < FRAMES_MAX);
    frames[frames_count++] = frame;
    newest[frame->shard] = frame->number;
    return TROUPE_OK;
}

static inline int
start (void **state)
{
    (void) state;
    assert_int_equal (system ("rm -rf store other copy again"), 0);
    options = (store_options_t) { .directory = PLACE, .create = true, .shards = SHARDS, .segment_size = 1 << 16,
                                  .tables = TABLES, .on_folded = on_folded };
    return 0;
}

static inline void
close_store (void)
{
    store_close (&store);
    while (frames_count)
        frame_destroy (&frames[--frames_count]);
}

static inline int
stop (void **state)
{
    (void) state;
    close_store ();
    return 0;
}

static inline void
open_store (const char *place)
{
    troupe_error_t error = { 0 };
    state_mark_t marks[STATE_SHARDS_MAX];
    options.directory = place;
    store = store_open (&options, &error);
    if (!store)
        fail_msg ("%s", error.text);
    store->state->marks (store->state->self, marks);
    for (int i = 0; i < SHARDS; i++)
        newest[i] = marks[i].frame;
    if (store_recover (store, on_replay, NULL, &error) != TROUPE_OK)
        fail_msg ("%s", error.text);
}

/*  Opening gives this status and a text with this in it. */
static inline void
is_refused (const char *place, troupe_status_t status, const char *text)
{
    troupe_error_t error = { 0 };
    options.directory = place;
    assert_null (store_open (&options, &error));
    assert_int_equal (error.status, status);
    if (!strstr (error.text, text))
        fail_msg ("\"%s\" is not in \"%s\"", text, error.text);
}

/*  A frame of three puts, the first of the shard's newest number. */
static inline void
submit_as (uint16_t shard, const char *table)
{
    static const char *const keys[] = { "newest", "a", "b" };
    frame_t *frame = frame_new (shard, ++newest[shard]);
    assert_true (frames_count < FRAMES_MAX);
    frames[frames_count++] = frame;
    for (size_t i = 0; i < 3; i++) {
        char key[16];
        int size = snprintf (key, sizeof key, "%s%s", table, keys[i]);
        uint8_t *value = frame_put (frame, key, (size_t) size, 100);
        memset (value, (int) frame->number, 100);
        put_le64 (value, frame->number);
    }
    journal_submit (store->journal, frame);
}

static inline void
submit (uint16_t shard)
{
    submit_as (shard, "s");
}

static inline void
commit (void)
{
    troupe_error_t error = { 0 };
    uint32_t count = 1;
    while (count > 0) {
        if (journal_commit (store->journal, &count, &error) != TROUPE_OK)
            fail_msg ("%s", error.text);
    }
}

static inline void
fold (void)
{
    troupe_error_t error = { 0 };
    if (store_fold (store, &error) != TROUPE_OK)
        fail_msg ("%s", error.text);
}

/*  The number that the shard's state holds; it agrees with the mark. */
static inline uint64_t
number_in_state (uint16_t shard)
{
    state_view_t *view = store->state->view_new (store->state->self, shard);
    uint64_t mark = store->state->view_renew (view), number = 0;
    const uint8_t *value;
    size_t size;
    troupe_status_t status = store->state->get (view, (const uint8_t *) "snewest", 7, &value, &size);
    if (status == TROUPE_OK)
        number = get_le64 (value);
    store->state->view_destroy (&view);
    assert_true (mark == number);
    return number;
}

static char told[8192];

static inline void
note_line (void *arg, const char *line)
{
    (void) arg;
    size_t at = strlen (told);
    snprintf (told + at, sizeof told - at, "%s\n", line);
}

static inline troupe_status_t
check (const char *place, troupe_error_t *error)
{
    told[0] = '\0';
    return store_check (place, TABLES, note_line, NULL, error);
}

static inline void
is_whole (const char *place)
{
    troupe_error_t error = { 0 };
    if (check (place, &error) != TROUPE_OK)
        fail_msg ("%s", error.text);
}

static inline void
flip (const char *path, off_t at)
{
    uint8_t byte;
    int fd = open (path, O_RDWR);
    assert_true (fd >= 0);
    assert_int_equal (pread (fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal (pwrite (fd, &byte, 1, at), 1);
    close (fd);
}

/*  Where in the file these bytes stand first. */
static inline off_t
find_in (const char *path, const char *bytes, size_t size)
{
    static uint8_t content[4 << 20];
    int fd = open (path, O_RDONLY);
    assert_true (fd >= 0);
    ssize_t got = read (fd, content, sizeof content);
    close (fd);
    assert_true (got > 0);
    const uint8_t *place = memmem (content, (size_t) got, bytes, size);
    assert_non_null (place);
    return place - content;
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)

#endif
