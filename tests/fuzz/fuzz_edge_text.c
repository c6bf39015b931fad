/*  fuzz_edge_text.c - a frame of troupe.v1 from a stranger.
 *
 *  What is taken says the same when it is written and read again, also in the
 *  binary form, and its body can be sent back.
 */
#include "runtime/base/error.h"
#include "runtime/body/packed.h"
#include "tests/unit/edge_client.h"
#include "transports/edge/text.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static text_reader_t reader;

/*  Raw bytes come back as strings, so a text form made of a binary body is not asked to be equal. */
static void
check_message (const client_message_t *message)
{
    buffer_t event = { 0 }, packed = { 0 };
    CHECK (message->type < CLIENT_TYPES && message->number < NUMBER_LIMIT && message->until_ms < NUMBER_LIMIT);
    CHECK (packed_is_valid (message->body, message->size));
    client_check_again (message, false);
    client_check_again (message, true);
    text_codec.event (&event, NULL, 1, 2, message->to, message->body, message->size);
    CHECK (!event.failed);
    text_reader_t parser = { 0 };
    json_open (&parser.json, (const char *) event.data, event.size);
    CHECK (json_next (&parser.json, PACKED_DEPTH_MAX + 1, &packed, NULL) == TROUPE_OK);
    CHECK (parser.json.at == parser.json.end);
    text_close (&parser);
    buffer_clear (&event);
    buffer_clear (&packed);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    client_message_t message;
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status;
    text_open (&reader, data, size);
    while ((status = text_next (&reader, &message, &error)) == TROUPE_OK)
        check_message (&message);
    CHECK (status == TROUPE_NOT_FOUND || (status == TROUPE_INVALID && error.text[0]));
    CHECK (text_next (&reader, &message, &error) == TROUPE_NOT_FOUND);
    buffer_t answer = { 0 };
    text_codec.error (&answer, ERROR_PROTOCOL, 0, TROUPE_INVALID, error.text, 0);
    CHECK (!answer.failed);
    buffer_t packed = { 0 };
    CHECK (json_to_packed ((const char *) answer.data, answer.size, &packed, NULL) == TROUPE_OK);
    buffer_clear (&answer);
    buffer_clear (&packed);
    return 0;
}
