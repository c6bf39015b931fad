/*  test_disk_memory.c - the faulty disk: kind where a real one must be, no kinder. */
#include "storage/disk_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECTOR DISK_MEMORY_SECTOR

static int
make_disk (void **state)
{
    *state = disk_memory_new ();
    return *state ? 0 : -1;
}

static int
destroy_disk (void **state)
{
    disk_memory_destroy ((disk_t **) state);
    return 0;
}

static disk_file_t *
file_of (disk_t *disk, const char *name)
{
    disk_file_t *file = NULL;
    assert_int_equal (disk->open (disk->self, name, true, &file, NULL), TROUPE_OK);
    return file;
}

static troupe_status_t
put (disk_t *disk, disk_file_t *file, uint64_t at, int byte, size_t size)
{
    uint8_t bytes[16 * SECTOR];
    memset (bytes, byte, sizeof bytes);
    return disk->write (disk->self, file, at, bytes, size, NULL);
}

static uint64_t
size_of (disk_t *disk, disk_file_t *file)
{
    uint64_t size = 0;
    assert_int_equal (disk->size (disk->self, file, &size, NULL), TROUPE_OK);
    return size;
}

static int
byte_at (disk_t *disk, disk_file_t *file, uint64_t at)
{
    uint8_t byte = 0xee;
    assert_int_equal (disk->read (disk->self, file, at, &byte, 1, NULL), TROUPE_OK);
    return byte;
}

static bool
exists (disk_t *disk, const char *name)
{
    disk_file_t *file = NULL;
    bool there = disk->open (disk->self, name, false, &file, NULL) == TROUPE_OK;
    disk->close (disk->self, &file);
    return there;
}

static void
make_durable (disk_t *disk, disk_file_t *file)
{
    assert_int_equal (disk->sync (disk->self, file, NULL), TROUPE_OK);
    assert_int_equal (disk->sync_names (disk->self, NULL), TROUPE_OK);
}

static void
disk_synced_bytes_survive_every_crash (void **state)
{
    disk_t *disk = *state;
    disk_file_t *file = file_of (disk, "a");
    assert_int_equal (put (disk, file, 0, 1, 4 * SECTOR), TROUPE_OK);
    make_durable (disk, file);
    for (uint64_t seed = 0; seed < 50; seed++) {
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        assert_int_equal (size_of (disk, file), 4 * SECTOR);
        for (int i = 0; i < 4 * SECTOR; i++)
            assert_int_equal (byte_at (disk, file, (uint64_t) i), 1);
    }
    disk->close (disk->self, &file);
}

/*  Each of two writes to two sectors can be there without the other, and the
 *  older of two in one sector can outlive the younger. */
static void
disk_unsynced_sectors_survive_one_by_one (void **state)
{
    disk_t *disk = *state;
    bool seen[4][4] = { { false } };
    for (uint64_t seed = 0; seed < 400; seed++) {
        disk_file_t *file = file_of (disk, "a");
        assert_int_equal (put (disk, file, 0, 1, 2 * SECTOR), TROUPE_OK);
        make_durable (disk, file);
        assert_int_equal (put (disk, file, 0, 2, 2 * SECTOR), TROUPE_OK);
        assert_int_equal (put (disk, file, 0, 3, SECTOR), TROUPE_OK);
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        int first = byte_at (disk, file, 0), second = byte_at (disk, file, SECTOR);
        assert_int_equal (byte_at (disk, file, SECTOR - 1), first);
        assert_in_range (first, 1, 3);
        assert_in_range (second, 1, 2);
        seen[first][second] = true;
        disk->close (disk->self, &file);
    }
    for (int first = 1; first <= 3; first++)
        for (int second = 1; second <= 2; second++)
            assert_true (seen[first][second]);
}

static void
disk_unsynced_growth_is_kept_in_part (void **state)
{
    disk_t *disk = *state;
    bool none = false, some = false, all = false;
    for (uint64_t seed = 0; seed < 200; seed++) {
        disk_file_t *file = file_of (disk, "a");
        make_durable (disk, file);
        assert_int_equal (disk->fill (disk->self, file, 8 * SECTOR, NULL), TROUPE_OK);
        assert_int_equal (put (disk, file, 4 * SECTOR, 7, SECTOR), TROUPE_OK);
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        uint64_t size = size_of (disk, file);
        none |= size == 0;
        some |= size > 0 && size < 8 * SECTOR;
        all |= size == 8 * SECTOR;
        for (uint64_t at = 0; at < size; at++)
            assert_true (byte_at (disk, file, at) == 0 || at / SECTOR == 4);
        disk->close (disk->self, &file);
        assert_int_equal (disk->remove (disk->self, "a", NULL), TROUPE_OK);
        assert_int_equal (disk->sync_names (disk->self, NULL), TROUPE_OK);
    }
    assert_true (none && some && all);
}

