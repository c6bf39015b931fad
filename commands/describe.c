/*  describe.c - what a node is made of, as packed values.
 *
 *  DESIGN
 *  The tables that route calls and check arguments are also the documentation:
 *  what is shown here is what is done. Texts of tables are an integrator's and
 *  may be missing or no UTF-8; they are packed only when they are good.
 */
#include "commands/describe.h"

#include "commands/wire.h"
#include "runtime/base/hex.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"

#include <stdio.h>
#include <unistd.h>

static void
put_table_text (buffer_t *to, const char *name, const char *text)
{
    packed_put_text (to, name, text && utf8_is_valid (text, strlen (text)) ? text : "");
}

static void
put_flag (buffer_t *to, const char *name, bool flag)
{
    packed_put_name (to, name);
    packed_put_bool (to, flag);
}

static void
put_allow (buffer_t *to, troupe_allow_t allow, const char *role)
{
    static const char *const names[] = { "actors", "anyone", "signed in", "owner", "operator", "decides", "role " };
    char text[TROUPE_NAME_MAX + 8];
    snprintf (text, sizeof text, "%s%s", names[allow], role ? role : "");
    packed_put_text (to, "allow", text);
}

static void
put_verb (buffer_t *to, const troupe_verb_t *verb)
{
    packed_put_object (to, 7);
    packed_put_text (to, "name", verb->name);
    put_allow (to, verb->allow, verb->role);
    put_flag (to, "reads", verb->reads);
    put_table_text (to, "args", verb->args);
    put_table_text (to, "gives", verb->gives);
    packed_put_number (to, "budget_ms", verb->budget_ms);
    put_table_text (to, "doc", verb->doc);
}

static void
put_channel (buffer_t *to, const troupe_channel_t *channel)
{
    static const char *const presences[] = { "none", "count", "list" };
    packed_put_object (to, 7);
    packed_put_text (to, "name", channel->name);
    packed_put_number (to, "keep", channel->keep);
    packed_put_number (to, "keep_ms", channel->keep_ms);
    put_flag (to, "volatile", channel->is_volatile);
    put_allow (to, channel->allow, channel->role);
    packed_put_text (to, "presence", presences[channel->presence]);
    put_table_text (to, "doc", channel->doc);
}

static void
put_kind (buffer_t *to, const kind_t *kind)
{
    packed_put_object (to, 5);
    packed_put_text (to, "name", kind->name);
    packed_put_number (to, "version", kind->table->version);
    put_table_text (to, "doc", kind->table->doc);
    packed_put_name (to, "verbs");
    packed_put_array (to, kind->verb_count);
    for (unsigned i = 0; i < kind->verb_count; i++)
        put_verb (to, kind->verbs[i].table);
    packed_put_name (to, "channels");
    packed_put_array (to, kind->channel_count);
    for (unsigned i = 0; i < kind->channel_count; i++)
        put_channel (to, kind->channels[i].table);
}

void
describe_kinds (const registry_t *registry, buffer_t *to)
{
    packed_put_array (to, registry_count (registry));
    for (uint32_t i = 0; i < registry_count (registry); i++)
        put_kind (to, registry_at (registry, i));
}

static void
put_hex (buffer_t *to, const char *name, const void *bytes, size_t size)
{
    char text[65];
    CHECK (size * 2 < sizeof text);
    hex_write (text, bytes, size);
    packed_put_text (to, name, text);
}

void
describe_node (troupe_t *node, buffer_t *to)
{
    char version[40], boot[17];
    state_port_t *state = node_store (node)->state;
    const state_identity_t *identity = state->identity (state->self);
    const registry_t *registry = node_registry (node);
    snprintf (version, sizeof version, "%d.%d.%d", TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH);
    snprintf (boot, sizeof boot, "%016llx", (unsigned long long) node_boot (node));
    packed_put_object (to, 12);
    packed_put_text (to, "version", version);
    put_table_text (to, "store", node_settings (node)->store);
    put_hex (to, "store_id", identity->store_id, sizeof identity->store_id);
    put_hex (to, "epoch", identity->epoch, sizeof identity->epoch);
    packed_put_text (to, "boot", boot);
    packed_put_number (to, "pid", (uint64_t) getpid ());
    packed_put_number (to, "started_ms", node_started_ms (node));
    packed_put_number (to, "shards", node_shard_count (node));
    packed_put_number (to, "workers", node_worker_count (node));
    packed_put_text (to, "zmq", node_backends_address (node));
    packed_put_text (to, "door", troupe_status_name (node_door (node)));
    packed_put_name (to, "kinds");
    packed_put_array (to, registry_count (registry));
    for (uint32_t i = 0; i < registry_count (registry); i++)
        packed_put_name (to, registry_at (registry, i)->name);
}
