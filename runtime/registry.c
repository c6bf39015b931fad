/*  registry.c - the kinds of a node, checked and compiled from their tables.
 *
 *  DESIGN
 *  Tables come from integrators, also from shared objects that were loaded by
 *  name, so each is checked whole before anything runs by it: a wrong one is an
 *  error that names its line, never a surprise in a turn. A kind is compiled aside
 *  and joins the registry as the last step, which cannot fail. Kinds are blocks
 *  of their own, since verbs point back to them. Names are found by hash in small
 *  tables with a free slot always left. Readers take no lock: a kind is published by
 *  the store of its pointer, its slot and the count, in this order, each with release, and nothing is taken away
 *  or freed before the end.
 */
#include "runtime/registry.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <stdatomic.h>

#define KIND_SLOTS (2 * REGISTRY_KINDS_MAX)
#define CACHE_SIZE_MAX TROUPE_VALUE_MAX

struct registry_s {
    _Atomic uint32_t count;
    _Atomic (kind_t *) kinds[REGISTRY_KINDS_MAX];
    _Atomic uint16_t slots[KIND_SLOTS];  /* hash of the name -> index + 1 */
    uint32_t replaced_count;
    kind_t *replaced[REGISTRY_REPLACED_MAX];
    literals_t literals;
};

/* ---- names ---- */

enum { IN_KIND = 1, IN_ID = 2, IN_NAME = 4, FIRST_IN_NAME = 8 };

#define IN_ALL (IN_KIND | IN_ID | IN_NAME)
static const uint8_t classes[256] = {
    ['!' ... ','] = IN_ID,
    ['-'] = IN_ALL,
    ['.'] = IN_ID | IN_NAME,
    ['0' ... '9'] = IN_ALL | FIRST_IN_NAME,
    [':' ... '@'] = IN_ID,
    ['A' ... 'Z'] = IN_ID | IN_NAME | FIRST_IN_NAME,
    ['[' ... '^'] = IN_ID,
    ['_'] = IN_ALL,
    ['`'] = IN_ID,
    ['a' ... 'z'] = IN_ALL | FIRST_IN_NAME,
    ['{' ... '~'] = IN_ID,
};

static bool
all_of (const char *text, size_t size, uint8_t class)
{
    for (size_t at = 0; at < size; at++)
        if (!(classes[(uint8_t) text[at]] & class))
            return false;
    return true;
}

/*  What is wrong with the name of a verb or channel, or NULL. */
static const char *
name_fault (const char *name)
{
    size_t size = strlen (name);
    if (size == 0)
        return "its name is empty";
    if (size > TROUPE_NAME_MAX)
        return "its name is longer than 63 bytes";
    if (name[0] == '$')
        return "names that begin with $ are the runtime's own";
    if (!(classes[(uint8_t) name[0]] & FIRST_IN_NAME))
        return "its name must begin with a letter or a digit";
    if (!all_of (name, size, IN_NAME))
        return "its name may hold letters, digits, dot, dash and underscore only";
    return NULL;
}

static inline uint32_t
name_hash (const char *name, size_t size)
{
    return (uint32_t) hash_bytes (name, size, 0);
}

/* ---- checks of a table ---- */

static const char *
allow_fault (troupe_allow_t allow, const char *role)
{
    if ((unsigned) allow > TROUPE_ROLE)
        return "its .allow is none of TROUPE_ACTORS ... TROUPE_ROLE";
    if ((allow == TROUPE_ROLE) != (role != NULL))
        return ".allow = TROUPE_ROLE and .role belong together";
    return role && name_fault (role) ? "its .role is no name: a-z A-Z 0-9 . - _" : NULL;
}

