/*  requests.c - what a node can be asked over the control socket.
 *
 *  DESIGN
 *  The control thread must not wait, so a request goes one of four ways:
 *    - answered at once, from what any thread may read;
 *    - submitted as a call, and answered by its completion on a shard's thread;
 *    - gathered on one shard or all of them (gather.h);
 *    - a job that takes long (backup, checkpoint): a thread of its own, one at a time.
 *  Each way ends with request_finish, exactly once, also when the node stops.
 */
#include "commands/requests.h"

#include "commands/describe.h"
#include "commands/figures.h"
#include "commands/gather.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define LIST_DEFAULT 100
#define LIST_MOST 1000
#define PATH_SIZE 1024

typedef struct job_s job_t;

struct requests_s {
    /* fixed after start */
    troupe_t *node;
    void (*stop) (void *arg);
    void *stop_arg;

    /* owner: control thread; after it ended, who calls requests_quiet */
    job_t *job;  /* the latest */
};

static void
finish_with (request_t *request, troupe_status_t status, const char *text)
{
    error_set (&request->error, status, "%s", text);
    request_finish (request);
}

/*  An optional field; false: of another type, and the request is finished. */
static bool
may_have_number (request_t *request, const wire_message_t *message, const char *name, uint64_t *number)
{
    if (wire_number (message, name, number, &request->error) != TROUPE_INVALID) {
        request->error.status = TROUPE_OK;
        return true;
    }
    request_finish (request);
    return false;
}

static bool
must_have_number (request_t *request, const wire_message_t *message, const char *name, uint64_t *number)
{
    if (wire_number (message, name, number, &request->error) == TROUPE_OK)
        return true;
    request->error.status = TROUPE_INVALID;
    request_finish (request);
    return false;
}

static bool
must_have_text (request_t *request, const wire_message_t *message, const char *name, char *text, size_t size)
{
    if (wire_text (message, name, text, size, &request->error) == TROUPE_OK)
        return true;
    request->error.status = TROUPE_INVALID;
    request_finish (request);
    return false;
}

/* ------------------------------------------------------------------ *
 *  At once
 * ------------------------------------------------------------------ */

static void
do_hello (requests_t *self, request_t *request, const wire_message_t *message)
{
    (void) message;
    describe_node (self->node, &request->body);
    request_finish (request);
}

static void
do_kinds (requests_t *self, request_t *request, const wire_message_t *message)
{
    (void) message;
    describe_kinds (node_registry (self->node), &request->body);
    request_finish (request);
}

static void
do_metrics (requests_t *self, request_t *request, const wire_message_t *message)
{
    (void) message;
    figures_put (self->node, &request->body);
    request_finish (request);
}

static void
do_stop (requests_t *self, request_t *request, const wire_message_t *message)
{
    (void) message;
    request_finish (request);
    self->stop (self->stop_arg);
}

/* ------------------------------------------------------------------ *
 *  Calls
 * ------------------------------------------------------------------ */

/*  On a thread of the node. */
static void
answer_call (void *arg, const troupe_answer_t *answer)
{
    request_t *request = arg;
    request->error.status = answer->status;
    if (answer->status != TROUPE_OK)  /* a crash's text goes on with a backtrace, which is for `dead show` */
        error_set (&request->error, answer->status, "%.*s", (int) strcspn (answer->text, "\n"), answer->text);
    request->retry_after_ms = answer->retry_after_ms;
    buffer_append (&request->body, answer->body, answer->size);
    request_finish (request);
}

typedef struct {
    char to[TROUPE_ADDRESS_MAX + 1];
    char verb[TROUPE_NAME_MAX + 1];
    char subject[256];
    char trace[256];
} call_texts_t;

static troupe_status_t
read_session (const wire_message_t *message, troupe_call_t *call, troupe_error_t *error)
{
    const uint8_t *bytes;
    size_t size;
    troupe_status_t status = wire_bytes (message, "session", &bytes, &size, error);
    if (status == TROUPE_NOT_FOUND)
        return TROUPE_OK;
    if (status != TROUPE_OK)
        return status;
    if (size != sizeof call->session)
        return error_set (error, TROUPE_INVALID, "the field \"session\": 16 bytes are wanted");
    memcpy (call->session, bytes, size);
    return wire_number (message, "seq", &call->seq, error);
}

