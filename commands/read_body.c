/*  read_body.c - a body from the command line. */
#include "commands/read_body.h"

#include "runtime/body/json.h"

#define BODY_TEXT_MAX (4u * TROUPE_BODY_MAX)

static troupe_status_t
read_stdin (buffer_t *text, troupe_error_t *error)
{
    for (;;) {
        uint8_t *place = buffer_reserve (text, 65536);
        size_t size = place ? fread (place, 1, 65536, stdin) : 0;
        text->size += size;
        if (text->size > BODY_TEXT_MAX)
            return error_set (error, TROUPE_TOO_LARGE, "the body on stdin is larger than %u bytes", BODY_TEXT_MAX);
        if (!place)
            return error_set (error, TROUPE_NO_MEMORY, "out of memory");
        if (size == 0)
            return TROUPE_OK;
    }
}

int
read_body (const invocation_t *invocation, unsigned word, buffer_t *body)
{
    buffer_t input = { 0 };
    troupe_error_t error;
    troupe_status_t status = TROUPE_OK;
    if (invocation->word_count <= word)
        return EXIT_OK;
    const char *text = invocation->words[word];
    size_t size = strlen (text);
    if (strcmp (text, "-") == 0) {
        status = read_stdin (&input, &error);
        text = (const char *) input.data;
        size = input.size;
    }
    if (status == TROUPE_OK)
        status = json_to_packed (text, size, body, &error);
    buffer_clear (&input);
    return status == TROUPE_OK ? EXIT_OK : command_fail (invocation, EXIT_USAGE, "the body: %s", error.text);
}
