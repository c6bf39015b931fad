/*  remote_table.c - tables of remote kinds, read from what workers announce.
 *
 *  DESIGN. Each object is read field by field against a list of what it may have; a field that is not in the list is
 *  refused, so that a misspelt one is noticed. Whether names, formats and flags make sense is the registry's to check,
 *  as of any other kind.
 */

#include "runtime/remote.h"

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "runtime/registry.h"

#include <stddef.h>
#include <string.h>

#define TEXT_MAX 4096  /* bytes of one text */

typedef enum { FIELD_TEXT, FIELD_U32, FIELD_U64, FIELD_BOOL, FIELD_ALLOW, FIELD_PRESENCE, FIELD_LIST } field_type_t;

typedef struct {
    const char *name;
    field_type_t type;
    size_t at;   /* in the struct */
} field_t;

typedef struct {
    remote_table_t *table;
    packed_reader_t reader;
    const char *what;      /* for texts: "a verb" */
    troupe_error_t *error;
} reading_t;

static const char *const allow_names[] = { "actors", "anyone", "signed in", "owner", "operator", "decides" };

static const char *const presence_names[] = { "none", "count", "list" };

static const field_t verb_fields[] = {
    { "name", FIELD_TEXT, offsetof (troupe_verb_t, name) },
    { "allow", FIELD_ALLOW, offsetof (troupe_verb_t, allow) },
    { "reads", FIELD_BOOL, offsetof (troupe_verb_t, reads) },
    { "args", FIELD_TEXT, offsetof (troupe_verb_t, args) },
    { "gives", FIELD_TEXT, offsetof (troupe_verb_t, gives) },
    { "budget_ms", FIELD_U32, offsetof (troupe_verb_t, budget_ms) },
    { "doc", FIELD_TEXT, offsetof (troupe_verb_t, doc) },
    { NULL }
};

static const field_t channel_fields[] = {
    { "name", FIELD_TEXT, offsetof (troupe_channel_t, name) },
    { "keep", FIELD_U32, offsetof (troupe_channel_t, keep) },
    { "keep_ms", FIELD_U64, offsetof (troupe_channel_t, keep_ms) },
    { "volatile", FIELD_BOOL, offsetof (troupe_channel_t, is_volatile) },
    { "conflates", FIELD_BOOL, offsetof (troupe_channel_t, conflates) },
    { "rate", FIELD_U32, offsetof (troupe_channel_t, rate) },
    { "snapshot", FIELD_TEXT, offsetof (troupe_channel_t, snapshot) },
    { "allow", FIELD_ALLOW, offsetof (troupe_channel_t, allow) },
    { "permit", FIELD_TEXT, offsetof (troupe_channel_t, permit) },
    { "presence", FIELD_PRESENCE, offsetof (troupe_channel_t, presence) },
    { "doc", FIELD_TEXT, offsetof (troupe_channel_t, doc) },
    { NULL }
};

static const field_t kind_fields[] = {
    { "kind", FIELD_TEXT, offsetof (remote_table_t, kind.name) },
    { "version", FIELD_U32, offsetof (remote_table_t, kind.version) },
    { "doc", FIELD_TEXT, offsetof (remote_table_t, kind.doc) },
    { "attempt_ms", FIELD_U32, offsetof (remote_table_t, attempt_ms) },
    { "verbs", FIELD_LIST, offsetof (remote_table_t, kind.verbs) },
    { "channels", FIELD_LIST, offsetof (remote_table_t, kind.channels) },
    { NULL }
};

/* ---- one field ---- */

static troupe_status_t
bad (const reading_t *reading, const char *name, const char *fault)
{
    const char *kind = reading->table->kind.name;
    return error_set (reading->error, TROUPE_INVALID, "the table of kind \"%.40s\", %s, \"%.40s\": %s",
                      kind ? kind : "", reading->what, name, fault);
}

static troupe_status_t
read_text (reading_t *reading, const field_t *field, const packed_value_t *value, const char **place)
{
    if (value->type != PACKED_STRING || memchr (value->string.bytes, 0, value->string.size))
        return bad (reading, field->name, "a text without NUL is wanted");
    if (value->string.size > TEXT_MAX)
        return bad (reading, field->name, "the text is too long");
    *place = arena_string (&reading->table->arena, value->string.bytes, value->string.size);
    return *place ? TROUPE_OK : error_set (reading->error, TROUPE_NO_MEMORY, "no memory for the table of a kind");
}

