/*  edge_kinds.c - kinds for the tests of the gateway. */
#include <string.h>
#include <troupe.h>

static uint64_t
bump (troupe_turn_t *turn, const char *key)
{
    uint64_t value = 0;
    troupe_load (turn, key, &value, sizeof value);
    value += 1;
    troupe_store (turn, key, &value, sizeof value);
    return value;
}

/*  Every change is an event with its number: what is lost, doubled or overtaken shows. */
static troupe_status_t
add (troupe_turn_t *turn)
{
    json_int_t total = (json_int_t) bump (turn, "total");
    troupe_publish (turn, "live", "{s:I}", "total", total);
    troupe_publish (turn, "short", "{s:I}", "total", total);
    troupe_publish_key (turn, "gauge", total % 2 ? "odd" : "even", "{s:I}", "total", total);
    return troupe_reply (turn, "{s:I}", "total", total);
}

static troupe_status_t
total (troupe_turn_t *turn)
{
    uint64_t total = 0;
    troupe_load (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I, s:s}", "total", (json_int_t) total, "subject", troupe_subject (turn));
}

static troupe_status_t
refuse (troupe_turn_t *turn)
{
    return troupe_refuse (turn, "not today");
}

static troupe_status_t
echo (troupe_turn_t *turn)
{
    size_t size;
    const void *body = troupe_body (turn, &size);
    return troupe_reply (turn, "v", body, size);
}

/*  Events of 8 KB each, for those who are slow. */
static troupe_status_t
pour (troupe_turn_t *turn)
{
    static const uint8_t bytes[6000];
    for (unsigned i = 0; i < 32; i++)
        troupe_publish (turn, "live", "{s:r#}", "bytes", bytes, sizeof bytes);
    return troupe_reply (turn, NULL);
}

/*  A message that fails until the actor is mended, so that there are dead letters. */
static troupe_status_t
fall (troupe_turn_t *turn)
{
    uint8_t is_mended;
    if (troupe_load (turn, "mended", &is_mended, sizeof is_mended) != TROUPE_OK)
        return troupe_fail (turn, "it is broken");
    (void) bump (turn, "total");
    return TROUPE_OK;
}

static troupe_status_t
send_fall (troupe_turn_t *turn)
{
    troupe_tell (turn, troupe_self (turn), "fall", "{s:s}", "why", "a test");
    return troupe_reply (turn, NULL);
}

static troupe_status_t
mend (troupe_turn_t *turn)
{
    troupe_store (turn, "mended", "\1", 1);
    return troupe_reply (turn, NULL);
}

/*  Answers when another one, who writes a line to the log, has. */
static troupe_status_t
pass (troupe_turn_t *turn)
{
    const char *caller = troupe_reply_later (turn);
    troupe_store (turn, "caller", caller, strlen (caller) + 1);
    troupe_ask (turn, "counter/other", "note", "passed", 0, NULL);
    return TROUPE_OK;
}

/*  Answers after two seconds. */
static troupe_status_t
late (troupe_turn_t *turn)
{
    const char *caller = troupe_reply_later (turn);
    troupe_store (turn, "caller", caller, strlen (caller) + 1);
    troupe_timer_at (turn, "late", "passed", troupe_now (turn) + 2000, NULL);
    return TROUPE_OK;
}

static troupe_status_t
note (troupe_turn_t *turn)
{
    troupe_log (turn, TROUPE_LOG_DEBUG, "not of interest");
    troupe_log (turn, TROUPE_LOG_WARNING, "noted for %s", troupe_sender (turn));
    return troupe_reply (turn, NULL);
}

static troupe_status_t
passed (troupe_turn_t *turn)
{
    char caller[TROUPE_CALLER_MAX] = "";
    troupe_load (turn, "caller", caller, sizeof caller);
    return troupe_answer (turn, caller, TROUPE_OK, "{s:s}", "trace", troupe_trace (turn));
}

static troupe_status_t
shut (troupe_turn_t *turn)
{
    bump (turn, "shut");
    return troupe_reply (turn, NULL);
}

/*  As shut, and those who watch are told nothing more: not even this. */
static troupe_status_t
lock (troupe_turn_t *turn)
{
    bump (turn, "shut");
    troupe_permit_changed (turn, "decided");
    troupe_publish (turn, "decided", "{s:b}", "locked", 1);
    return troupe_reply (turn, NULL);
}

