/*  replay.c - a main for fuzz targets where there is no libFuzzer: runs the
 *  first inputs of the target, and simple changes of them, as a test.
 *
 *  DESIGN. A parser's fuzz target must not rot between fuzzing sessions, so the
 *  ordinary builds run it too, with every compiler and sanitizer. The changes
 *  are made from a fixed seed: the same inputs in every run. The linker takes
 *  this file out of its archive only for programs without a main of their own.
 */
#include <dirent.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)
#define CHANGES_PER_INPUT 2000

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static uint64_t dice = 0x2545f4914f6cdd1dull;

static uint64_t
roll (void)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice;
}

/*  An exact allocation, so that ASan sees a read of one byte too many. */
static void
run (const uint8_t *bytes, size_t size)
{
    uint8_t *copy = calloc (1, size ? size : 1);
    if (!copy)
        abort ();
    memcpy (copy, bytes, size);
    LLVMFuzzerTestOneInput (copy, size);
    free (copy);
}

static void
run_changed (uint8_t *scratch, const uint8_t *bytes, size_t size)
{
    memcpy (scratch, bytes, size);
    size_t flips = roll () % 4;
    for (size_t i = 0; i < flips && size > 0; i++)
        scratch[roll () % size] = (uint8_t) roll ();
    if (size > 0 && roll () % 4 == 0)
        size = roll () % size;
    run (scratch, size);
}

static void
run_input (const uint8_t *bytes, size_t size, uint8_t *scratch)
{
    run (bytes, size);
    for (int i = 0; i < CHANGES_PER_INPUT; i++)
        run_changed (scratch, bytes, size);
}

static int
run_file (const char *directory, const char *name, uint8_t *bytes, uint8_t *scratch)
{
    char path[4096];
    snprintf (path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen (path, "rb");
    if (!file) {
        printf ("not ok - %s cannot be read\n", path);
        return 1;
    }
    size_t size = fread (bytes, 1, INPUT_MAX, file);
    fclose (file);
    run_input (bytes, size, scratch);
    printf ("ok - %s\n", name);
    fflush (stdout);
    return 0;
}

/*  tests/fuzz/corpus/<thing> of the program fuzz_<thing>. */
static int
run_corpus (const char *program, uint8_t *bytes, uint8_t *scratch)
{
    const char *source = getenv ("TROUPE_SOURCE");
    const char *thing = strstr (program, "fuzz_");
    char directory[3072];
    snprintf (directory, sizeof directory, "%s/tests/fuzz/corpus/%s", source ? source : ".",
              thing ? thing + strlen ("fuzz_") : program);
    DIR *folder = opendir (directory);
    if (!folder)
        return 0;
    int failed = 0;
    for (struct dirent *entry; (entry = readdir (folder)) != NULL;)
        if (entry->d_name[0] != '.')
            failed |= run_file (directory, entry->d_name, bytes, scratch);
    closedir (folder);
    return failed;
}

int
main (int argc, char **argv)
{
    (void) argc;
    uint8_t *bytes = calloc (1, INPUT_MAX), *scratch = calloc (1, INPUT_MAX);
    if (!bytes || !scratch)
        return 1;
    run (bytes, 0);
    for (size_t i = 0; i < 256; i++)
        bytes[i] = (uint8_t) roll ();
    run_input (bytes, 256, scratch);
    printf ("ok - made up\n");
    fflush (stdout);
    int failed = run_corpus (basename (argv[0]), bytes, scratch);
    free (bytes);
    free (scratch);
    return failed;
}