static troupe_status_t
read_number (const reading_t *reading, const field_t *field, const packed_value_t *value, uint64_t most,
             uint64_t *number)
{
    if (value->type != PACKED_INT || value->integer < 0 || (uint64_t) value->integer > most)
        return bad (reading, field->name, "a whole number is wanted that is neither negative nor too large");
    *number = (uint64_t) value->integer;
    return TROUPE_OK;
}

/*  Which of so many names it is; `count`: none. */
static unsigned
name_in (const packed_value_t *value, const char *const *names, unsigned count)
{
    unsigned i = 0;
    while (i < count
           && (value->type != PACKED_STRING || strlen (names[i]) != value->string.size
               || memcmp (names[i], value->string.bytes, value->string.size) != 0))
        i += 1;
    return i;
}

static troupe_status_t
read_allow (reading_t *reading, const field_t *field, const packed_value_t *value, troupe_allow_t *allow)
{
    unsigned count = sizeof allow_names / sizeof *allow_names, index = name_in (value, allow_names, count);
    *allow = (troupe_allow_t) index;
    return index < count ? TROUPE_OK
           : bad (reading, field->name, "it is none of actors, anyone, signed in, owner, operator, decides");
}

static troupe_status_t
read_presence (reading_t *reading, const field_t *field, const packed_value_t *value, troupe_presence_t *presence)
{
    unsigned count = sizeof presence_names / sizeof *presence_names, index = name_in (value, presence_names, count);
    *presence = (troupe_presence_t) index;
    return index < count ? TROUPE_OK : bad (reading, field->name, "it is none of none, count, list");
}

static troupe_status_t read_list (reading_t *reading, const field_t *field, const packed_value_t *value, void *place);

static troupe_status_t
read_field (reading_t *reading, const field_t *field, void *base)
{
    packed_value_t value;
    uint64_t number = 0;
    troupe_status_t status;
    void *place = (char *) base + field->at;
    if (!packed_next (&reading->reader, &value))
        return bad (reading, field->name, "it is cut short");
    switch (field->type) {
    case FIELD_TEXT:
        return read_text (reading, field, &value, place);
    case FIELD_ALLOW:
        return read_allow (reading, field, &value, place);
    case FIELD_PRESENCE:
        return read_presence (reading, field, &value, place);
    case FIELD_LIST:
        return read_list (reading, field, &value, place);
    case FIELD_BOOL:
        *(bool *) place = value.type == PACKED_BOOL && value.truth;
        return value.type == PACKED_BOOL ? TROUPE_OK : bad (reading, field->name, "true or false is wanted");
    case FIELD_U32:
        status = read_number (reading, field, &value, UINT32_MAX, &number);
        *(uint32_t *) place = (uint32_t) number;
        return status;
    default:
        status = read_number (reading, field, &value, TROUPE_TIME_MAX, &number);
        *(uint64_t *) place = number;
        return status;
    }
}

/* ---- objects and lists ---- */

static troupe_status_t
read_object (reading_t *reading, const field_t *fields, const char *what, void *base)
{
    packed_value_t object, name;
    const char *outer = reading->what;
    reading->what = what;
    if (!packed_next (&reading->reader, &object) || object.type != PACKED_OBJECT)
        return bad (reading, "", "an object is wanted");
    for (uint32_t i = 0; i < object.count; i++) {
        const field_t *field = fields;
        char text[41] = "";
        if (!packed_next (&reading->reader, &name) || name.type != PACKED_STRING)
            return bad (reading, "", "a name is wanted");
        memcpy (text, name.string.bytes, name.string.size < 40 ? name.string.size : 40);
        while (field->name && (strlen (field->name) != name.string.size || strcmp (field->name, text) != 0))
            field++;
        if (!field->name)
            return bad (reading, text, "there is no such field");
        troupe_status_t status = read_field (reading, field, base);
        if (status != TROUPE_OK)
            return status;
    }
    reading->what = outer;
    return TROUPE_OK;
}

static troupe_status_t
read_list (reading_t *reading, const field_t *field, const packed_value_t *value, void *place)
{
    bool is_verbs = strcmp (field->name, "verbs") == 0;
    const field_t *fields = is_verbs ? verb_fields : channel_fields;
    size_t size = is_verbs ? sizeof (troupe_verb_t) : sizeof (troupe_channel_t);
    uint32_t most = is_verbs ? REGISTRY_VERBS_MAX : REGISTRY_CHANNELS_MAX;
    if (value->type != PACKED_ARRAY || value->count > most)
        return bad (reading, field->name, "an array is wanted, and not so long a one");
    char *lines = arena_alloc (&reading->table->arena, (value->count + 1) * size);
    if (!lines)
        return error_set (reading->error, TROUPE_NO_MEMORY, "no memory for the table of a kind");
    memset (lines, 0, (value->count + 1) * size);
    *(void **) place = lines;
    for (uint32_t i = 0; i < value->count; i++) {
        troupe_status_t status = read_object (reading, fields, is_verbs ? "a verb" : "a channel", lines + i * size);
        if (status != TROUPE_OK)
            return status;
        if (!*(const char **) (lines + i * size))
            return bad (reading, field->name, "one has no name");
        if (is_verbs)
            ((troupe_verb_t *) lines)[i].run = remote_turn;
    }
    return TROUPE_OK;
}

