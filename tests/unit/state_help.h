/*  state_help.h - a state port under test, and short words to fold into it and read from it.
 */
#ifndef TESTS_UNIT_STATE_HELP_H
#define TESTS_UNIT_STATE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"
#include "storage/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHARDS 4
#define PLACE "store"

static bool on_lmdb;             /* which maker the suite runs over */
static state_port_t *port;       /* of the running test */
static state_mark_t marks[SHARDS];
static state_change_t changes[4096];
static size_t changes_count;

static inline void
add (frame_op_kind_t kind, uint16_t shard, const void *key, size_t key_size, const void *value, size_t value_size)
{
    assert_true (changes_count < sizeof changes / sizeof changes[0]);
    changes[changes_count++] = (state_change_t) {
        shard, { kind, key, (uint16_t) key_size, value, (uint32_t) value_size } };
}

static inline void
put (uint16_t shard, const char *key, const char *value)
{
    add (FRAME_PUT, shard, key, strlen (key), value, strlen (value));
}

static inline void
erase (uint16_t shard, const char *key)
{
    add (FRAME_DELETE, shard, key, strlen (key), NULL, 0);
}

/*  Folds what was added; moves the mark of `shard`. */
static inline troupe_status_t
try_fold (uint16_t shard)
{
    troupe_error_t error;
    state_mark_t moved[SHARDS];
    memcpy (moved, marks, sizeof moved);
    moved[shard].frame += 1;
    moved[shard].time_ms += 1000;
    troupe_status_t status = port->fold (port->self, changes, changes_count, moved, &error);
    if (status == TROUPE_OK)
        memcpy (marks, moved, sizeof marks);
    else
        assert_int_equal (error.status, status);
    changes_count = 0;
    return status;
}

static inline void
fold (uint16_t shard)
{
    assert_int_equal (try_fold (shard), TROUPE_OK);
}

static inline const char *
get (state_view_t *view, const char *key)
{
    static char text[64];
    const uint8_t *value;
    size_t size;
    troupe_status_t status = port->get (view, (const uint8_t *) key, strlen (key), &value, &size);
    if (status != TROUPE_OK) {
        assert_int_equal (status, TROUPE_NOT_FOUND);
        return NULL;
    }
    assert_true (size < sizeof text);
    memcpy (text, value, size);
    text[size] = '\0';
    return text;
}

typedef struct {
    char text[512];
    size_t most;
} listing_t;

static inline bool
list_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    listing_t *list = arg;
    size_t at = strlen (list->text);
    snprintf (list->text + at, sizeof list->text - at, "%.*s=%.*s ", (int) key_size, (const char *) key,
              (int) value_size, (const char *) value);
    return --list->most > 0;
}

static inline const char *
list (state_view_t *view, const char *prefix, const char *from, size_t most)
{
    static listing_t listing;
    listing = (listing_t) { "", most };
    assert_int_equal (port->scan (view, (const uint8_t *) prefix, strlen (prefix), (const uint8_t *) from,
                                  strlen (from), list_one, &listing), TROUPE_OK);
    return listing.text;
}

static inline void
open_lmdb (void)
{
    troupe_error_t error = { 0 };
    port = state_lmdb_new (PLACE, true, SHARDS, 0, 0, &error);
    if (!port)
        print_error ("%s\n", error.text);
    assert_non_null (port);
}

static inline int
start (void **state)
{
    (void) state;
    memset (marks, 0, sizeof marks);
    changes_count = 0;
    if (on_lmdb)
        open_lmdb ();
    else
        port = state_memory_new (SHARDS, 42);
    return port ? 0 : -1;
}

static inline void
remove_all (const char *place)
{
    static const char *const names[] = { "state.mdb", "state.mdb-lock", "state.mdb.new", "state.mdb.new-lock", "lock" };
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf (path, sizeof path, "%s/%s", place, names[i]);
        unlink (path);
    }
    rmdir (place);
}

static inline int
stop (void **state)
{
    (void) state;
    if (on_lmdb)
        state_lmdb_destroy (&port);
    else
        state_memory_destroy (&port);
    remove_all (PLACE);
    remove_all ("copy");
    return 0;
}

/*  Every fold writes its number under all keys of all shards. */
#define CUT_KEYS 50

typedef struct {
    uint64_t number;
    uint32_t count;
    bool agrees;
} cut_t;

static inline bool
cut_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    (void) key;
    (void) key_size;
    cut_t *cut = arg;
    cut->count++;
    cut->agrees = cut->agrees && value_size == 200 && get_le64 (value) == cut->number;
    return true;
}

static inline bool
view_is_one_cut (state_view_t *view)
{
    cut_t cut = { port->view_renew (view), 0, true };
    troupe_status_t status = port->scan (view, NULL, 0, NULL, 0, cut_one, &cut);
    port->view_release (view);
    return status == TROUPE_OK && cut.agrees && cut.count == (cut.number ? CUT_KEYS : 0);
}

static inline void
fold_cut (void)
{
    static uint8_t keys[CUT_KEYS][3], value[200];
    put_le64 (value, marks[0].frame + 1);
    for (uint16_t shard = 0; shard < SHARDS; shard++) {
        for (uint16_t i = 0; i < CUT_KEYS; i++) {
            keys[i][0] = 'k';
            put_be16 (keys[i] + 1, i);
            add (FRAME_PUT, shard, keys[i], 3, value, sizeof value);
        }
        marks[shard].frame += shard ? 1 : 0;
    }
    fold (0);
}

#define STATE_TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)

#endif