static troupe_status_t
read_call (const wire_message_t *message, call_texts_t *texts, troupe_call_t *call, troupe_error_t *error)
{
    const uint8_t *body = NULL;
    size_t size = 0;
    troupe_status_t status = wire_text (message, "to", texts->to, sizeof texts->to, error);
    if (status == TROUPE_OK)
        status = wire_text (message, "verb", texts->verb, sizeof texts->verb, error);
    if (status == TROUPE_OK)
        status = read_session (message, call, error);
    if (status != TROUPE_OK)
        return status;
    troupe_status_t subject = wire_text (message, "subject", texts->subject, sizeof texts->subject, error);
    troupe_status_t trace = wire_text (message, "trace", texts->trace, sizeof texts->trace, error);
    if (subject == TROUPE_INVALID || trace == TROUPE_INVALID
        || wire_bytes (message, "body", &body, &size, error) == TROUPE_INVALID
        || wire_flag (message, "ordered", &call->ordered, error) == TROUPE_INVALID
        || wire_number (message, "not_after_ms", &call->not_after_ms, error) == TROUPE_INVALID)
        return TROUPE_INVALID;
    call->to = texts->to;
    call->verb = texts->verb;
    call->subject = subject == TROUPE_OK ? texts->subject : NULL;
    call->trace = trace == TROUPE_OK ? texts->trace : NULL;
    call->body = body;
    call->size = size;
    return TROUPE_OK;
}

static void
do_call (requests_t *self, request_t *request, const wire_message_t *message)
{
    call_texts_t texts;
    troupe_call_t call = { .done = answer_call, .arg = request };
    troupe_error_t error;
    if (read_call (message, &texts, &call, &error) != TROUPE_OK)
        finish_with (request, TROUPE_INVALID, error.text);
    else if (troupe_submit (self->node, &call, &error) != TROUPE_OK)
        finish_with (request, error.status, error.text);
}

/* ------------------------------------------------------------------ *
 *  Gathered on shards
 * ------------------------------------------------------------------ */

static bool
read_most (request_t *request, const wire_message_t *message, uint32_t *most)
{
    uint64_t wanted = LIST_DEFAULT;
    if (!may_have_number (request, message, "most", &wanted))
        return false;
    *most = (uint32_t) (wanted < LIST_MOST ? wanted : LIST_MOST);
    return true;
}

/* ---- of one actor ---- */

static void
visit_actor (requests_t *self, gather_t *gather)
{
    uint16_t shard;
    request_t *request = gather->request;
    if (node_shard_of (self->node, gather->address, &shard, &request->error) == TROUPE_OK)
        gather_send (self->node, gather, shard);
    else
        gather_give_up (&gather);
}

/*  An actor, or else all shards. */
static uint32_t
visits_of (const requests_t *self, const char *address)
{
    return strchr (address, '/') ? 1 : node_shard_count (self->node);
}

static void
visit_all_meant (requests_t *self, gather_t *gather)
{
    if (strchr (gather->address, '/'))
        visit_actor (self, gather);
    else
        gather_send (self->node, gather, 0);
}

static troupe_status_t
look_inspect (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    return shard_inspect (shard, gather->address, gather->most, packed, error);
}

static void
do_inspect (requests_t *self, request_t *request, const wire_message_t *message)
{
    char address[TROUPE_ADDRESS_MAX + 1];
    uint32_t most;
    if (!must_have_text (request, message, "to", address, sizeof address) || !read_most (request, message, &most))
        return;
    gather_t *gather = gather_new (request, 1);
    if (!gather)
        return;
    gather->look = look_inspect;
    gather->most = most;
    memcpy (gather->address, address, sizeof address);
    visit_actor (self, gather);
}

static troupe_status_t
look_revive (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    (void) packed;
    return strchr (gather->address, '/') ? shard_revive (shard, gather->address, error)
                                         : shard_revive_kind (shard, gather->address, error);
}

static void
do_revive (requests_t *self, request_t *request, const wire_message_t *message)
{
    char address[TROUPE_ADDRESS_MAX + 1];
    if (!must_have_text (request, message, "to", address, sizeof address))
        return;
    gather_t *gather = gather_new (request, visits_of (self, address));
    if (!gather)
        return;
    gather->look = look_revive;
    memcpy (gather->address, address, sizeof address);
    visit_all_meant (self, gather);
}