static troupe_status_t
read_all (reading_t *reading)
{
    remote_table_t *table = reading->table;
    troupe_status_t status = read_object (reading, kind_fields, "the kind", table);
    if (status != TROUPE_OK)
        return status;
    if (!table->kind.name)
        return bad (reading, "kind", "it is missing");
    if (table->attempt_ms == 0)
        table->attempt_ms = REMOTE_ATTEMPT_MS;
    bool is_long = table->attempt_ms > REMOTE_ATTEMPT_MAX_MS;
    for (const troupe_verb_t *verb = table->kind.verbs; verb && verb->name; verb++)
        is_long = is_long || verb->budget_ms > REMOTE_ATTEMPT_MAX_MS;
    return is_long ? bad (reading, "attempt_ms", "an attempt may last an hour at most") : TROUPE_OK;
}

remote_table_t *
remote_table_read (const void *packed, size_t size, troupe_error_t *error)
{
    if (size == 0 || size > REMOTE_TABLE_MAX) {
        error_set (error, TROUPE_TOO_LARGE, "the table of a kind has 1 to %u bytes, not %zu", REMOTE_TABLE_MAX, size);
        return NULL;
    }
    troupe_status_t status = packed_check (packed, size, PACKED_DEPTH_MAX);
    remote_table_t *table = status == TROUPE_OK ? memory_zalloc (sizeof *table) : NULL;
    if (!table) {
        if (status == TROUPE_INVALID)
            error_set (error, status, "the table of a kind is no good MessagePack");
        else
            error_set (error, TROUPE_NO_MEMORY, "no memory for the table of a kind");
        return NULL;
    }
    reading_t reading = { .table = table, .reader = { packed, (const uint8_t *) packed + size }, .error = error };
    if (read_all (&reading) != TROUPE_OK)
        remote_table_destroy (&table);
    return table;
}

void
remote_table_destroy (remote_table_t **self_p)
{
    remote_table_t *self = *self_p;
    if (!self)
        return;
    arena_clear (&self->arena);
    memory_free (self);
    *self_p = NULL;
}

/* ---- compared ---- */

static bool
is_same_text (const char *one, const char *other)
{
    return strcmp (one ? one : "", other ? other : "") == 0;
}

static bool
is_same_line (const field_t *fields, const void *one, const void *other)
{
    bool is_same = true;
    for (const field_t *field = fields; field->name && is_same; field++) {
        const char *left = (const char *) one + field->at, *right = (const char *) other + field->at;
        if (field->type == FIELD_TEXT)
            is_same = strcmp (field->name, "doc") == 0
                      || is_same_text (*(const char *const *) left, *(const char *const *) right);
        else {
            size_t size = field->type == FIELD_BOOL   ? sizeof (bool)
                          : field->type == FIELD_U64 ? sizeof (uint64_t)
                                                     : sizeof (uint32_t);
            is_same = memcmp (left, right, size) == 0;
        }
    }
    return is_same;
}

bool
remote_table_is_same (const troupe_kind_t *one, uint32_t one_attempt_ms, const troupe_kind_t *other,
                      uint32_t other_attempt_ms)
{
    static const troupe_channel_t none[1];
    const troupe_verb_t *verb = one->verbs, *other_verb = other->verbs;
    const troupe_channel_t *channel = one->channels ? one->channels : none;
    const troupe_channel_t *other_channel = other->channels ? other->channels : none;
    if (!is_same_text (one->name, other->name) || one->version != other->version
        || one_attempt_ms != other_attempt_ms || !verb || !other_verb)
        return false;
    while (verb->name && other_verb->name && is_same_line (verb_fields, verb, other_verb)) {
        verb++;
        other_verb++;
    }
    while (channel->name && other_channel->name && is_same_line (channel_fields, channel, other_channel)) {
        channel++;
        other_channel++;
    }
    return !verb->name && !other_verb->name && !channel->name && !other_channel->name;
}
