/*  fuzz_json.c - JSON text from a stranger.
 *
 *  Text that is taken becomes a good body, whose text gives the same body again.
 *  jansson is the second opinion on what JSON is.
 */
#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

static void
is_fixed_point (const buffer_t *packed)
{
    buffer_t text = { 0 }, again = { 0 }, text_again = { 0 };
    HOLDS (packed_is_valid (packed->data, packed->size));
    HOLDS (json_from_packed (packed->data, packed->size, &text, NULL) == TROUPE_OK);
    HOLDS (json_to_packed ((const char *) text.data, text.size, &again, NULL) == TROUPE_OK);
    HOLDS (again.size == packed->size && memcmp (again.data, packed->data, again.size) == 0);
    HOLDS (json_from_packed (again.data, again.size, &text_again, NULL) == TROUPE_OK);
    HOLDS (text_again.size == text.size && memcmp (text_again.data, text.data, text.size) == 0);
    buffer_clear (&text);
    buffer_clear (&again);
    buffer_clear (&text_again);
}

/*  What only we refuse: deep nesting, which json_tree_to_packed refuses as well. */
static void
agrees_with_jansson (const uint8_t *data, size_t size, const buffer_t *packed, bool taken)
{
    json_t *tree = json_loadb ((const char *) data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
                               NULL);
    buffer_t other = { 0 };
    if (!tree) {
        HOLDS (!taken);
        return;
    }
    bool fits = json_tree_to_packed (tree, &other, NULL) == TROUPE_OK;
    HOLDS (fits == taken);
    if (taken) {
        json_t *same = json_tree_from_packed (packed->data, packed->size, NULL);
        HOLDS (same && json_equal (tree, same));
        json_decref (same);
    }
    json_decref (tree);
    buffer_clear (&other);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size > 1000)  /* no number in it is too long for us */
        return 0;
    buffer_t packed = { 0 };
    troupe_error_t error = { 0 };
    bool taken = json_to_packed ((const char *) data, size, &packed, &error) == TROUPE_OK;
    HOLDS (taken || (error.status == TROUPE_INVALID && error.text[0] && packed.size == 0));
    if (taken)
        is_fixed_point (&packed);
    if (!memchr (data, '\0', size))  /* which jansson steps over wherever it stands */
        agrees_with_jansson (data, size, &packed, taken);
    buffer_clear (&packed);
    return 0;
}
