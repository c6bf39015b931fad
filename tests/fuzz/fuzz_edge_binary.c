/*  fuzz_edge_binary.c - frames of troupe.v1.bin from a stranger, two to a connection.
 *
 *  The first byte says how long the first of them is. What is taken says the same
 *  when it is written and read again.
 */
#include "runtime/base/error.h"
#include "runtime/body/packed.h"
#include "tests/unit/edge_client.h"
#include "transports/edge/binary.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static binary_reader_t reader;

static void
read_frame (binary_routes_t *routes, const uint8_t *data, size_t size)
{
    client_message_t message;
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status;
    binary_open (&reader, routes, data, size);
    while ((status = binary_next (&reader, &message, &error)) == TROUPE_OK) {
        CHECK (message.type < CLIENT_TYPES && message.number < NUMBER_LIMIT && message.until_ms < NUMBER_LIMIT);
        CHECK (packed_is_valid (message.body, message.size));
        client_check_again (&message, true);
        buffer_t event = { 0 };
        text_codec.event (&event, NULL, 1, 2, message.to, message.body, message.size);
        CHECK (!event.failed);
        buffer_clear (&event);
    }
    CHECK (status == TROUPE_NOT_FOUND || (status == TROUPE_INVALID && error.text[0]));
    CHECK (routes->count <= ROUTES_MOST);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    binary_routes_t routes = { 0 };
    if (size == 0)
        return 0;
    size_t first = data[0] < size - 1 ? data[0] : size - 1;
    read_frame (&routes, data + 1, first);
    read_frame (&routes, data + 1 + first, size - 1 - first);
    binary_routes_clear (&routes);
    return 0;
}
