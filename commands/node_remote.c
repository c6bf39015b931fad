/*  node_remote.c - kinds that workers outside of the process serve, as the node keeps them.
 *
 *  DESIGN
 *  A table is announced by a worker and kept in STORE/remote/NAME.json, written anew under another name, synced and
 *  renamed, so that a node that starts again knows the kind before any worker comes. It is no part of the ordered
 *  map: it says nothing of an actor, and the next worker announces it again anyway, also to a store that was restored
 *  from a backup without it. Then shards hear of it, each by an errand. Announcing is rare; one lock is enough.
 */
#include "commands/node_parts.h"

#include "commands/log.h"
#include "commands/node_kind.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "storage/disk.h"
#include "storage/files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDER "remote"
#define ENDING ".json"
#define FRESH "fresh"  /* the file that becomes the next table */

/* ------------------------------------------------------------------ *
 *  Files
 * ------------------------------------------------------------------ */

static troupe_status_t
sync_store (const troupe_t *self, troupe_error_t *error)
{
    disk_t *store = disk_posix_new (self->settings.store, error);
    troupe_status_t status = store ? store->sync_names (store->self, error) : error->status;
    disk_posix_destroy (&store);
    return status;
}

/*  STORE/remote, made when it is not there; NULL and an error. */
static disk_t *
open_folder (const troupe_t *self, troupe_error_t *error)
{
    char path[PATH_MAX];
    if (snprintf (path, sizeof path, "%s/" FOLDER, self->settings.store) >= (int) sizeof path) {
        error_set (error, TROUPE_INVALID, "the path of the store is too long");
        return NULL;
    }
    if (mkdir (path, 0700) != 0 && errno != EEXIST) {
        files_error (error, errno, "make the directory", path);
        return NULL;
    }
    return sync_store (self, error) == TROUPE_OK ? disk_posix_new (path, error) : NULL;
}

static troupe_status_t
write_file (disk_t *disk, const char *name, const buffer_t *text, troupe_error_t *error)
{
    disk_file_t *file;
    (void) disk->remove (disk->self, FRESH, NULL);
    troupe_status_t status = disk->open (disk->self, FRESH, true, &file, error);
    if (status != TROUPE_OK)
        return status;
    status = disk->write (disk->self, file, 0, text->data, text->size, error);
    if (status == TROUPE_OK)
        status = disk->sync (disk->self, file, error);
    disk->close (disk->self, &file);
    if (status == TROUPE_OK)
        status = disk->rename (disk->self, FRESH, name, error);
    return status == TROUPE_OK ? disk->sync_names (disk->self, error) : status;
}

static troupe_status_t
save (const troupe_t *self, remote_table_t *table, const void *packed, size_t size, troupe_error_t *error)
{
    buffer_t text = { 0 };
    char name[TROUPE_KIND_MAX + sizeof ENDING];
    snprintf (name, sizeof name, "%s" ENDING, table->kind.name);
    troupe_status_t status = json_from_packed (packed, size, &text, error);
    disk_t *disk = status == TROUPE_OK ? open_folder (self, error) : NULL;
    status = disk ? write_file (disk, name, &text, error) : error->status;
    disk_posix_destroy (&disk);
    buffer_clear (&text);
    table->is_saved = status == TROUPE_OK;
    return status;
}

/* ------------------------------------------------------------------ *
 *  What is kept
 * ------------------------------------------------------------------ */

/*  Takes the table when it joins the registry, else frees it. */
static troupe_status_t
join (troupe_t *self, remote_table_t *table, troupe_error_t *error)
{
    const char *name = table->kind.name;
    troupe_status_t status;
    if (strcmp (name, NODE_KIND) == 0)
        status = error_set (error, TROUPE_INVALID, "the kind " NODE_KIND " is the node itself: take another name");
    else if (self->table_count == REMOTE_KINDS_MAX && !registry_find (self->registry, name, strlen (name)))
        status = error_set (error, TROUPE_INVALID, "kind %s: a node has at most %d remote kinds", name,
                            REMOTE_KINDS_MAX);
    else {
        bool is_new = !registry_find (self->registry, name, strlen (name));
        status = registry_add_remote (self->registry, &table->kind, table->attempt_ms, error);
        self->table_count += status == TROUPE_OK && is_new;
    }
    if (status != TROUPE_OK) {
        remote_table_destroy (&table);
        return status;
    }
    table->next = self->tables;
    self->tables = table;
    return TROUPE_OK;
}

typedef struct {
    troupe_t *node;
    disk_t *disk;
} loading_t;

