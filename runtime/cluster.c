/*  cluster.c - which node has which shard: read, checked, told.
 *
 *  DESIGN
 *  Words parted by blanks, a line at a time. A map with a hole, an overlap or a stranger is refused as a whole: a
 *  message for a shard that nobody has would wait for ever.
 */
#include "runtime/cluster.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 5
#define LINE_MOST 1023
#define NOBODY UINT8_MAX

typedef struct {
    cluster_t *cluster;
    troupe_error_t *error;
    unsigned line;
    char *words[WORDS_MOST + 1];
    unsigned count;
} reading_t;

static troupe_status_t wrong (const reading_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static troupe_status_t
wrong (const reading_t *self, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    return error_set (self->error, TROUPE_INVALID, "map of the cluster, line %u: %s", self->line, text);
}

static bool
is_name (const char *text)
{
    size_t size = strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    return size >= 1 && size <= CLUSTER_NAME_MAX && text[size] == '\0';
}

static bool
is_address (const char *text)
{
    const char *colon = strrchr (text, ':');
    char *end = NULL;
    long port = colon ? strtol (colon + 1, &end, 10) : 0;
    return colon && colon > text && strlen (text) <= CLUSTER_ADDRESS_MAX && colon[1] >= '0' && colon[1] <= '9' && !*end
           && port >= 1 && port <= UINT16_MAX;
}

/* ---- lines ---- */

static troupe_status_t
read_shards (reading_t *self)
{
    char *end;
    unsigned long count = strtoul (self->words[1], &end, 10);
    if (self->cluster->shards)
        return wrong (self, "shards are counted twice");
    if (*end || self->words[1][0] == '-' || count < 1 || count > STATE_SHARDS_MAX)
        return wrong (self, "shards are a number from 1 to %d", STATE_SHARDS_MAX);
    self->cluster->shards = (uint32_t) count;
    return TROUPE_OK;
}

static troupe_status_t
give (reading_t *self, unsigned long first, unsigned long last)
{
    cluster_t *cluster = self->cluster;
    for (unsigned long shard = first; shard <= last; shard++) {
        if (cluster->owners[shard] != NOBODY)
            return wrong (self, "shard %lu has two nodes", shard);
        cluster->owners[shard] = (uint8_t) cluster->nodes;
    }
    return TROUPE_OK;
}

/*  "0-7,9". */
static troupe_status_t
read_ranges (reading_t *self, const char *text)
{
    for (const char *at = text;; at++) {
        char *end;
        if (*at < '0' || *at > '9')
            return wrong (self, "shards like 0-7,9 are wanted, not \"%.40s\"", text);
        unsigned long first = strtoul (at, &end, 10), last = first;
        if (*end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtoul (end + 1, &end, 10);
        if ((*end && *end != ',') || last < first)
            return wrong (self, "shards like 0-7,9 are wanted, not \"%.40s\"", text);
        if (last >= self->cluster->shards)
            return wrong (self, "there is no shard %lu of %u", last, self->cluster->shards);
        troupe_status_t status = give (self, first, last);
        if (status != TROUPE_OK || !*end)
            return status;
        at = end;
    }
}

static troupe_status_t
read_node (reading_t *self)
{
    cluster_t *cluster = self->cluster;
    const char *name = self->words[1], *address = self->words[3], *key = self->count > 4 ? self->words[4] : "";
    if (!cluster->shards)
        return wrong (self, "how many shards there are comes before the nodes");
    if (self->count < 4)
        return wrong (self, "NAME SHARDS HOST:PORT and perhaps a KEY are wanted");
    if (cluster->nodes == CLUSTER_NODES_MAX)
        return wrong (self, "a cluster has at most %d nodes", CLUSTER_NODES_MAX);
    if (!is_name (name))
        return wrong (self, "a node's name has at most %d of a-z A-Z 0-9 . - _", CLUSTER_NAME_MAX);
    for (uint32_t i = 0; i < cluster->nodes; i++)
        if (strcmp (cluster->node[i].name, name) == 0)
            return wrong (self, "there are two nodes %s", name);
    if (!is_address (address))
        return wrong (self, "HOST:PORT is wanted, not \"%.60s\"", address);
    if (*key && strlen (key) != CLUSTER_KEY_SIZE)
        return wrong (self, "the public key of a certificate has %d characters", CLUSTER_KEY_SIZE);
    if (cluster->nodes && !*key != !*cluster->node[0].key)
        return wrong (self, "all nodes have a key, or none");
    troupe_status_t status = read_ranges (self, self->words[2]);
    cluster_node_t *node = &cluster->node[cluster->nodes++];
    snprintf (node->name, sizeof node->name, "%s", name);
    snprintf (node->address, sizeof node->address, "%s", address);
    snprintf (node->key, sizeof node->key, "%s", key);
    return status;
}

static troupe_status_t
read_words (reading_t *self)
{
    const char *what = self->words[0];
    if (self->count > WORDS_MOST || (strcmp (what, "node") != 0 && self->count != 2))
        return wrong (self, "\"%.20s\" has too few words or too many", what);
    if (strcmp (what, "node") == 0)
        return read_node (self);
    if (strcmp (what, "shards") == 0)
        return read_shards (self);
    if (strcmp (what, "cluster") != 0)
        return wrong (self, "cluster, shards or node is wanted, not \"%.40s\"", what);
    if (*self->cluster->name || !is_name (self->words[1]))
        return wrong (self, "one name of at most %d of a-z A-Z 0-9 . - _ is wanted", CLUSTER_NAME_MAX);
    snprintf (self->cluster->name, sizeof self->cluster->name, "%s", self->words[1]);
    return TROUPE_OK;
}

/*  From here to the end of the line. A key may begin with #, too. */
static bool
is_comment (const reading_t *self, const char *word)
{
    return word[0] == '#' && (self->count == 0 || word[1] == '\0');
}

static troupe_status_t
read_line (reading_t *self, const char *text, size_t size)
{
    char line[LINE_MOST + 1], *rest;
    if (size > LINE_MOST)
        return wrong (self, "it is too long");
    memcpy (line, text, size);
    line[size] = '\0';
    self->count = 0;
    for (char *word = strtok_r (line, " \t\r", &rest); word && self->count <= WORDS_MOST;
         word = strtok_r (NULL, " \t\r", &rest)) {
        if (is_comment (self, word))
            break;
        self->words[self->count++] = word;
    }
    return self->count ? read_words (self) : TROUPE_OK;
}

/* ---- the whole ---- */

static troupe_status_t
check (cluster_t *self, const char *name, troupe_error_t *error)
{
    if (!*self->name || !self->shards || !self->nodes)
        return error_set (error, TROUPE_INVALID, "map of the cluster: a name, a number of shards and nodes are wanted");
    for (uint32_t i = 0; i < self->shards; i++)
        if (self->owners[i] == NOBODY)
            return error_set (error, TROUPE_INVALID, "map of the cluster: no node has shard %u", i);
    for (uint32_t i = 0; i < self->nodes; i++)
        if (strcmp (self->node[i].name, name) == 0) {
            self->self = (uint16_t) i;
            return TROUPE_OK;
        }
    return error_set (error, TROUPE_INVALID, "map of the cluster: there is no node \"%.63s\" in it (setting node)",
                      name);
}

troupe_status_t
cluster_read (cluster_t *self, const char *text, const char *name, troupe_error_t *error)
{
    reading_t reading = { .cluster = self, .error = error };
    troupe_status_t status = TROUPE_OK;
    memset (self, 0, sizeof *self);
    memset (self->owners, NOBODY, sizeof self->owners);
    while (*text && status == TROUPE_OK) {
        size_t size = strcspn (text, "\n");
        reading.line += 1;
        status = read_line (&reading, text, size);
        text += size + (text[size] == '\n');
    }
    return status == TROUPE_OK ? check (self, name, error) : status;
}

uint64_t
cluster_hash_seed (const cluster_t *self)
{
    uint64_t seed = hash_bytes (self->name, strlen (self->name), 1);
    return seed ? seed : 1;
}

uint64_t
cluster_hash (const cluster_t *self)
{
    uint64_t hash = hash_mix (cluster_hash_seed (self), self->shards);
    for (uint32_t i = 0; i < self->nodes; i++)
        hash = hash_bytes (self->node[i].name, strlen (self->node[i].name) + 1, hash);
    return hash_bytes (self->owners, self->shards, hash);
}

bool
cluster_describe (const cluster_t *self, char *text, size_t size)
{
    size_t used = (size_t) snprintf (text, size, "node %s of %s, %u shards:", self->node[self->self].name, self->name,
                                     self->shards);
    for (uint32_t first = 0, last; first < self->shards && used < size; first = last + 1) {
        for (last = first; last + 1 < self->shards && self->owners[last + 1] == self->owners[first]; last++)
            ;
        used += (size_t) snprintf (text + used, size - used, "%s %u-%u %s", first ? "," : "", first, last,
                                   self->node[self->owners[first]].name);
    }
    return used < size;
}
