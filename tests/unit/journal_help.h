/*  journal_help.h - one rig, opened and crashed in short words, for the suites over the journal.
 */
#ifndef TESTS_UNIT_JOURNAL_HELP_H
#define TESTS_UNIT_JOURNAL_HELP_H

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "storage/journal_parts.h"
#include "tests/unit/journal_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)

static rig_t rig;

static inline int
start (void **state)
{
    (void) state;
    rig_start (&rig);
    return 0;
}

static inline int
stop (void **state)
{
    (void) state;
    memory_fail_after (0);
    rig_stop (&rig);
    return 0;
}

static inline void
open_ok (void)
{
    troupe_status_t status = rig_open (&rig);
    if (status != TROUPE_OK)
        print_error ("%s\n", rig.error.text);
    assert_int_equal (status, TROUPE_OK);
}

static inline void
commit_ok (void)
{
    assert_int_equal (rig_commit (&rig), TROUPE_OK);
}

/*  Power goes; the journal is opened again. */
static inline void
reopen (uint64_t seed)
{
    rig_crash (&rig, seed, false);
    open_ok ();
}

static inline bool
count_name (void *arg, const char *name)
{
    uint64_t number;
    if (segment_name_number (name, &number))
        *(uint32_t *) arg += 1;
    return true;
}

static inline uint32_t
count_files (void)
{
    uint32_t count = 0;
    assert_int_equal (rig.disk->each_name (rig.disk->self, count_name, &count, NULL), TROUPE_OK);
    return count;
}

static inline bool
has_file (uint64_t number)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name (name, number);
    disk_file_t *file = NULL;
    bool there = rig.disk->open (rig.disk->self, name, false, &file, NULL) == TROUPE_OK;
    rig.disk->close (rig.disk->self, &file);
    return there;
}

typedef struct {
    uint64_t frames;
    uint64_t newest[RIG_SHARDS];
    bool is_wrong;
} checked_t;

static inline troupe_status_t
check_frame (void *arg, frame_t *frame)
{
    checked_t *checked = arg;
    checked->frames += 1;
    if (!rig_frame_is (frame, 1) || frame->number != checked->newest[frame->shard] + 1)
        checked->is_wrong = true;
    checked->newest[frame->shard] = frame->number;
    frame_destroy (&frame);
    return TROUPE_OK;
}

static inline troupe_status_t
check (checked_t *checked)
{
    *checked = (checked_t) { 0 };
    for (int shard = 0; shard < RIG_SHARDS; shard++)
        checked->newest[shard] = rig.marks[shard].frame;
    return journal_check (rig.disk, &rig.identity, rig.marks, RIG_SHARDS, check_frame, NULL, checked, &rig.error);
}

#endif