static troupe_status_t
check_verb (const troupe_kind_t *kind, const troupe_verb_t *verb, troupe_error_t *error)
{
    const char *fault = name_fault (verb->name);
    if (!fault && !verb->run)
        fault = "it has no function to run";
    if (!fault)
        fault = allow_fault (verb->allow, verb->role);
    for (const troupe_verb_t *other = kind->verbs; !fault && other < verb; other++)
        if (strcmp (other->name, verb->name) == 0)
            fault = "it is declared twice";
    if (!fault)
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "kind %s, verb \"%.64s\": %s", kind->name, verb->name, fault);
}

static bool
is_read (const troupe_kind_t *kind, const char *name)
{
    const troupe_verb_t *verb = kind->verbs;
    while (verb && verb->name && strcmp (verb->name, name) != 0)
        verb++;
    return verb && verb->name && verb->reads;
}

static troupe_status_t
check_channel (const troupe_kind_t *kind, const troupe_channel_t *channel, troupe_error_t *error)
{
    const char *fault = name_fault (channel->name);
    if (!fault)
        fault = allow_fault (channel->allow, channel->role);
    if (!fault && (unsigned) channel->presence > TROUPE_PRESENCE_LIST)
        fault = "its .presence is none of TROUPE_PRESENCE_NONE ... TROUPE_PRESENCE_LIST";
    if (!fault && (channel->allow == TROUPE_DECIDES) != (channel->permit != NULL))
        fault = ".allow = TROUPE_DECIDES and .permit belong together";
    if (!fault && channel->permit && !is_read (kind, channel->permit))
        fault = "its .permit is not a verb of this kind that .reads";
    if (!fault && channel->snapshot && !is_read (kind, channel->snapshot))
        fault = "its .snapshot is not a verb of this kind that .reads";
    if (!fault && channel->is_volatile && (channel->keep || channel->keep_ms))
        fault = "a volatile channel keeps no history; leave out .keep and .keep_ms, or .is_volatile";
    for (const troupe_channel_t *other = kind->channels; !fault && other < channel; other++)
        if (strcmp (other->name, channel->name) == 0)
            fault = "it is declared twice";
    if (!fault)
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "kind %s, channel \"%.64s\": %s", kind->name, channel->name, fault);
}

static troupe_status_t
check_kind (const registry_t *self, const troupe_kind_t *table, bool is_there, troupe_error_t *error)
{
    if (!table || !table->name)
        return error_set (error, TROUPE_INVALID, "a kind without a name: give its table a .name");
    size_t size = strlen (table->name);
    if (size == 0 || size > TROUPE_KIND_MAX || !all_of (table->name, size, IN_KIND))
        return error_set (error, TROUPE_INVALID, "kind \"%.40s\": a name is 1 to %d of a-z 0-9 - _", table->name,
                          TROUPE_KIND_MAX);
    if (!is_there && registry_find (self, table->name, size))
        return error_set (error, TROUPE_INVALID, "kind %s: it is there already", table->name);
    if (!is_there && registry_count (self) == REGISTRY_KINDS_MAX)
        return error_set (error, TROUPE_INVALID, "kind %s: a node has at most %d kinds", table->name,
                          REGISTRY_KINDS_MAX);
    if (table->version == 0)
        return error_set (error, TROUPE_INVALID, "kind %s: its .version must be 1 or more", table->name);
    if (!table->verbs || !table->verbs[0].name)
        return error_set (error, TROUPE_INVALID, "kind %s: it has no verbs, so nothing could be said to it",
                          table->name);
    if (table->cache_size > CACHE_SIZE_MAX)
        return error_set (error, TROUPE_INVALID, "kind %s: its .cache_size is over %u bytes", table->name,
                          CACHE_SIZE_MAX);
    return TROUPE_OK;
}

/*  Checks each line and counts them. */
static troupe_status_t
check_verbs (const troupe_kind_t *table, uint16_t *count, troupe_error_t *error)
{
    *count = 0;
    for (const troupe_verb_t *verb = table->verbs; verb->name; verb++) {
        if (*count == REGISTRY_VERBS_MAX)
            return error_set (error, TROUPE_INVALID, "kind %s: it has more than %d verbs, or no { NULL } at their end",
                              table->name, REGISTRY_VERBS_MAX);
        troupe_status_t status = check_verb (table, verb, error);
        if (status != TROUPE_OK)
            return status;
        *count += 1;
    }
    return TROUPE_OK;
}