static troupe_status_t
ask_again (troupe_turn_t *turn)
{
    troupe_permit_changed (turn, "decided");
    troupe_publish (turn, "decided", "{s:b}", "locked", 0);
    return troupe_reply (turn, NULL);
}

/*  What another service posted; the signature is the body turned around. */
static troupe_status_t
posted (troupe_turn_t *turn)
{
    const char *path, *query, *signature = "", *type = "";
    const char *body;
    size_t size;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:s, s:{s?:s, s?:s}, s:r#}", "path", &path, "query", &query,
                                            "headers", "x-signature", &signature, "content-type", &type, "body", &body,
                                            &size);
    if (status != TROUPE_OK)
        return status;
    for (size_t i = 0; i < size; i++)
        if (strlen (signature) != size || signature[size - 1 - i] != body[i])
            return troupe_refuse (turn, "the signature is wrong");
    return troupe_reply (turn, "{s:I, s:s, s:s, s:s, s:I}", "total", (json_int_t) bump (turn, "total"), "path", path,
                         "query", query, "type", type, "size", (json_int_t) size);
}

/*  The headers that it was given. */
static troupe_status_t
heads (troupe_turn_t *turn)
{
    json_t *headers;
    troupe_status_t status = troupe_unpack (turn, "{s:o}", "headers", &headers);
    if (status != TROUPE_OK)
        return status;
    status = troupe_reply (turn, "o", headers);
    json_decref (headers);
    return status;
}

/*  Whoever says so in the address, until it is shut. */
static troupe_status_t
may_watch (troupe_turn_t *turn)
{
    uint64_t shut = 0;
    troupe_load (turn, "shut", &shut, sizeof shut);
    if (strcmp (troupe_id (turn), "open") != 0 || shut)
        return troupe_refuse (turn, "this one is closed");
    return troupe_reply (turn, NULL);
}

static const troupe_verb_t verbs[] = {
    { "add", add, .allow = TROUPE_ANYONE },
    { "total", total, .reads = true, .allow = TROUPE_ANYONE },
    { "refuse", refuse, .allow = TROUPE_ANYONE },
    { "echo", echo, .reads = true, .allow = TROUPE_ANYONE },
    { "pour", pour, .allow = TROUPE_ANYONE },
    { "pass", pass, .allow = TROUPE_ANYONE },
    { "late", late, .allow = TROUPE_ANYONE },
    { "note", note },
    { "posted", posted },
    { "heads", heads },
    { "passed", passed },
    { "shut", shut, .allow = TROUPE_ANYONE },
    { "lock", lock, .allow = TROUPE_ANYONE },
    { "ask-again", ask_again, .allow = TROUPE_ANYONE },
    { "may-watch", may_watch, .reads = true, .allow = TROUPE_ANYONE },
    { "fall", fall },
    { "send-fall", send_fall, .allow = TROUPE_ANYONE },
    { "mend", mend, .allow = TROUPE_ANYONE },
    { "signed-in", total, .reads = true, .allow = TROUPE_SIGNED_IN },
    { "owned", total, .reads = true, .allow = TROUPE_OWNER },
    { "operated", total, .reads = true, .allow = TROUPE_OPERATOR },
    { "coached", total, .reads = true, .allow = TROUPE_ROLE, .role = "coach" },
    { "inner", total, .reads = true },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .keep = 1000000, .allow = TROUPE_ANYONE },
    { "short", .keep = 3, .snapshot = "total", .allow = TROUPE_ANYONE },
    { "gauge", .is_volatile = true, .allow = TROUPE_ANYONE },
    { "decided", .allow = TROUPE_DECIDES, .permit = "may-watch" },
    { "counted", .allow = TROUPE_ANYONE, .presence = TROUPE_PRESENCE_COUNT },
    { "listed", .allow = TROUPE_ANYONE, .presence = TROUPE_PRESENCE_LIST },
    { "owned", .allow = TROUPE_OWNER },
    { "operated", .allow = TROUPE_OPERATOR },
    { "coached", .allow = TROUPE_ROLE, .role = "coach" },
    { NULL }
};
static const troupe_kind_t counter = { "counter", .version = 1, .verbs = verbs, .channels = channels };

TROUPE_KINDS (&counter)