/*  On a thread of the node. */
static void
answer_feed (void *arg, troupe_status_t status, const char *text, const void *packed, size_t size)
{
    request_t *request = arg;
    request->error.status = status;
    if (status == TROUPE_OK)
        buffer_append (&request->body, packed, size);
    else
        error_set (&request->error, status, "%s", text);
    request_finish (request);
}

static void
do_feed (requests_t *self, request_t *request, const wire_message_t *message)
{
    char feed[TROUPE_ADDRESS_MAX + TROUPE_NAME_MAX + 2];
    uint32_t most;
    uint64_t from = 0;
    if (!must_have_text (request, message, "feed", feed, sizeof feed) || !read_most (request, message, &most)
        || !may_have_number (request, message, "from", &from))
        return;
    char *slash = strrchr (feed, '/');
    if (!slash || slash == strchr (feed, '/') || slash - feed > TROUPE_ADDRESS_MAX
        || strlen (slash + 1) > TROUPE_NAME_MAX) {
        finish_with (request, TROUPE_INVALID, "a feed is named kind/id/channel");
        return;
    }
    *slash = '\0';
    troupe_error_t error;
    if (node_read_feed (self->node, feed, slash + 1, from, most, answer_feed, request, &error) != TROUPE_OK)
        finish_with (request, error.status, error.text);
}

/* ---- of one shard, or of all ---- */

static troupe_status_t
look_hot (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    return shard_hot (shard, gather->number, gather->most, packed, error);
}

static void
do_hot (requests_t *self, request_t *request, const wire_message_t *message)
{
    uint32_t most;
    char by[8] = "turns";
    if (!read_most (request, message, &most))
        return;
    troupe_status_t status = wire_text (message, "by", by, sizeof by, &request->error);
    request->error.status = TROUPE_OK;
    bool by_mail = strcmp (by, "mail") == 0;
    if (status == TROUPE_INVALID || (!by_mail && strcmp (by, "turns") != 0)) {
        finish_with (request, TROUPE_INVALID, "the field \"by\": \"turns\" or \"mail\" is wanted");
        return;
    }
    gather_t *gather = gather_new (request, node_shard_count (self->node));
    if (!gather)
        return;
    gather->look = look_hot;
    gather->is_list = true;
    gather->most = most;
    gather->number = by_mail ? HOT_BY_MAIL : HOT_BY_TURNS;
    gather_send (self->node, gather, 0);
}

static troupe_status_t
look_turns (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    return shard_follow (shard, gather->number, gather->address, packed, error);
}

static void
do_turns (requests_t *self, request_t *request, const wire_message_t *message)
{
    char of[TROUPE_ADDRESS_MAX + 1] = "";
    uint64_t follower;
    if (!must_have_number (request, message, "follower", &follower))
        return;
    if (wire_text (message, "of", of, sizeof of, &request->error) == TROUPE_INVALID) {
        request_finish (request);
        return;
    }
    request->error.status = TROUPE_OK;
    gather_t *gather = gather_new (request, visits_of (self, of));
    if (!gather)
        return;
    gather->look = look_turns;
    gather->is_list = true;
    gather->number = follower;
    memcpy (gather->address, of, sizeof of);
    visit_all_meant (self, gather);
}

static bool
check_shard (const requests_t *self, request_t *request, uint64_t shard)
{
    if (shard < node_shard_count (self->node))
        return true;
    finish_with (request, TROUPE_NOT_FOUND, "the store has no shard of that number");
    return false;
}

static troupe_status_t
look_dead_list (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    return shard_dead_list (shard, gather->from, gather->most, packed, error);
}

static void
do_dead_list (requests_t *self, request_t *request, const wire_message_t *message)
{
    uint32_t most;
    uint64_t from = 0, shard = UINT64_MAX;
    if (!read_most (request, message, &most) || !may_have_number (request, message, "from", &from)
        || !may_have_number (request, message, "shard", &shard))
        return;
    bool all = shard == UINT64_MAX;
    if (!all && !check_shard (self, request, shard))
        return;
    gather_t *gather = gather_new (request, all ? node_shard_count (self->node) : 1);
    if (!gather)
        return;
    gather->look = look_dead_list;
    gather->is_list = true;
    gather->most = most;
    gather->from = from;
    gather_send (self->node, gather, all ? 0 : (uint16_t) shard);
}