static troupe_status_t
check_channels (const troupe_kind_t *table, uint16_t *count, troupe_error_t *error)
{
    *count = 0;
    for (const troupe_channel_t *channel = table->channels; channel && channel->name; channel++) {
        if (*count == REGISTRY_CHANNELS_MAX)
            return error_set (error, TROUPE_INVALID,
                              "kind %s: it has more than %d channels, or no { NULL } at their end", table->name,
                              REGISTRY_CHANNELS_MAX);
        troupe_status_t status = check_channel (table, channel, error);
        if (status != TROUPE_OK)
            return status;
        *count += 1;
    }
    return TROUPE_OK;
}

/* ---- a compiled kind ---- */

static void
kind_destroy (kind_t **self_p)
{
    kind_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t at = 0; self->verbs && at < self->verb_count; at++)
        schema_destroy (&self->verbs[at].args);
    memory_free (self->verbs);
    memory_free (self->channels);
    memory_free (self->verb_slots);
    memory_free (self);
    *self_p = NULL;
}

/*  At most half full. */
static void
index_verb (kind_t *self, const verb_t *verb)
{
    uint32_t slot = name_hash (verb->name, verb->name_size) & self->verb_slot_mask;
    while (self->verb_slots[slot])
        slot = (slot + 1) & self->verb_slot_mask;
    self->verb_slots[slot] = (uint8_t) (verb->index + 1);
}

static troupe_status_t
compile_verb (kind_t *self, uint32_t at, troupe_error_t *error)
{
    const troupe_verb_t *table = self->table->verbs + at;
    verb_t *verb = self->verbs + at;
    verb->table = table;
    verb->name = table->name;
    verb->name_size = (uint8_t) strlen (table->name);
    verb->run = table->run;
    verb->reads = table->reads;
    verb->index = (uint8_t) at;
    verb->kind = self;
    index_verb (self, verb);
    if (!table->args)
        return TROUPE_OK;
    troupe_error_t why = { TROUPE_NO_MEMORY, "out of memory" };
    verb->args = schema_new (table->args, &why);
    if (verb->args)
        return TROUPE_OK;
    return error_set (error, why.status, "kind %s, verb \"%s\": .args: %.100s", self->name, verb->name, why.text);
}

static void
compile_channel (kind_t *self, uint32_t at)
{
    channel_t *channel = self->channels + at;
    channel->table = self->table->channels + at;
    channel->name = channel->table->name;
    channel->name_size = (uint8_t) strlen (channel->name);
    channel->index = (uint8_t) at;
}

/*  False when out of memory; what is there is kind_destroy's. */
static bool
kind_alloc (kind_t *self)
{
    uint32_t slots = 4;
    while (slots < 2u * self->verb_count)
        slots *= 2;
    self->verb_slot_mask = slots - 1;
    self->verb_slots = memory_zalloc (slots);
    self->verbs = memory_zalloc (self->verb_count * sizeof *self->verbs);
    self->channels = memory_zalloc ((self->channel_count + 1u) * sizeof *self->channels);
    return self->verb_slots && self->verbs && self->channels;
}

/*  NULL and an error. */
static kind_t *
kind_new (const troupe_kind_t *table, uint16_t verb_count, uint16_t channel_count, troupe_error_t *error)
{
    kind_t *self = memory_zalloc (sizeof *self);
    if (self) {
        self->table = table;
        self->name = table->name;
        self->name_size = (uint8_t) strlen (table->name);
        self->verb_count = verb_count;
        self->channel_count = channel_count;
    }
    if (!self || !kind_alloc (self)) {
        error_set (error, TROUPE_NO_MEMORY, "kind %s: out of memory", table->name);
        if (self)
            kind_destroy (&self);
        return NULL;
    }
    for (uint32_t at = 0; at < channel_count; at++)
        compile_channel (self, at);
    for (uint32_t at = 0; self && at < verb_count; at++)
        if (compile_verb (self, at, error) != TROUPE_OK)
            kind_destroy (&self);
    return self;
}

