/*  test_cluster.c - the map of a cluster, and stores that remember theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/cluster.h"
#include "storage/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAP                                                                    \
    "# two nodes\n"                                                            \
    "cluster shop\n"                                                           \
    "shards 8\r\n"                                                             \
    "\n"                                                                       \
    "node north 0-2,7 10.0.0.1:7319  # the old one\n"                          \
    "node south 3-6 10.0.0.2:7319\n"

static troupe_error_t error;

static void
cluster_map_is_read (void **state)
{
    (void) state;
    cluster_t map;
    char line[200];
    assert_int_equal (cluster_read (&map, MAP, "south", &error), TROUPE_OK);
    assert_string_equal (map.name, "shop");
    assert_int_equal (map.shards, 8);
    assert_int_equal (map.nodes, 2);
    assert_int_equal (map.self, 1);
    assert_string_equal (map.node[0].address, "10.0.0.1:7319");
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal (cluster_is_mine (&map, i), i >= 3 && i <= 6);
    assert_true (cluster_describe (&map, line, sizeof line));
    assert_string_equal (line, "node south of shop, 8 shards: 0-2 north, 3-6 south, 7-7 north");
    assert_false (cluster_describe (&map, line, 20));
    assert_int_equal (cluster_read (&map, "cluster c\nshards 1\n"
                                          "node a 0 h:1 #23456789#123456789012345678901234567890 # mine",
                                    "a", &error), TROUPE_OK);
    assert_string_equal (map.node[0].key, "#23456789#123456789012345678901234567890");
}

static void
cluster_hash_is_of_what_must_not_change (void **state)
{
    (void) state;
    cluster_t map, other;
    assert_int_equal (cluster_read (&map, MAP, "south", &error), TROUPE_OK);
    assert_int_equal (cluster_read (&other, "cluster shop\nshards 8\nnode north 0-2,7 a.example:1\n"
                                            "node south 3-6 b.example:2", "north", &error), TROUPE_OK);
    assert_int_equal (cluster_hash (&map), cluster_hash (&other));
    assert_int_equal (cluster_hash_seed (&map), cluster_hash_seed (&other));
    assert_int_equal (cluster_read (&other, "cluster shop\nshards 8\nnode north 0-3,7 a:1\nnode south 4-6 b:2", "north",
                                    &error), TROUPE_OK);
    assert_int_not_equal (cluster_hash (&map), cluster_hash (&other));
    assert_int_equal (cluster_read (&other, "cluster mall\nshards 8\nnode north 0-2,7 a:1\nnode south 3-6 b:2", "north",
                                    &error), TROUPE_OK);
    assert_int_not_equal (cluster_hash (&map), cluster_hash (&other));
    assert_int_not_equal (cluster_hash_seed (&map), cluster_hash_seed (&other));
}

static void
refuse (const char *text, const char *part)
{
    cluster_t map;
    assert_int_equal (cluster_read (&map, text, "a", &error), TROUPE_INVALID);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" does not say \"%s\"", error.text, part);
}

static void
cluster_map_that_is_wrong_is_refused_with_its_line (void **state)
{
    (void) state;
    refuse ("", "a name, a number of shards and nodes");
    refuse ("cluster c\nshards 2\n", "a name, a number of shards and nodes");
    refuse ("cluster c\nshards 0", "line 2: shards are a number from 1 to 1024");
    refuse ("cluster c\nshards 2000", "line 2: shards are a number");
    refuse ("cluster c\nshards -1", "line 2: shards are a number");
    refuse ("cluster c\nshards 2\nshards 2", "line 3: shards are counted twice");
    refuse ("cluster c\nnode a 0 h:1", "line 2: how many shards there are comes before");
    refuse ("cluster c\nshards 2\nnode a 0-1", "line 3: NAME SHARDS HOST:PORT");
    refuse ("cluster c\nshards 2\nnode a 0 h:1\nnode b 0-1 h:2", "line 4: shard 0 has two nodes");
    refuse ("cluster c\nshards 3\nnode a 0-1 h:1", "no node has shard 2");
    refuse ("cluster c\nshards 2\nnode a 0-2 h:1", "line 3: there is no shard 2 of 2");
    refuse ("cluster c\nshards 2\nnode a 1-0 h:1", "shards like 0-7,9");
    refuse ("cluster c\nshards 2\nnode a 0, h:1", "shards like 0-7,9");
    refuse ("cluster c\nshards 2\nnode a 0-1 h", "HOST:PORT is wanted, not \"h\"");
    refuse ("cluster c\nshards 2\nnode a 0-1 h:0", "HOST:PORT is wanted");
    refuse ("cluster c\nshards 2\nnode a 0-1 h:65536", "HOST:PORT is wanted");
    refuse ("cluster c\nshards 2\nnode a/b 0-1 h:1", "line 3: a node's name");
    refuse ("cluster c\nshards 2\nnode a 0 h:1\nnode a 1 h:1", "line 4: there are two nodes a");
    refuse ("cluster c\nshards 2\nnode a 0-1 h:1 abc", "line 3: the public key");
    refuse ("cluster c\nshards 2\nnode a 0 h:1\nnode b 1 h:1 0123456789012345678901234567890123456789",
            "line 4: all nodes have a key, or none");
    refuse ("cluster c\nshards 2\nnode b 0-1 h:1", "there is no node \"a\"");
    refuse ("cluster c d", "line 1: \"cluster\" has too few words or too many");
    refuse ("claster c", "line 1: cluster, shards or node is wanted");
    refuse ("cluster c\ncluster d", "line 2: one name");
}

/* ---- stores ---- */

