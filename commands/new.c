/*  new.c - `troupe new counter`: a kind to begin with, which compiles and has a test. */
#include "commands/command.h"
#include "commands/new_texts.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const option_t options[] = {
    { "directory", "DIR", "where it is made, anew (the name of the kind)" },
    { NULL }
};

static const struct {
    const char *name, *text;
} files[] = {
    { "@KIND@.c", kind_text },
    { "test_@KIND@.c", test_text },
    { "Makefile", makefile_text },
    { "README.md", readme_text },
};

static bool
is_kind_name (const char *name)
{
    size_t size = strlen (name);
    return size > 0 && size <= TROUPE_KIND_MAX && strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == size;
}

/*  That of the table: letters, digits and underscores. */
static void
put_name (const char *kind, FILE *to)
{
    fputs ("kind_", to);
    for (; *kind; kind++)
        fputc (*kind == '-' ? '_' : *kind, to);
}

static void
put_text (const char *text, const char *kind, FILE *to)
{
    while (*text) {
        size_t size = strcspn (text, "@");
        fwrite (text, 1, size, to);
        text += size;
        if (strncmp (text, "@KIND@", 6) == 0) {
            fputs (kind, to);
            text += 6;
        } else if (strncmp (text, "@NAME@", 6) == 0) {
            put_name (kind, to);
            text += 6;
        } else if (*text)
            fputc (*text++, to);
    }
}

static int
write_file (const invocation_t *invocation, const char *directory, const char *name, const char *text)
{
    char path[PATH_MAX] = "";
    FILE *whole = fmemopen (path, sizeof path - 1, "w"), *file = NULL;
    if (whole) {
        fprintf (whole, "%s/", directory);
        put_text (name, invocation->words[0], whole);
        fclose (whole);
        file = fopen (path, "wxe");
    }
    if (!file)
        return command_fail (invocation, EXIT_DISK, "%s: %s", path, strerror (errno));
    put_text (text, invocation->words[0], file);
    bool is_bad = ferror (file) != 0;
    is_bad = fclose (file) != 0 || is_bad;
    if (is_bad)
        return command_fail (invocation, EXIT_DISK, "%s: %s", path, strerror (errno));
    printf ("%s\n", path);
    return EXIT_OK;
}

static int
run (invocation_t *invocation)
{
    const char *kind = invocation->words[0], *given = option_text (invocation, "directory");
    const char *directory = given ? given : kind;
    if (!is_kind_name (kind))
        return command_fail (invocation, EXIT_USAGE, "a kind is named by 1 to %d of a-z 0-9 - _", TROUPE_KIND_MAX);
    if (mkdir (directory, 0777) != 0)
        return command_fail (invocation, EXIT_DISK, "%s: %s", directory, strerror (errno));
    int code = EXIT_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && code == EXIT_OK; i++)
        code = write_file (invocation, directory, files[i].name, files[i].text);
    return code;
}

const command_t command_new = {
    .name = "new",
    .words = "KIND",
    .least = 1,
    .most = 1,
    .summary = "write a kind to begin with: C, a test, a Makefile",
    .help = "It compiles as it is; `make check` in its directory builds it and runs its test.\n",
    .reach = REACH_NONE,
    .options = options,
    .run = run
};