const verb_t *
kind_verb (const kind_t *self, const char *name, size_t size)
{
    uint32_t slot = name_hash (name, size) & self->verb_slot_mask;
    for (; self->verb_slots[slot]; slot = (slot + 1) & self->verb_slot_mask) {
        const verb_t *verb = self->verbs + self->verb_slots[slot] - 1;
        if (verb->name_size == size && memcmp (verb->name, name, size) == 0)
            return verb;
    }
    return NULL;
}

/*  One after the other: kinds have a few channels. */
const channel_t *
kind_channel (const kind_t *self, const char *name)
{
    for (uint32_t at = 0; at < self->channel_count; at++)
        if (strcmp (self->channels[at].name, name) == 0)
            return self->channels + at;
    return NULL;
}

/* ---- the registry ---- */

registry_t *
registry_new (void)
{
    return memory_zalloc (sizeof (registry_t));
}

void
registry_destroy (registry_t **self_p)
{
    CHECK (self_p);
    registry_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t at = 0; at < registry_count (self); at++) {
        kind_t *kind = self->kinds[at];
        kind_destroy (&kind);
    }
    for (uint32_t at = 0; at < self->replaced_count; at++)
        kind_destroy (self->replaced + at);
    memory_free (self);
    *self_p = NULL;
}

static void
join (registry_t *self, kind_t *kind)
{
    uint32_t slot = name_hash (kind->name, kind->name_size) % KIND_SLOTS;
    while (atomic_load_explicit (&self->slots[slot], memory_order_relaxed))
        slot = (slot + 1) % KIND_SLOTS;
    uint32_t index = registry_count (self);
    kind->index = (uint16_t) index;
    atomic_store_explicit (&self->kinds[index], kind, memory_order_release);
    atomic_store_explicit (&self->slots[slot], (uint16_t) (index + 1), memory_order_release);
    atomic_store_explicit (&self->count, index + 1, memory_order_release);
}

/*  Checks a table and compiles it; NULL and an error. `is_there`: it replaces one. */
static kind_t *
compile (registry_t *self, const troupe_kind_t *table, bool is_there, troupe_error_t *error)
{
    uint16_t verb_count = 0, channel_count = 0;
    if (check_kind (self, table, is_there, error) != TROUPE_OK || check_verbs (table, &verb_count, error) != TROUPE_OK
        || check_channels (table, &channel_count, error) != TROUPE_OK)
        return NULL;
    return kind_new (table, verb_count, channel_count, error);
}

troupe_status_t
registry_add (registry_t *self, const troupe_kind_t *table, troupe_error_t *error)
{
    troupe_error_t own;
    error = error ? error : &own;
    kind_t *kind = compile (self, table, false, error);
    if (!kind)
        return error->status;
    join (self, kind);
    for (uint32_t at = 0; at < kind->verb_count; at++)
        literals_add (&self->literals, (const void *) (uintptr_t) kind->verbs[at].run);
    return TROUPE_OK;
}

static troupe_status_t
check_replaced (const registry_t *self, const kind_t *old, const troupe_kind_t *table, troupe_error_t *error)
{
    if (!old->is_remote)
        return error_set (error, TROUPE_INVALID, "kind %s: the node itself serves it", old->name);
    if (table->version <= old->table->version)
        return error_set (error, TROUPE_MISMATCH, "kind %s: the node has version %u of it, which version %u does not "
                          "replace", old->name, old->table->version, table->version);
    if (self->replaced_count == REGISTRY_REPLACED_MAX)
        return error_set (error, TROUPE_INVALID, "kind %s: %d tables were replaced since the node started; start it "
                          "again", old->name, REGISTRY_REPLACED_MAX);
    return TROUPE_OK;
}