static void
disk_unsynced_names_survive_as_a_prefix (void **state)
{
    disk_t *disk = *state;
    bool seen[4] = { false };
    for (uint64_t seed = 0; seed < 200; seed++) {
        disk_file_t *file = file_of (disk, "old");
        make_durable (disk, file);
        disk->close (disk->self, &file);
        assert_int_equal (disk->rename (disk->self, "old", "renamed", NULL), TROUPE_OK);
        file = file_of (disk, "made");
        assert_int_equal (disk->remove (disk->self, "renamed", NULL), TROUPE_OK);
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        int there = exists (disk, "old") + 2 * exists (disk, "renamed") + 4 * exists (disk, "made");
        assert_true (there == 1 || there == 2 || there == 6 || there == 4);
        seen[there == 1 ? 0 : there == 2 ? 1 : there == 6 ? 2 : 3] = true;
        disk_memory_crash (disk, seed, false);
        const char *names[] = { "old", "renamed", "made" };
        for (int i = 0; i < 3; i++)
            if (exists (disk, names[i]))
                assert_int_equal (disk->remove (disk->self, names[i], NULL), TROUPE_OK);
    }
    assert_true (seen[0] && seen[1] && seen[2] && seen[3]);
}

static void
disk_process_crash_keeps_the_cache_but_not_its_durability (void **state)
{
    disk_t *disk = *state;
    bool lost = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        disk_file_t *file = file_of (disk, "a");
        assert_int_equal (put (disk, file, 0, 1, SECTOR), TROUPE_OK);
        make_durable (disk, file);
        assert_int_equal (put (disk, file, 0, 2, SECTOR), TROUPE_OK);
        disk_memory_crash (disk, seed, true);
        assert_int_equal (disk->sync (disk->self, file, NULL), TROUPE_IO);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        assert_int_equal (byte_at (disk, file, 0), 2);
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        lost |= byte_at (disk, file, 0) == 1;
        disk->close (disk->self, &file);
    }
    assert_true (lost);
}

static void
disk_dies_in_the_nth_operation_and_stays_dead (void **state)
{
    disk_t *disk = *state;
    disk_file_t *file = file_of (disk, "a");
    make_durable (disk, file);
    disk_memory_die_after (disk, 3);
    assert_int_equal (put (disk, file, 0, 1, SECTOR), TROUPE_OK);
    assert_int_equal (disk->sync (disk->self, file, NULL), TROUPE_OK);
    assert_false (disk_memory_is_dead (disk));
    assert_int_equal (put (disk, file, SECTOR, 2, 8 * SECTOR), TROUPE_IO);
    assert_true (disk_memory_is_dead (disk));
    uint64_t size;
    assert_int_equal (disk->size (disk->self, file, &size, NULL), TROUPE_IO);
    assert_int_equal (disk->sync (disk->self, file, NULL), TROUPE_IO);
    assert_int_equal (disk->sync_names (disk->self, NULL), TROUPE_IO);
    assert_int_equal (disk->rename (disk->self, "a", "b", NULL), TROUPE_IO);
    assert_int_equal (disk->remove (disk->self, "a", NULL), TROUPE_IO);
    disk_memory_crash (disk, 1, true);
    disk->close (disk->self, &file);
    file = file_of (disk, "a");
    assert_int_equal (size_of (disk, file) % SECTOR, 0);
    assert_int_equal (byte_at (disk, file, 0), 1);
    assert_false (disk_memory_is_dead (disk));
    disk->close (disk->self, &file);
}

static void
disk_failed_sync_may_lose_what_reads_back (void **state)
{
    disk_t *disk = *state;
    bool lost = false, kept = false;
    for (uint64_t seed = 0; seed < 100; seed++) {
        disk_file_t *file = file_of (disk, "a");
        assert_int_equal (put (disk, file, 0, 1, SECTOR), TROUPE_OK);
        make_durable (disk, file);
        disk_memory_crash (disk, seed, true);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        disk_memory_fail_sync_after (disk, 1);
        assert_int_equal (put (disk, file, 0, 2, SECTOR), TROUPE_OK);
        assert_int_equal (disk->sync (disk->self, file, NULL), TROUPE_IO);
        assert_int_equal (byte_at (disk, file, 0), 2);
        assert_int_equal (disk->sync (disk->self, file, NULL), TROUPE_OK);
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        lost |= byte_at (disk, file, 0) == 1;
        kept |= byte_at (disk, file, 0) == 2;
        disk->close (disk->self, &file);
    }
    assert_true (lost && kept);
}

