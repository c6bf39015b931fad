/*  asyncapi.c - the feeds of some kinds over WebSocket, as an AsyncAPI 3.0 document.
 *
 *  DESIGN
 *  A channel of the document is a channel of a kind; its address is what a client
 *  watches. An operation is what the node does: it receives `watch` and sends the
 *  rest. All of it goes over one WebSocket, the server of the document. The
 *  messages are those of the text form: doc/protocol.md. The caller's thread.
 */
#include "transports/edge/asyncapi.h"

#include "transports/edge/message.h"

#include <stdio.h>

#define KEY_MAX 256  /* bytes of a key or a reference */

typedef enum { RECEIVED, SENT } way_t;

static const struct {
    const char *name;
    way_t way;
    const char *payload;  /* JSON Schema */
} messages[] = {
    { "watch", RECEIVED,
      "{\"type\":\"object\",\"required\":[\"watch\",\"id\"],\"properties\":{\"watch\":{\"type\":\"string\"},"
      "\"id\":{\"type\":\"integer\"},\"from\":{\"type\":\"string\"}}}" },
    { "unwatch", RECEIVED,
      "{\"type\":\"object\",\"required\":[\"unwatch\"],\"properties\":{\"unwatch\":{\"type\":\"integer\"}}}" },
    { "watching", SENT,
      "{\"type\":\"object\",\"required\":[\"watching\",\"feed\",\"next\"],\"properties\":{\"watching\":"
      "{\"type\":\"integer\"},\"feed\":{\"type\":\"integer\"},\"next\":{\"type\":\"integer\"},"
      "\"gap\":{\"const\":true}}}" },
    { "snapshot", SENT,
      "{\"type\":\"object\",\"required\":[\"snapshot\",\"at\",\"body\"],\"properties\":{\"snapshot\":"
      "{\"type\":\"integer\"},\"at\":{\"type\":\"integer\"},\"body\":{}}}" },
    { "event", SENT,
      "{\"type\":\"object\",\"required\":[\"event\",\"at\",\"body\"],\"properties\":{\"event\":"
      "{\"type\":\"integer\"},\"at\":{\"type\":\"integer\"},\"key\":{\"type\":\"string\"},\"body\":{}}}" },
    { "cut", SENT,
      "{\"type\":\"object\",\"required\":[\"cut\",\"why\",\"token\"],\"properties\":{\"cut\":"
      "{\"type\":\"integer\"},\"why\":{\"type\":\"string\"},\"token\":{\"type\":\"string\"}}}" },
    { "presence", SENT,
      "{\"type\":\"object\",\"required\":[\"presence\",\"count\"],\"properties\":{\"presence\":"
      "{\"type\":\"integer\"},\"count\":{\"type\":\"integer\"},\"subjects\":{\"type\":\"array\",\"items\":"
      "{\"type\":\"string\"}}}}" },
    { "unwatched", SENT,
      "{\"type\":\"object\",\"required\":[\"unwatched\"],\"properties\":{\"unwatched\":{\"type\":\"integer\"}}}" },
    { "error", SENT,
      "{\"type\":\"object\",\"required\":[\"error\",\"id\",\"status\",\"text\"],\"properties\":{\"error\":"
      "{\"const\":\"watch\"},\"id\":{\"type\":\"integer\"},\"status\":{\"type\":\"string\"},"
      "\"text\":{\"type\":\"string\"},\"retry_after_ms\":{\"type\":\"integer\"}}}" },
};

#define MESSAGES (sizeof messages / sizeof *messages)

/*  JSON pointers write / as ~1; names of kinds and channels have none. */
static void
put_message_refs (buffer_t *to, const char *place, way_t way, bool all)
{
    for (size_t index = 0; index < MESSAGES; index++) {
        char reference[KEY_MAX];
        snprintf (reference, sizeof reference, "%s/%s", place, messages[index].name);
        if (all)
            document_ref (to, messages[index].name, reference);
        else if (messages[index].way == way)
            document_ref (to, NULL, reference);
    }
}

static void
put_channel (buffer_t *to, const troupe_kind_t *kind, const troupe_channel_t *channel)
{
    char key[KEY_MAX];
    snprintf (key, sizeof key, "%s.%s", kind->name, channel->name);
    document_open (to, key, '{');
    document_format (to, "address", "%s/{id}/%s", kind->name, channel->name);
    document_description (to, channel->doc, &(permit_t) { channel->allow, channel->role, channel->name });
    document_json (to, "parameters", "{\"id\":{\"description\":\"Which actor of the kind.\"}}");
    document_open (to, "messages", '{');
    put_message_refs (to, "#/components/messages", SENT, true);
    document_close (to, '}');
    document_close (to, '}');
}

static void
put_operation (buffer_t *to, const troupe_kind_t *kind, const troupe_channel_t *channel, way_t way)
{
    char key[KEY_MAX], place[KEY_MAX];
    snprintf (key, sizeof key, "%s.%s:%s", kind->name, channel->name, way == SENT ? "events" : "watch");
    snprintf (place, sizeof place, "#/channels/%s.%s", kind->name, channel->name);
    document_open (to, key, '{');
    document_text (to, "action", way == SENT ? "send" : "receive");
    document_ref (to, "channel", place);
    snprintf (place, sizeof place, "#/channels/%s.%s/messages", kind->name, channel->name);
    document_open (to, "messages", '[');
    put_message_refs (to, place, way, false);
    document_close (to, ']');
    document_close (to, '}');
}

static void
put_operations (buffer_t *to, const troupe_kind_t *kind, const troupe_channel_t *channel)
{
    put_operation (to, kind, channel, RECEIVED);
    put_operation (to, kind, channel, SENT);
}

static void
each_channel (buffer_t *to, const troupe_kind_t *const *kinds,
              void (*put) (buffer_t *to, const troupe_kind_t *kind, const troupe_channel_t *channel))
{
    for (; *kinds; kinds++)
        for (const troupe_channel_t *channel = (*kinds)->channels; channel && channel->name; channel++)
            if (channel->allow != TROUPE_ACTORS)
                put (to, *kinds, channel);
}

static void
put_components (buffer_t *to)
{
    document_open (to, "components", '{');
    document_open (to, "messages", '{');
    for (size_t index = 0; index < MESSAGES; index++) {
        document_open (to, messages[index].name, '{');
        document_json (to, "payload", messages[index].payload);
        document_close (to, '}');
    }
    document_close (to, '}');
    document_close (to, '}');
}

static void
put_servers (buffer_t *to, const document_info_t *info)
{
    if (!info->host)
        return;
    document_open (to, "servers", '{');
    document_open (to, "node", '{');
    document_text (to, "host", info->host);
    document_text (to, "pathname", "/v1");
    document_text (to, "protocol", info->is_secure ? "wss" : "ws");
    document_format (to, "description", "Subprotocol %s.", text_codec.subprotocol);
    document_close (to, '}');
    document_close (to, '}');
}

void
asyncapi_write (buffer_t *to, const document_info_t *info, const troupe_kind_t *const *kinds)
{
    size_t start = to->size;
    document_begin (to);
    document_text (to, "asyncapi", "3.0.0");
    document_about (to, info);
    document_text (to, "defaultContentType", "application/json");
    put_servers (to, info);
    document_open (to, "channels", '{');
    each_channel (to, kinds, put_channel);
    document_close (to, '}');
    document_open (to, "operations", '{');
    each_channel (to, kinds, put_operations);
    document_close (to, '}');
    put_components (to);
    document_close (to, '}');
    if (to->failed)
        to->size = start;
}