troupe_status_t
registry_add_remote (registry_t *self, const troupe_kind_t *table, uint32_t attempt_ms, troupe_error_t *error)
{
    const kind_t *old = table->name ? registry_find (self, table->name, strlen (table->name)) : NULL;
    troupe_status_t status = old ? check_replaced (self, old, table, error) : TROUPE_OK;
    if (status != TROUPE_OK)
        return status;
    kind_t *kind = compile (self, table, old != NULL, error);
    if (!kind)
        return error->status;
    kind->is_remote = true;
    kind->attempt_ms = attempt_ms;
    if (!old) {
        join (self, kind);
        return TROUPE_OK;
    }
    kind->index = old->index;
    self->replaced[self->replaced_count++] = self->kinds[old->index];
    atomic_store_explicit (&self->kinds[old->index], kind, memory_order_release);
    return TROUPE_OK;
}

const literals_t *
registry_literals (const registry_t *self)
{
    return &self->literals;
}

const kind_t *
registry_find (const registry_t *self, const char *name, size_t size)
{
    uint16_t place;
    for (uint32_t slot = name_hash (name, size) % KIND_SLOTS;
         (place = atomic_load_explicit (&self->slots[slot], memory_order_acquire)) != 0;
         slot = (slot + 1) % KIND_SLOTS) {
        const kind_t *kind = atomic_load_explicit (&self->kinds[place - 1], memory_order_acquire);
        if (kind->name_size == size && memcmp (kind->name, name, size) == 0)
            return kind;
    }
    return NULL;
}

const kind_t *
registry_at (const registry_t *self, uint32_t index)
{
    return index < registry_count (self) ? atomic_load_explicit (&self->kinds[index], memory_order_acquire) : NULL;
}

uint32_t
registry_count (const registry_t *self)
{
    return atomic_load_explicit (&self->count, memory_order_acquire);
}

/* ---- addresses ---- */

/*  What stands in the first pair of braces, unless that is nothing. */
static void
find_affinity (address_t *address)
{
    address->affinity = address->id;
    address->affinity_size = address->id_size;
    const char *end = address->id + address->id_size;
    const char *open = memchr (address->id, '{', address->id_size);
    const char *close = open ? memchr (open, '}', (size_t) (end - open)) : NULL;
    if (close && close > open + 1) {
        address->affinity = open + 1;
        address->affinity_size = (size_t) (close - open - 1);
    }
}

troupe_status_t
address_parse (const char *text, size_t size, address_t *address, troupe_error_t *error)
{
    const char *slash = size ? memchr (text, '/', size) : NULL;
    int shown = size > 80 ? 80 : (int) size;
    if (!slash)
        return error_set (error, TROUPE_INVALID, "address \"%.*s\": write kind/id", shown, text ? text : "");
    address_t found = { .kind = text, .kind_size = (size_t) (slash - text), .id = slash + 1 };
    found.id_size = size - found.kind_size - 1;
    if (found.kind_size == 0 || found.kind_size > TROUPE_KIND_MAX || !all_of (text, found.kind_size, IN_KIND))
        return error_set (error, TROUPE_INVALID, "address \"%.*s\": a kind is 1 to %d of a-z 0-9 - _", shown, text,
                          TROUPE_KIND_MAX);
    if (found.id_size == 0 || found.id_size > TROUPE_ID_MAX)
        return error_set (error, TROUPE_INVALID, "address \"%.*s\": an id is 1 to %d bytes", shown, text,
                          TROUPE_ID_MAX);
    if (!all_of (found.id, found.id_size, IN_ID))
        return error_set (error, TROUPE_INVALID, "address \"%.*s\": an id is printable ASCII without space and slash",
                          shown, text);
    find_affinity (&found);
    *address = found;
    return TROUPE_OK;
}

uint64_t
address_hash (const address_t *address, uint64_t hash_seed)
{
    return hash_bytes (address->affinity, address->affinity_size, hash_seed);
}