static store_t *
open_as (const char *directory, const char *cluster, uint64_t hash_seed)
{
    store_options_t options = { .directory = directory, .create = true, .shards = 2, .cluster = cluster,
                                .hash_seed = hash_seed, .segment_size = 1 << 20 };
    return store_open (&options, &error);
}

static void
refuse_as (const char *directory, const char *cluster, const char *part)
{
    assert_null (open_as (directory, cluster, 7));
    assert_int_equal (error.status, TROUPE_MISMATCH);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" does not say \"%s\"", error.text, part);
}

static void
cluster_store_opens_under_its_own_map_alone (void **state)
{
    (void) state;
    store_t *store = open_as ("store", "node a of c", 7);
    assert_non_null (store);
    assert_int_equal (store->state->identity (store->state->self)->hash_seed, 7);
    store_close (&store);
    refuse_as ("store", "node b of c", "is that of node a of c; the map says node b of c");
    refuse_as ("store", NULL, "is that of node a of c: it is opened with the settings");
    store = open_as ("store", "node a of c", 7);
    assert_non_null (store);
    store_close (&store);
}

static void
cluster_store_of_its_own_cannot_join (void **state)
{
    (void) state;
    store_t *store = open_as ("alone", NULL, 0);
    assert_non_null (store);
    store_close (&store);
    refuse_as ("alone", "node a of c", "cannot join one");
}

/*  A line that cannot be read is not one that is missing, and one that was being written is not there yet. */
static void
cluster_line_that_cannot_be_read_is_no_missing_one (void **state)
{
    (void) state;
    store_t *store = open_as ("torn", "node a of c", 7);
    assert_non_null (store);
    store_close (&store);
    assert_int_equal (rename ("torn/cluster", "torn/cluster.new"), 0);
    refuse_as ("torn", "node a of c", "cannot join one");
    assert_int_equal (mkdir ("torn/cluster", 0700), 0);
    assert_null (open_as ("torn", "node a of c", 7));
    assert_int_equal (error.status, TROUPE_IO);
    assert_non_null (strstr (error.text, "cannot read torn/cluster"));
}

static troupe_status_t
replay_nothing (void *arg, frame_t *frame)
{
    (void) arg;
    frame_destroy (&frame);
    return TROUPE_OK;
}

static void
cluster_goes_with_backup_and_restore (void **state)
{
    (void) state;
    store_t *store = open_as ("first", "node a of c", 7);
    assert_non_null (store);
    assert_int_equal (store_recover (store, replay_nothing, NULL, &error), TROUPE_OK);
    assert_int_equal (store_backup (store, "backup", NULL, NULL, NULL, NULL, &error), TROUPE_OK);
    store_close (&store);
    assert_int_equal (store_restore ("backup", "second", NULL, NULL, NULL, &error), TROUPE_OK);
    refuse_as ("second", NULL, "is that of node a of c");
    store = open_as ("second", "node a of c", 7);
    assert_non_null (store);
    store_close (&store);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (cluster_map_is_read),
        cmocka_unit_test (cluster_hash_is_of_what_must_not_change),
        cmocka_unit_test (cluster_map_that_is_wrong_is_refused_with_its_line),
        cmocka_unit_test (cluster_store_opens_under_its_own_map_alone),
        cmocka_unit_test (cluster_store_of_its_own_cannot_join),
        cmocka_unit_test (cluster_line_that_cannot_be_read_is_no_missing_one),
        cmocka_unit_test (cluster_goes_with_backup_and_restore),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