/*  A table that cannot be read holds up nobody: its workers announce it again. */
static troupe_status_t
load_one (const loading_t *loading, const char *name, troupe_error_t *error)
{
    const disk_t *disk = loading->disk;
    disk_file_t *file;
    uint64_t size = 0;
    troupe_status_t status = disk->open (disk->self, name, false, &file, error);
    if (status != TROUPE_OK)
        return status;
    buffer_t packed = { 0 };
    status = disk->size (disk->self, file, &size, error);
    if (status == TROUPE_OK && (size == 0 || size > REMOTE_TABLE_MAX))
        status = error_set (error, TROUPE_TOO_LARGE, "it has 1 to %u bytes", REMOTE_TABLE_MAX);
    char *text = status == TROUPE_OK ? memory_alloc (size) : NULL;
    if (status == TROUPE_OK)
        status = text ? disk->read (disk->self, file, 0, text, size, error)
                      : error_set (error, TROUPE_NO_MEMORY, "no memory for it");
    if (status == TROUPE_OK)
        status = json_to_packed (text, size, &packed, error);
    remote_table_t *table = status == TROUPE_OK ? remote_table_read (packed.data, packed.size, error) : NULL;
    if (table)
        table->is_saved = true;
    status = table ? join (loading->node, table, error) : error->status;
    memory_free (text);
    buffer_clear (&packed);
    disk->close (disk->self, &file);
    return status;
}

static bool
load_named (void *arg, const char *name)
{
    size_t size = strlen (name), ending = strlen (ENDING);
    troupe_error_t error = { TROUPE_OK, "" };
    if (size > ending && strcmp (name + size - ending, ENDING) == 0 && load_one (arg, name, &error) != TROUPE_OK)
        log_warning ("the table of a remote kind in " FOLDER "/%s is left out: %s", name, error.text);
    return true;
}

troupe_status_t
node_load_tables (troupe_t *self, troupe_error_t *error)
{
    if (!self->remote)
        return TROUPE_OK;
    loading_t loading = { self, open_folder (self, error) };
    if (!loading.disk)
        return error->status;
    troupe_status_t status = loading.disk->each_name (loading.disk->self, load_named, &loading, error);
    disk_posix_destroy (&loading.disk);
    return status;
}

void
node_drop_tables (troupe_t *self)
{
    for (remote_table_t *table = self->tables, *next; table; table = next) {
        next = table->next;
        remote_table_destroy (&table);
    }
    self->tables = NULL;
}

/* ------------------------------------------------------------------ *
 *  What the transport calls
 * ------------------------------------------------------------------ */

typedef struct {
    errand_t errand;
    char kind[TROUPE_KIND_MAX + 1];
    bool has_room;   /* else it has a new table */
} news_t;

static void
hear (shard_t *shard, errand_t *errand)
{
    const news_t *news = (const news_t *) errand;
    if (shard && news->has_room)
        shard_remote_ready (shard, news->kind);
    else if (shard)
        shard_renew_kind (shard, news->kind);
    memory_free (errand);
}

static void
tell_shards (troupe_t *self, const char *kind, bool has_room)
{
    for (uint32_t i = 0; i < self->shards; i++) {
        news_t *news = memory_zalloc (sizeof *news);
        if (!news)
            continue;
        *news = (news_t) { .errand = { .letter.type = LETTER_ERRAND, .run = hear }, .has_room = has_room };
        snprintf (news->kind, sizeof news->kind, "%s", kind);
        if (!node_post (self, (uint16_t) i, &news->errand.letter))
            memory_free (news);
    }
}

static troupe_status_t
announce (void *self_, const void *packed, size_t size, troupe_error_t *error)
{
    troupe_t *self = self_;
    remote_table_t *table = remote_table_read (packed, size, error);
    if (!table)
        return error->status;
    pthread_mutex_lock (&self->announcing);
    troupe_status_t status = TROUPE_OK;
    const kind_t *kind = registry_find (self->registry, table->kind.name, strlen (table->kind.name));
    if (kind && kind->is_remote
        && remote_table_is_same (kind->table, kind->attempt_ms, &table->kind, table->attempt_ms)) {
        remote_table_destroy (&table);
        table = (remote_table_t *) (uintptr_t) kind->table;
    } else {
        status = join (self, table, error);
        if (status == TROUPE_OK)
            tell_shards (self, table->kind.name, false);
    }
    if (status == TROUPE_OK && !table->is_saved)
        status = save (self, table, packed, size, error);
    pthread_mutex_unlock (&self->announcing);
    return status;
}

static void
outcome (void *self, const char *address, const remote_token_t *token, const remote_outcome_t *told)
{
    uint16_t shard;
    if (node_shard_of (self, address, &shard, NULL) != TROUPE_OK)
        return;
    remote_letter_t *letter = remote_letter_new (address, token, told);
    if (letter && !node_post (self, shard, &letter->letter))
        memory_free (letter);
}

static void
ready (void *self, const char *kind)
{
    tell_shards (self, kind, true);
}

void
node_serve_remote (troupe_t *self, const remote_port_t *port)
{
    CHECK (node_state (self) == NODE_NEW);
    self->remote = port;
}

remote_host_t
node_remote_host (troupe_t *self)
{
    return (remote_host_t) { .self = self, .boot = self->boot, .announce = announce, .outcome = outcome,
                             .ready = ready };
}