static troupe_status_t
look_dead_retry (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    (void) packed;
    return shard_dead_retry (shard, gather->number, error);
}

static troupe_status_t
look_dead_drop (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    (void) packed;
    return shard_dead_drop (shard, gather->number, error);
}

static void
visit_dead (requests_t *self, request_t *request, const wire_message_t *message, bool retry)
{
    uint64_t shard, number;
    if (!must_have_number (request, message, "shard", &shard) || !must_have_number (request, message, "number", &number)
        || !check_shard (self, request, shard))
        return;
    gather_t *gather = gather_new (request, 1);
    if (!gather)
        return;
    gather->look = retry ? look_dead_retry : look_dead_drop;
    gather->number = number;
    gather_send (self->node, gather, (uint16_t) shard);
}

static void
do_dead_retry (requests_t *self, request_t *request, const wire_message_t *message)
{
    visit_dead (self, request, message, true);
}

static void
do_dead_drop (requests_t *self, request_t *request, const wire_message_t *message)
{
    visit_dead (self, request, message, false);
}

/* ---- links with other nodes ---- */

static void
do_links (requests_t *self, request_t *request, const wire_message_t *message)
{
    (void) message;
    const node_away_t *away = node_away (self->node);
    if (away)
        away->describe (away->arg, &request->body);
    else
        error_set (&request->error, TROUPE_NOT_FOUND, "this node is in no cluster");
    request_finish (request);
}

static troupe_status_t
look_adopt (const gather_t *gather, shard_t *shard, buffer_t *packed, troupe_error_t *error)
{
    (void) packed;
    (void) error;
    const cluster_t *cluster = node_cluster (gather->node);
    for (uint16_t from = 0; cluster_is_mine (cluster, shard_number (shard)) && from < cluster->shards; from++)
        if (cluster->owners[from] == gather->number)
            shard_link_adopt (shard, from);
    return TROUPE_OK;
}

static troupe_status_t
accept_node (const gather_t *gather, troupe_error_t *error)
{
    const node_away_t *away = node_away (gather->node);
    return away->accept (away->arg, (uint16_t) gather->number, error);
}

/*  Not one that is linked: shards would take its numbers for new ones while messages come. */
static void
do_links_accept (requests_t *self, request_t *request, const wire_message_t *message)
{
    char name[CLUSTER_NAME_MAX + 1];
    const node_away_t *away = node_away (self->node);
    const cluster_t *cluster = node_cluster (self->node);
    uint16_t node = 0;
    if (!must_have_text (request, message, "node", name, sizeof name))
        return;
    while (away && node < cluster->nodes && strcmp (cluster->node[node].name, name) != 0)
        node += 1;
    if (!away || node == cluster->nodes || node == cluster->self || !away->asks (away->arg, node)) {
        finish_with (request, TROUPE_NOT_FOUND, "no such node was refused for its store, or for this one's");
        return;
    }
    gather_t *gather = gather_new (request, node_shard_count (self->node));
    if (!gather)
        return;
    gather->look = look_adopt;
    gather->finish = accept_node;
    gather->number = node;
    gather_send (self->node, gather, 0);
}

/* ------------------------------------------------------------------ *
 *  Jobs
 * ------------------------------------------------------------------ */

struct job_s {
    note_t note;
    requests_t *requests;
    request_t *request;
    pthread_t thread;
    char directory[PATH_SIZE];  /* of a backup; "": a checkpoint */
    buffer_t lines;             /* what it told; owner: its thread, then the control thread */

    /* owner: control thread; after it ended, who calls requests_quiet */
    bool is_over;
    bool is_joined;
};

static void
job_join (job_t *job)
{
    if (job && !job->is_joined) {
        pthread_join (job->thread, NULL);
        job->is_joined = true;
    }
}