static void
disk_full_takes_what_fits_and_goes_on_later (void **state)
{
    disk_t *disk = *state;
    disk_file_t *file = file_of (disk, "a");
    disk_memory_set_space (disk, 4 * SECTOR);
    assert_int_equal (disk->fill (disk->self, file, 8 * SECTOR, NULL), TROUPE_FULL);
    assert_int_equal (size_of (disk, file), 4 * SECTOR);
    assert_int_equal (put (disk, file, 0, 1, 4 * SECTOR), TROUPE_OK);
    disk_memory_set_space (disk, 2 * SECTOR);
    assert_int_equal (put (disk, file, 0, 2, SECTOR), TROUPE_FULL);
    disk_memory_set_space (disk, 0);
    assert_int_equal (disk->fill (disk->self, file, 8 * SECTOR, NULL), TROUPE_OK);
    disk_memory_set_space (disk, 9 * SECTOR);
    assert_int_equal (disk->sync_names (disk->self, NULL), TROUPE_OK);
    assert_int_equal (disk->remove (disk->self, "a", NULL), TROUPE_OK);
    disk->close (disk->self, &file);
    assert_int_equal (disk->sync_names (disk->self, NULL), TROUPE_OK);
    file = file_of (disk, "b");
    assert_int_equal (disk->fill (disk->self, file, 9 * SECTOR, NULL), TROUPE_OK);
    disk->close (disk->self, &file);
}

static void
disk_ignored_sync_makes_nothing_durable (void **state)
{
    disk_t *disk = *state;
    disk_file_t *file = file_of (disk, "a");
    make_durable (disk, file);
    disk_memory_ignore_syncs (disk, true);
    bool lost = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal (put (disk, file, 0, (int) seed + 1, SECTOR), TROUPE_OK);
        make_durable (disk, file);
        disk_memory_crash (disk, seed, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        lost |= size_of (disk, file) == 0 || byte_at (disk, file, 0) != (int) seed + 1;
    }
    assert_true (lost);
    disk->close (disk->self, &file);
}

static void
disk_damage_flips_bits_of_what_is_durable (void **state)
{
    disk_t *disk = *state;
    disk_file_t *file = file_of (disk, "a");
    assert_int_equal (put (disk, file, 0, 1, SECTOR), TROUPE_OK);
    make_durable (disk, file);
    assert_int_equal (disk_memory_damage (disk, "a", 5, 0x80), TROUPE_OK);
    assert_int_equal (disk_memory_damage (disk, "a", SECTOR, 1), TROUPE_NOT_FOUND);
    assert_int_equal (disk_memory_damage (disk, "b", 0, 1), TROUPE_NOT_FOUND);
    assert_int_equal (byte_at (disk, file, 5), 0x81);
    disk_memory_crash (disk, 1, false);
    disk->close (disk->self, &file);
    file = file_of (disk, "a");
    assert_int_equal (byte_at (disk, file, 5), 0x81);
    disk->close (disk->self, &file);
}

static void
disk_same_seed_gives_the_same_image (void **state)
{
    (void) state;
    uint8_t images[2][16 * SECTOR];
    memset (images, 0, sizeof images);
    for (int run = 0; run < 2; run++) {
        disk_t *disk = disk_memory_new ();
        disk_file_t *file = file_of (disk, "a");
        make_durable (disk, file);
        for (int i = 0; i < 16; i++)
            assert_int_equal (put (disk, file, (uint64_t) (i * 7 % 16) * SECTOR, i + 1, SECTOR), TROUPE_OK);
        disk_memory_crash (disk, 77, false);
        disk->close (disk->self, &file);
        file = file_of (disk, "a");
        assert_int_equal (disk->read (disk->self, file, 0, images[run], size_of (disk, file), NULL), TROUPE_OK);
        disk->close (disk->self, &file);
        disk_memory_destroy (&disk);
    }
    assert_memory_equal (images[0], images[1], sizeof images[0]);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (disk_synced_bytes_survive_every_crash, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_unsynced_sectors_survive_one_by_one, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_unsynced_growth_is_kept_in_part, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_unsynced_names_survive_as_a_prefix, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_process_crash_keeps_the_cache_but_not_its_durability, make_disk,
                                         destroy_disk),
        cmocka_unit_test_setup_teardown (disk_dies_in_the_nth_operation_and_stays_dead, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_failed_sync_may_lose_what_reads_back, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_full_takes_what_fits_and_goes_on_later, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_ignored_sync_makes_nothing_durable, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_damage_flips_bits_of_what_is_durable, make_disk, destroy_disk),
        cmocka_unit_test_setup_teardown (disk_same_seed_gives_the_same_image, make_disk, destroy_disk),
    };
    return cmocka_run_group_tests_name ("disk_memory", tests, NULL, NULL);
}
