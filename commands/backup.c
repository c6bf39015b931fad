/*  backup.c - `troupe backup DIR`: a restorable, checked copy of the store.
 *
 *  DESIGN
 *  A running node makes it itself, beside its work: no second process may open
 *  the state (rule 21). When no node runs, the store is opened here, recovered
 *  as a node would, and copied; its lock says whether anybody runs. The frames
 *  that recovery hands out are kept until the fold is done with them.
 */
#include "commands/remote.h"
#include "runtime/body/json.h"
#include "runtime/keys.h"
#include "storage/store.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS (24ull * 60 * 60 * 1000)

static void
tell (void *arg, const char *line)
{
    (void) arg;
    printf ("%s\n", line);
}

/* ---- by the node ---- */

/*  Absolute, since the node's working directory is another. */
static bool
absolute (const char *path, char *whole, size_t size)
{
    char here[PATH_MAX];
    if (path[0] == '/')
        return snprintf (whole, size, "%s", path) < (int) size;
    return getcwd (here, sizeof here) && snprintf (whole, size, "%s/%s", here, path) < (int) size;
}

static int
ask_node (const invocation_t *invocation, client_t *client)
{
    char path[PATH_MAX];
    client_answer_t answer;
    troupe_error_t error;
    uint64_t tag;
    if (!absolute (invocation->words[0], path, sizeof path))
        return command_fail (invocation, EXIT_USAGE, "the path is too long: %s", invocation->words[0]);
    packed_put_text (client_begin (client, "backup", 1, &tag), "directory", path);
    if (client_ask (client, &answer, PATIENCE_MS, &error) != TROUPE_OK)
        return remote_fail (invocation, &error);
    if (answer.status != TROUPE_OK)
        return remote_fail_answer (invocation, &answer);
    json_t *lines = json_tree_from_packed (answer.body, answer.size, NULL);
    fputs (json_is_string (lines) ? json_string_value (lines) : "", stdout);
    json_decref (lines);
    return EXIT_OK;
}

/* ---- at rest ---- */

static void
ignore_news (void *arg, uint16_t shard, uint64_t frame)
{
    (void) arg;
    (void) shard;
    (void) frame;
}

/*  The frames above the state's marks, linked by next_in_shard. */
static troupe_status_t
keep_frame (void *arg, frame_t *frame)
{
    frame_t **frames = arg;
    frame->next_in_shard = *frames;
    *frames = frame;
    return TROUPE_OK;
}

static int
copy_at_rest (const invocation_t *invocation)
{
    const settings_t *settings = &invocation->settings;
    store_options_t options = {
        .directory = settings->store,
        .of_any_node = true,
        .map_bytes = settings->map_bytes,
        .segment_size = settings->segment_bytes,
        .tables = KEY_TABLES,
        .on_taken = ignore_news,
        .on_durable = ignore_news,
        .on_folded = ignore_news
    };
    troupe_error_t error;
    frame_t *frames = NULL;
    store_t *store = store_open (&options, &error);
    if (!store)
        return command_fail_error (invocation, &error);
    troupe_status_t status = store_recover (store, keep_frame, &frames, &error);
    if (status == TROUPE_OK)
        status = store_backup (store, invocation->words[0], NULL, NULL, tell, NULL, &error);
    store_close (&store);
    while (frames) {
        frame_t *next = frames->next_in_shard;
        frame_destroy (&frames);
        frames = next;
    }
    return status == TROUPE_OK ? EXIT_OK : command_fail_error (invocation, &error);
}

static int
run (invocation_t *invocation)
{
    char path[SETTINGS_TEXT_MAX + 16];
    troupe_error_t error;
    client_t *client = client_new (settings_control (&invocation->settings, path, sizeof path), &error);
    if (!client && error.status != TROUPE_NOT_FOUND)
        return remote_fail (invocation, &error);
    int code = client ? ask_node (invocation, client) : copy_at_rest (invocation);
    client_destroy (&client);
    return code;
}

const command_t command_backup = {
    .name = "backup",
    .words = "DIR",
    .least = 1,
    .most = 1,
    .summary = "make a checked copy of the store, while the node runs or not",
    .help = "DIR is made and may hold no store. `restore` makes a store out of it.\n",
    .run = run
};