/*  Not before its note has arrived. */
static void
job_destroy (job_t **job_p)
{
    job_t *job = *job_p;
    if (!job)
        return;
    job_join (job);
    buffer_clear (&job->lines);
    memory_free (job);
    *job_p = NULL;
}

/*  On the control thread. */
static void
job_is_over (note_t *note)
{
    job_t *job = (job_t *) note;
    job->is_over = true;
    if (job->lines.size && !job->lines.failed && utf8_is_valid (job->lines.data, job->lines.size))
        packed_put_string (&job->request->body, (const char *) job->lines.data, job->lines.size);
    request_finish (job->request);
}

static void
job_tell (void *arg, const char *line)
{
    job_t *job = arg;
    buffer_printf (&job->lines, "%s\n", line);
}

static void *
job_run (void *arg)
{
    job_t *job = arg;
    troupe_t *node = job->requests->node;
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status = job->directory[0] ? node_backup (node, job->directory, job_tell, job, &error)
                                               : node_checkpoint_now (node, &error);
    job->request->error = error;
    job->request->error.status = status;
    control_post (job->request->control, &job->note);
    return NULL;
}

static void
job_start (requests_t *self, request_t *request, const char *directory)
{
    if (self->job && !self->job->is_over) {
        finish_with (request, TROUPE_OVERLOADED, "a backup or a checkpoint is in hand already");
        return;
    }
    job_destroy (&self->job);
    job_t *job = memory_zalloc (sizeof *job);
    if (!job) {
        finish_with (request, TROUPE_NO_MEMORY, "out of memory");
        return;
    }
    job->note.arrived = job_is_over;
    job->requests = self;
    job->request = request;
    snprintf (job->directory, sizeof job->directory, "%s", directory);
    if (pthread_create (&job->thread, NULL, job_run, job) == 0) {  /* inherits this thread's signal mask: all blocked */
        self->job = job;
        return;
    }
    memory_free (job);
    finish_with (request, TROUPE_NO_MEMORY, "no thread to do it");
}

static void
do_checkpoint (requests_t *self, request_t *request, const wire_message_t *message)
{
    (void) message;
    job_start (self, request, "");
}

static void
do_backup (requests_t *self, request_t *request, const wire_message_t *message)
{
    char directory[PATH_SIZE];
    if (!must_have_text (request, message, "directory", directory, sizeof directory))
        return;
    if (directory[0] != '/')
        finish_with (request, TROUPE_INVALID, "the node wants an absolute path: its working directory is not yours");
    else
        job_start (self, request, directory);
}

/* ------------------------------------------------------------------ *
 *  The table
 * ------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*run) (requests_t *self, request_t *request, const wire_message_t *message);
} table[] = {
    { "call", do_call },
    { "hello", do_hello },
    { "kinds", do_kinds },
    { "metrics", do_metrics },
    { "inspect", do_inspect },
    { "feed", do_feed },
    { "hot", do_hot },
    { "turns", do_turns },
    { "dead-list", do_dead_list },
    { "dead-retry", do_dead_retry },
    { "dead-drop", do_dead_drop },
    { "revive", do_revive },
    { "links", do_links },
    { "links-accept", do_links_accept },
    { "checkpoint", do_checkpoint },
    { "backup", do_backup },
    { "stop", do_stop },
};

void
requests_run (requests_t *self, const char *name, request_t *request, const wire_message_t *message)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp (table[i].name, name) == 0) {
            table[i].run (self, request, message);
            return;
        }
    finish_with (request, TROUPE_NOT_FOUND, "the node does not know this request: is it another version?");
}

void
requests_handle (void *arg, request_t *request, const wire_message_t *message)
{
    char what[32];
    if (must_have_text (request, message, "do", what, sizeof what))
        requests_run (arg, what, request, message);
}

requests_t *
requests_new (troupe_t *node, void (*stop) (void *arg), void *arg)
{
    requests_t *self = memory_zalloc (sizeof *self);
    if (self) {
        self->node = node;
        self->stop = stop;
        self->stop_arg = arg;
    }
    return self;
}

void
requests_quiet (requests_t *self)
{
    job_join (self->job);
}

void
requests_destroy (requests_t **self_p)
{
    requests_t *self = *self_p;
    if (!self)
        return;
    job_destroy (&self->job);
    memory_free (self);
    *self_p = NULL;
}
