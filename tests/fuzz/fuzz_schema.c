/*  fuzz_schema.c - a list of fields, a NUL, and a body to check against it. */
#include "runtime/body/packed.h"
#include "runtime/body/schema.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

typedef struct {
    buffer_t text;
    const uint8_t *body;
    size_t size;
    bool passed;
} look_t;

/*  Writes the list down again; a field that must be there is there in a body that passed. */
static void
look_at_field (void *arg, const char *name, const char *type, bool optional)
{
    look_t *look = arg;
    packed_reader_t found;
    buffer_printf (&look->text, "%s%s:%s ", name, optional ? "?" : "", type);
    if (look->passed && !optional)
        HOLDS (packed_find (look->body, look->size, name, &found));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr (data, '\0', size);
    troupe_error_t error = { 0 };
    if (!end)
        return 0;
    schema_t *schema = schema_new ((const char *) data, &error);
    HOLDS (schema || (error.status == TROUPE_INVALID && error.text[0]));
    if (!schema)
        return 0;
    look_t look = { .body = end + 1, .size = (size_t) (data + size - end - 1) };
    look.passed = schema_check (schema, look.body, look.size, &error) == TROUPE_OK;
    HOLDS (look.passed || error.text[0]);
    schema_each (schema, look_at_field, &look);
    schema_t *again = schema_new (look.text.size ? (const char *) look.text.data : "", &error);
    HOLDS (again && (schema_check (again, look.body, look.size, NULL) == TROUPE_OK) == look.passed);
    schema_destroy (&again);
    schema_destroy (&schema);
    buffer_clear (&look.text);
    return 0;
}
