/*  public.c - what troupe.h offers for bodies outside of a turn.
 *
 *  DESIGN
 *  Blocks that are handed out come from malloc, through memory.h, so that callers
 *  free them with free(). Texts and bodies are bounded here, since nobody in
 *  front of these functions has done it. Any thread.
 */
#include "runtime/body/json.h"

#define TEXT_MAX (8 * (size_t) TROUPE_BODY_MAX)  /* room for the blanks and escapes of a largest body */

const char *
troupe_status_name (troupe_status_t status)
{
    static const char *const names[TROUPE_STATUSES] = {
        [TROUPE_OK] = "ok", [TROUPE_REFUSED] = "refused", [TROUPE_INVALID] = "invalid",
        [TROUPE_NOT_FOUND] = "not_found", [TROUPE_FORBIDDEN] = "forbidden", [TROUPE_TOO_LARGE] = "too_large",
        [TROUPE_OVERLOADED] = "overloaded", [TROUPE_TIMEOUT] = "timeout", [TROUPE_UNKNOWN] = "unknown",
        [TROUPE_STOPPING] = "stopping", [TROUPE_PARKED] = "parked", [TROUPE_FAILED] = "failed",
        [TROUPE_NO_MEMORY] = "no_memory", [TROUPE_IO] = "io", [TROUPE_FULL] = "full",
        [TROUPE_CORRUPT] = "corrupt", [TROUPE_MISMATCH] = "mismatch", [TROUPE_LOCKED] = "locked",
    };
    return (unsigned) status < TROUPE_STATUSES ? names[status] : "no such status";
}

void *
troupe_pack_json (const char *text, size_t length, size_t *size, troupe_error_t *error)
{
    buffer_t packed = { .limit = TROUPE_BODY_MAX };
    if (length > TEXT_MAX) {
        error_set (error, TROUPE_TOO_LARGE, "JSON text of %zu bytes: at most %zu", length, TEXT_MAX);
        return NULL;
    }
    if (json_to_packed (text, length, &packed, error) != TROUPE_OK) {
        buffer_clear (&packed);
        return NULL;
    }
    *size = packed.size;
    return packed.data;
}

char *
troupe_unpack_json (const void *body, size_t size, troupe_error_t *error)
{
    buffer_t text = { 0 };
    if (size > TROUPE_BODY_MAX) {
        error_set (error, TROUPE_TOO_LARGE, "a body of %zu bytes: at most %u", size, TROUPE_BODY_MAX);
        return NULL;
    }
    if (json_from_packed (body, size, &text, error) == TROUPE_OK) {
        buffer_byte (&text, '\0');
        if (!text.failed)
            return (char *) text.data;
        error_set (error, TROUPE_NO_MEMORY, "out of memory for the JSON text of a body");
    }
    buffer_clear (&text);
    return NULL;
}
