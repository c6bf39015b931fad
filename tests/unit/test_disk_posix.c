/*  test_disk_posix.c - the real disk, in the directory that the test was given. */
#include "runtime/base/memory.h"
#include "storage/disk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int
make_disk (void **state)
{
    troupe_error_t error = { 0 };
    *state = mkdir ("disk", 0700) == 0 ? disk_posix_new ("disk", &error) : NULL;
    return *state ? 0 : -1;
}

static int
remove_disk (void **state)
{
    disk_posix_destroy ((disk_t **) state);
    disk_posix_destroy ((disk_t **) state);
    return system ("rm -rf disk");
}

static disk_file_t *
file_of (disk_t *disk, const char *name)
{
    troupe_error_t error;
    disk_file_t *file = NULL;
    assert_int_equal (disk->open (disk->self, name, true, &file, &error), TROUPE_OK);
    return file;
}

static void
disk_written_bytes_read_back (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error;
    char bytes[5];
    uint64_t size;
    disk_file_t *file = file_of (disk, "a");
    assert_int_equal (disk->write (disk->self, file, 10000, "hello", 5, &error), TROUPE_OK);
    assert_int_equal (disk->size (disk->self, file, &size, &error), TROUPE_OK);
    assert_int_equal (size, 10005);
    assert_int_equal (disk->read (disk->self, file, 10000, bytes, 5, &error), TROUPE_OK);
    assert_memory_equal (bytes, "hello", 5);
    assert_int_equal (disk->sync (disk->self, file, &error), TROUPE_OK);
    disk->close (disk->self, &file);
    assert_null (file);
    disk->close (disk->self, &file);
}

static void
disk_read_past_the_end_is_an_io_error (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error = { 0 };
    char bytes[8];
    disk_file_t *file = file_of (disk, "short");
    assert_int_equal (disk->write (disk->self, file, 0, "1234", 4, &error), TROUPE_OK);
    assert_int_equal (disk->read (disk->self, file, 0, bytes, 8, &error), TROUPE_IO);
    assert_non_null (strstr (error.text, "short"));
    disk->close (disk->self, &file);
}

static void
disk_fill_grows_with_zeros_and_keeps_what_is_there (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error;
    uint64_t size;
    char *bytes = malloc (1000000);
    disk_file_t *file = file_of (disk, "filled");
    assert_int_equal (disk->write (disk->self, file, 0, "abc", 3, &error), TROUPE_OK);
    assert_int_equal (disk->fill (disk->self, file, 1000000, &error), TROUPE_OK);
    assert_int_equal (disk->size (disk->self, file, &size, &error), TROUPE_OK);
    assert_int_equal (size, 1000000);
    assert_int_equal (disk->read (disk->self, file, 0, bytes, 1000000, &error), TROUPE_OK);
    assert_memory_equal (bytes, "abc", 3);
    for (size_t i = 3; i < 1000000; i++)
        assert_int_equal (bytes[i], 0);
    assert_int_equal (disk->fill (disk->self, file, 10, &error), TROUPE_OK);
    assert_int_equal (disk->size (disk->self, file, &size, &error), TROUPE_OK);
    assert_int_equal (size, 1000000);
    struct stat info;
    assert_int_equal (stat ("disk/filled", &info), 0);
    assert_true (info.st_blocks * 512 >= 1000000);
    disk->close (disk->self, &file);
    free (bytes);
}

static bool
collect (void *arg, const char *name)
{
    strcat (arg, name);
    strcat (arg, " ");
    return true;
}

static void
disk_names_appear_move_and_go (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error = { 0 };
    disk_file_t *file = file_of (disk, "one");
    disk->close (disk->self, &file);
    assert_int_equal (disk->open (disk->self, "none", false, &file, &error), TROUPE_NOT_FOUND);
    assert_null (file);
    assert_int_equal (disk->rename (disk->self, "one", "two", &error), TROUPE_OK);
    assert_int_equal (disk->rename (disk->self, "one", "two", &error), TROUPE_NOT_FOUND);
    assert_int_equal (disk->sync_names (disk->self, &error), TROUPE_OK);
    char names[256] = "";
    assert_int_equal (disk->each_name (disk->self, collect, names, &error), TROUPE_OK);
    assert_string_equal (names, "two ");
    assert_int_equal (disk->remove (disk->self, "two", &error), TROUPE_OK);
    assert_int_equal (disk->remove (disk->self, "two", &error), TROUPE_NOT_FOUND);
    assert_non_null (strstr (error.text, "disk/two"));
}

static void
disk_without_directory_is_refused (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    assert_null (disk_posix_new ("nowhere", &error));
    assert_int_equal (error.status, TROUPE_NOT_FOUND);
    memory_fail_after (1);
    assert_null (disk_posix_new ("disk", &error));
    assert_int_equal (error.status, TROUPE_NO_MEMORY);
    memory_fail_after (2);
    assert_null (disk_posix_new ("disk", &error));
    memory_fail_after (0);
}

static void
disk_out_of_memory_leaves_no_open_file (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error;
    for (uint64_t n = 1; n <= 2; n++) {
        disk_file_t *file = NULL;
        memory_fail_after (n);
        assert_int_equal (disk->open (disk->self, "a", true, &file, &error), TROUPE_NO_MEMORY);
        memory_fail_after (0);
        assert_null (file);
    }
}

/*  A process with too many files open can go on later, like one without memory. */
static void
disk_without_descriptors_says_no_memory (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error;
    struct rlimit old, low;
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 3;
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
    disk_file_t *file;
    troupe_status_t status = disk->open (disk->self, "a", true, &file, &error);
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &old), 0);
    assert_int_equal (status, TROUPE_NO_MEMORY);
}

/*  A file-size limit stands for a full disk: both fail a write in the middle. */
static void
disk_full_is_told_apart_from_broken (void **state)
{
    disk_t *disk = *state;
    troupe_error_t error;
    struct rlimit old, low;
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 100000;
    disk_file_t *file = file_of (disk, "a");
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &low), 0);
    sighandler_t handler = signal (SIGXFSZ, SIG_IGN);
    troupe_status_t filled = disk->fill (disk->self, file, 1 << 20, &error);
    troupe_status_t written = disk->write (disk->self, file, 99998, "12345", 5, &error);
    signal (SIGXFSZ, handler);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &old), 0);
    assert_int_equal (filled, TROUPE_FULL);
    assert_int_equal (written, TROUPE_FULL);
    disk->close (disk->self, &file);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (disk_written_bytes_read_back, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_read_past_the_end_is_an_io_error, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_fill_grows_with_zeros_and_keeps_what_is_there, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_names_appear_move_and_go, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_without_directory_is_refused, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_out_of_memory_leaves_no_open_file, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_without_descriptors_says_no_memory, make_disk, remove_disk),
        cmocka_unit_test_setup_teardown (disk_full_is_told_apart_from_broken, make_disk, remove_disk),
    };
    return cmocka_run_group_tests_name ("disk_posix", tests, NULL, NULL);
}
