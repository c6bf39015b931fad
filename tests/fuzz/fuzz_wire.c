/*  fuzz_wire.c - bytes on the control socket from anybody.
 *
 *  The first byte says in which pieces the rest arrives; the messages must be
 *  the same as when it arrives at once.
 */
#include "commands/wire.h"
#include "runtime/base/bytes.h"
#include "runtime/body/packed.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
look_at_fields (const wire_message_t *message)
{
    static const char *const names[] = { "do", "tag", "to", "body", "ordered", "session" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[16];
        uint64_t number;
        bool flag;
        const uint8_t *bytes;
        size_t bytes_size;
        troupe_error_t error;
        unsigned taken = 0;
        taken += wire_text (message, names[i], text, sizeof text, &error) == TROUPE_OK;
        taken += wire_number (message, names[i], &number, &error) == TROUPE_OK;
        taken += wire_flag (message, names[i], &flag, &error) == TROUPE_OK;
        taken += wire_bytes (message, names[i], &bytes, &bytes_size, &error) == TROUPE_OK;
        if (taken > 1)
            abort ();
    }
}

/*  A hash over all messages and how it ended. */
static uint64_t
read_all (const uint8_t *data, size_t size, size_t piece)
{
    wire_t wire = { 0 };
    wire_message_t message;
    troupe_error_t error;
    uint64_t seen = 0;
    wire_result_t result = WIRE_MORE;
    for (size_t at = 0; at < size && result != WIRE_BAD; at += piece) {
        size_t next = size - at < piece ? size - at : piece;
        uint8_t *place = wire_room (&wire, next);
        if (!place)
            abort ();
        memcpy (place, data + at, next);
        wire_arrived (&wire, next);
        while ((result = wire_next (&wire, &message, &error)) == WIRE_MESSAGE) {
            look_at_fields (&message);
            seen = hash_bytes (message.bytes, message.size, seen + 1);
        }
    }
    wire_clear (&wire);
    return seen ^ result;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = 1 + data[0] % 64;
    if (read_all (data + 1, size - 1, piece) != read_all (data + 1, size - 1, size))
        abort ();
    return 0;
}
