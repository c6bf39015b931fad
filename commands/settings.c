/*  settings.c - everything about a node that an operator may choose.
 *
 *  DESIGN
 *  One table says name, type, place, default, bounds and meaning; reading,
 *  printing, the manual page (a test compares them) and `troupe settings` walk
 *  it. A name that is not in it is an error wherever it comes from but the
 *  environment: a misspelt bound that is silently ignored shows at the worst
 *  moment. The default of a setting is kept as text and goes through the same
 *  door as an operator's, so that it can never be out of its own bounds.
 *  Nothing here is logged: errors say file, line and what is wanted.
 */
#include "commands/settings.h"

#include "commands/nearest.h"
#include "runtime/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define KIB 1024ull
#define MIB (KIB * KIB)
#define GIB (MIB * KIB)
#define TIB (GIB * KIB)
#define DAY_MS (24ull * 60 * 60 * 1000)
#define MOST_32 UINT32_MAX

#define SYSTEM_FILE "/etc/troupe/troupe.conf"
#define LOCAL_FILE "troupe.conf"
#define ENVIRONMENT_PREFIX "TROUPE_"

#define ROW(name, type, standard, least, most, doc)                            \
    { #name, SETTING_##type, offsetof (settings_t, name), standard, least, most, NULL, doc }
#define CHOICE(name, standard, choices, doc)                                   \
    { #name, SETTING_CHOICE, offsetof (settings_t, name), standard, 0, 0, choices, doc }

static const setting_t table[] = {
    ROW (store, TEXT, "./data", 1, SETTINGS_TEXT_MAX, "The directory of the store."),
    ROW (control, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "The path of the control socket, over which the tools speak to the node. "
         "Empty: control.sock in the store's directory."),
    ROW (listen, TEXT, "127.0.0.1:7317", 0, SETTINGS_TEXT_MAX,
         "The address and port of the gateway for WebSocket and HTTP, as [::1]:7317 with IPv6; port 0 is any that is "
         "free. Empty: there is none."),
    ROW (node, TEXT, "", 0, 63, "The name of this node in the map of its cluster. Empty: it is one of its own."),
    ROW (nodes, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "The map of the cluster, a file that is the same for all its nodes: how many shards there are, and which node "
         "has which. See doc/operation.md. Empty: there is none."),
    ROW (node_listen, TEXT, "", 0, 255,
         "Where other nodes speak to this one, ADDRESS:PORT; port 0 is any that is free. Any address but one of "
         "loopback wants zmq_certificate and keys in the map. Empty: as the map says."),
    ROW (create, FLAG, "yes", 0, 1, "Make the store when there is none. With no, a wrong path is an error."),
    ROW (shards, INTEGER, "16", 1, STATE_SHARDS_MAX,
         "Into how many shards the actors are divided. Counts only when the store is made; fixed from then on."),
    ROW (workers, INTEGER, "0", 0, RECORDER_SLOTS_MAX, "Threads that run the shards. 0: one a core."),
    ROW (clock_ahead_ms, DURATION, "30d", 0, 3650 * DAY_MS,
         "When the machine's clock is further ahead of the time when the store was last in use, the node does not "
         "start: the clock may be wrong. 0: it always starts."),

    ROW (checkpoint_ms, DURATION, "10s", 10, DAY_MS,
         "How often the journal is folded into the state. Longer writes less and makes recovery slower."),
    ROW (segment_bytes, BYTES, "64M", MIB, 16 * GIB, "The size of a journal file. A multiple of 4K."),
    ROW (map_bytes, BYTES, "1T", MIB, 64 * TIB,
         "The most that the state may grow to. It is address space, not memory and not disk."),
    ROW (soft_room_bytes, BYTES, "256M", 0, TIB,
         "When the disk has less free space than this, calls from outside are refused as overloaded, "
         "so that a checkpoint and the operator still have room. 0: never."),
    ROW (ballast_bytes, BYTES, "64M", 0, TIB,
         "The size of a file that is given back to the disk when it is full, so that the checkpoint that frees "
         "the journal has room, or the start of a node. It is made again after a checkpoint, when twice as much is "
         "free. 0: none."),

    ROW (unfolded_bytes, BYTES, "256M", MIB, 64 * GIB,
         "Bytes of frames that a shard keeps in memory until they are folded. Beyond it calls from outside "
         "are refused, at twice as much the shard waits."),
    ROW (undurable_bytes, BYTES, "32M", MIB, 64 * GIB,
         "Bytes of frames of a shard that are not on disk yet. Beyond it the shard waits for the disk, at twice as "
         "much calls that are not reads are refused."),
    ROW (mailbox_messages, INTEGER, "4096", 1, MOST_32,
         "Waiting messages of one actor that are kept in memory. More of them wait on disk."),
    ROW (mailbox_door, INTEGER, "2048", 1, MOST_32,
         "Waiting messages of one actor from which on calls from outside are refused. "
         "Messages of other actors are always taken."),
    ROW (awake_actors, INTEGER, "1048576", 1, MOST_32,
         "Actors of one shard that stay in memory. Beyond it those unused for longest go to sleep."),
    ROW (idle_ms, DURATION, "60s", 0, 30 * DAY_MS,
         "An actor unused for so long goes to sleep. 0: only by awake_actors."),
    ROW (slice_turns, INTEGER, "4096", 1, MOST_32,
         "Turns that a shard runs before another shard gets the worker. Slow turns end sooner, after 5 ms."),
    ROW (link_window_bytes, BYTES, "4M", 4 * KIB, 64 * MIB,
         "Bytes on their way from one shard to another that are kept in memory, at most 64M divided by the number of "
         "shards. The rest waits on disk."),
    ROW (attempts, INTEGER, "8", 1, 255, "How often a failing message is tried before it becomes a dead letter."),
    ROW (retry_first_ms, DURATION, "50ms", 1, DAY_MS,
         "The wait before the second try. It doubles with each further one."),
    ROW (retry_most_ms, DURATION, "10s", 1, DAY_MS, "The longest wait before a try."),
    ROW (wake_attempts, INTEGER, "8", 1, 255, "How often an actor may fail to wake before it is parked."),
    ROW (call_keep_ms, DURATION, "60s", 1000, 30 * DAY_MS,
         "How far ahead the end of a call is when its caller sets none; a caller may set twice as much. "
         "Until that end the answer to a call with a session is kept for those who ask again."),
    ROW (calls_kept, INTEGER, "262144", 1, MOST_32,
         "Answers that one shard keeps. Beyond it calls with a session are refused."),
    ROW (dead_bytes, BYTES, "64M", 64 * KIB, TIB,
         "Bytes of dead letters that one shard keeps. Beyond it the oldest go."),
    ROW (actor_bytes, BYTES, "256M", MIB, TIB,
         "About how many bytes of state and waiting mail one actor may have. Beyond it calls from outside that are "
         "not reads are refused, and its timers wait. Messages of other actors are always taken."),
    ROW (mail_bytes, BYTES, "256M", 64 * KIB, TIB,
         "Bytes of waiting mail of one shard. Beyond it the kind that sent most of it, if more than half, is parked "
         "as a whole; at twice as much calls from outside that are not reads are refused, and timers wait."),
    ROW (store_bytes, BYTES, "0", 0, 64 * TIB,
         "Bytes of state and journal on disk. Beyond it calls from outside are refused as overloaded, and timers "
         "wait. 0: no bound but the disk's."),

    ROW (budget_ms, DURATION, "1s", 1, DAY_MS, "A turn that takes longer is reported with its actor and verb."),
    ROW (stuck_ms, DURATION, "60s", 0, DAY_MS,
         "A turn that takes longer is ended together with the process, which starts again; after three times "
         "its message becomes a dead letter. 0: never."),

    ROW (web_connections, INTEGER, "20000", 1, 1000000,
         "Clients at one time: WebSocket connections, and calls and streams over HTTP. Beyond it 503 is answered, and "
         "far beyond it connections are closed at once."),
    ROW (web_address_connections, INTEGER, "4000", 0, 1000000,
         "Connections of one address (of IPv6: of one /64) at one time, silent ones too: more are closed at once. "
         "Behind one of web_proxies clients are counted by the address that it tells, and 429 is answered. 0: no "
         "bound."),
    ROW (web_message_bytes, BYTES, "64K", KIB, TROUPE_BODY_MAX, "The largest message that a client may send."),
    ROW (web_in_flight, INTEGER, "256", 1, 65536,
         "Calls of one client that have no outcome yet. With so many, nothing more is read from it."),
    ROW (web_watches, INTEGER, "256", 1, 65536, "Feeds that one client watches."),
    ROW (web_hello_ms, DURATION, "10s", 100, DAY_MS, "How long a new client may take to say hello."),
    ROW (web_idle_ms, DURATION, "60s", 1000, DAY_MS,
         "A client that was silent for so long is pinged, and closed when it stays so for as long again."),
    ROW (web_certificate, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "A file with the certificate of the gateway and those between it and its root, as PEM: then it speaks TLS 1.2 "
         "and 1.3 alone. SIGHUP has it and its key read again. Empty: without TLS."),
    ROW (web_key, TEXT, "", 0, SETTINGS_TEXT_MAX, "A file with the key of web_certificate, as PEM without a password."),
    ROW (web_files, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "Files of an application that are served as pages: PREFIX=DIRECTORY, several of them parted by spaces, "
         "\"/=public /lib=vendor/lib\". The longest prefix counts. The directories must be there."),
    ROW (web_files_policy, TEXT, "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'", 0,
         SETTINGS_TEXT_MAX,
         "The Content-Security-Policy of the pages of web_files: what a browser lets them load and run. An application "
         "with scripts in its pages, WebAssembly or files of other hosts needs another one. Empty: none. The console "
         "has a stricter one of its own besides."),
    ROW (web_console, FLAG, "yes", 0, 0,
         "Serve the operator's console at /console, when it is installed and web_files has nothing there. Its pages "
         "are for anyone, what they show is for operators."),
    ROW (web_proxies, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "Proxies in front of the gateway that are believed when they say in X-Forwarded-For for whom they speak: "
         "addresses and prefixes, parted by spaces, \"127.0.0.1 10.0.0.0/8\". Limits and the audit log count that "
         "one."),
    ROW (web_proxy_protocol, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "Proxies that pass bytes on and begin each connection with a header of the PROXY protocol, version 1 or 2: "
         "addresses and prefixes. Connections of theirs without one are closed. Limits and the audit log count whom it "
         "names."),
    ROW (web_hooks, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "What other services post under a path is given to a verb as it came, with its headers: "
         "PREFIX=KIND/ID/VERB, several of them parted by spaces, \"/hooks/shop=shop/main/paid\". Nobody needs to sign "
         "in for it: the handler looks at the signature. The kinds and verbs must be there."),
    ROW (web_hook_headers, TEXT,
         "stripe-signature x-hub-signature-256 x-github-event x-github-delivery x-shopify-hmac-sha256 x-shopify-topic "
         "webhook-id webhook-timestamp webhook-signature", 0, SETTINGS_TEXT_MAX,
         "Names of the headers, besides content-type, that such a verb is given, in small letters; at most 32."),
    ROW (web_origins, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "Origins of pages, besides the gateway's own, that may call and watch from a browser, parted by spaces: "
         "\"https://example.org\". *: all. A gateway on loopback without TLS, web_proxies and "
         "web_proxy_protocol answers only who calls it by an address, a name without a dot, one of localhost or one of "
         "these."),

    ROW (zmq_listen, TEXT, "127.0.0.1:7318", 0, 255,
         "Where backends speak to the node over ZeroMQ. Empty: nowhere. Any address but one of loopback wants "
         "zmq_certificate. Limits of messages, calls and watches are those of web_."),
    ROW (zmq_feeds, TEXT, "", 0, 255,
         "Where all events are published by ZeroMQ (PUB). Without certificates only those of channels for anyone. "
         "Goes with zmq_listen, where what was missed is fetched. Empty: nowhere."),
    ROW (zmq_certificate, TEXT, "", 0, 255,
         "The node's own CURVE certificate, a file as \"troupe certificate\" makes it, with its _secret beside it: "
         "then only who has one of zmq_certificates may come. Empty: without encryption, for loopback alone."),
    ROW (zmq_certificates, TEXT, "", 0, 255,
         "A directory with the certificates of those who may come. What changes in it holds within a second, for "
         "whoever comes then."),
    ROW (zmq_connections, INTEGER, "4096", 1, 1000000,
         "Backends that are connected at one time; more are told so, and to come again."),
    ROW (zmq_idle_ms, DURATION, "60s", 1000, DAY_MS,
         "A backend that was silent for so long is forgotten; it sends a ping before."),
    ROW (zmq_heartbeat_ms, DURATION, "10s", 100, DAY_MS,
         "How often ZeroMQ asks whether the other end is there; a connection that does not answer for three times as "
         "long is ended."),
    ROW (zmq_linger_ms, DURATION, "500ms", 0, 60000, "How long goodbyes are on their way when the node stops."),
    ROW (zmq_in_messages, INTEGER, "64", 1, 100000,
         "Messages of a backend that wait for the node; then it reads no more of it from the network."),
    ROW (zmq_feeds_events, INTEGER, "1000", 1, 10000000,
         "Events that wait for a subscriber of zmq_feeds; then it misses some."),

    ROW (at, TEXT, "", 0, 255,
         "The node that tools ask over ZeroMQ, HOST:PORT. Empty: that of this machine, by its control socket."),
    ROW (at_certificate, TEXT, "", 0, 255,
         "The tools' own certificate for it, a file with its _secret beside it. Goes with at_server."),
    ROW (at_server, TEXT, "", 0, 255, "The public key of that node, or a file that has it."),
    ROW (at_token, TEXT, "", 0, 255, "A file with an access token for it, instead of a certificate."),

    ROW (token_keys, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "The file of the keys that sign access tokens, readable for the node's user alone; it is made when there is "
         "none. Not part of a backup. Empty: token.keys in the store's directory."),
    ROW (token_issuer, TEXT, "troupe", 1, 255, "The issuer (iss) of the node's own access tokens."),
    ROW (token_audience, TEXT, "troupe", 1, 255, "And their audience (aud): no token of another is taken."),
    ROW (token_issuers, TEXT, "", 0, SETTINGS_TEXT_MAX,
         "A file that names outside identity providers whose tokens are taken, and the files with their keys (JWKS): "
         "see doc/security.md. All are read again when one of them changes. Empty: there are none."),
    ROW (token_fetch_ms, DURATION, "1h", 1000, DAY_MS,
         "How often keys of providers that token_issuers names by URL are fetched; also when a token comes with a key "
         "that is not known."),

    ROW (auth_register, FLAG, "no", 0, 1,
         "Whoever comes may make an account by POST /auth/register. With no, only an operator."),
    ROW (auth_access_ms, DURATION, "15m", 1000, DAY_MS,
         "How long an access token is good. Only a disabled account or keys that are rotated away end it before, so it "
         "should be short."),
    ROW (auth_refresh_ms, DURATION, "30d", 1000, 3650 * DAY_MS,
         "How long somebody stays signed in before the password is asked for again."),
    ROW (rate_reads, INTEGER, "0", 0, 1000000,
         "Reads and watches that one client may begin in a second, by its subject, or by its address when it is "
         "nobody; ten times as many at once, 65,536 at most. Beyond it 429 or overloaded is answered, with when to "
         "come again. 0: no bound."),
    ROW (rate_commands, INTEGER, "0", 0, 1000000, "The same for calls that are no reads, and casts."),
    ROW (rate_sign_ins, INTEGER, "20", 0, 1000000, "The same for requests to /auth/, always by the address."),
    ROW (rate_address, INTEGER, "0", 0, 1000000,
         "What all clients of one address together may ask for, beside those: reads, watches, commands, requests to "
         "/auth/, and tokens that are no good. Many may be behind one address."),

    CHOICE (log_level, "info", "debug info warning error",
            "The least important lines that are logged. Those of the audit log always are."),
    CHOICE (log_format, "human", "human json", "How lines are logged."),
};

#define ROWS (sizeof table / sizeof *table)
_Static_assert (ROWS <= SETTINGS_MOST, "sources[] has a place for each row");

/* ---- one value ---- */

static void *
place (settings_t *self, const setting_t *setting)
{
    return (char *) self + setting->offset;
}

static uint64_t
number (const settings_t *self, const setting_t *setting)
{
    uint64_t value;
    memcpy (&value, (const char *) self + setting->offset, sizeof value);
    return value;
}

typedef struct {
    const char *name;
    uint64_t factor;
} unit_t;

static const unit_t byte_units[] = { { "", 1 }, { "K", KIB }, { "M", MIB }, { "G", GIB }, { "T", TIB }, { NULL, 0 } };
static const unit_t time_units[] = { { "ms", 1 }, { "", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
                                     { "d", DAY_MS }, { NULL, 0 } };
static const unit_t no_units[] = { { "", 1 }, { NULL, 0 } };

static const unit_t *
units_of (setting_type_t type)
{
    return type == SETTING_BYTES ? byte_units : type == SETTING_DURATION ? time_units : no_units;
}

/*  Digits and a unit; false when it is anything else or does not fit. */
static bool
read_number (const char *text, const unit_t *units, uint64_t *value)
{
    uint64_t whole = 0;
    const char *at = text;
    for (; isdigit ((unsigned char) *at); at++)
        if (__builtin_mul_overflow (whole, 10u, &whole) || __builtin_add_overflow (whole, *at - '0', &whole))
            return false;
    if (at == text)
        return false;
    while (*at == ' ')
        at++;
    for (; units->name; units++)
        if (strcasecmp (at, units->name) == 0)
            return !__builtin_mul_overflow (whole, units->factor, value);
    return false;
}

bool
settings_read_number (const char *text, setting_type_t type, uint64_t *number)
{
    return read_number (text, units_of (type), number);
}

static void
write_number (uint64_t value, const unit_t *units, char *text, size_t size)
{
    const unit_t *best = units;
    for (; units->name; units++)
        if (units->factor > best->factor && value && value % units->factor == 0)
            best = units;
    snprintf (text, size, "%llu%s", (unsigned long long) (value / best->factor), best->name);
}

static troupe_status_t
set_number (settings_t *self, const setting_t *setting, const char *text, troupe_error_t *error)
{
    static const char *const wanted[] = {
        [SETTING_INTEGER] = "a whole number",
        [SETTING_BYTES] = "a number of bytes such as 64M",
        [SETTING_DURATION] = "a time such as 500ms or 10s"
    };
    const unit_t *units = units_of (setting->type);
    uint64_t value;
    if (!read_number (text, units, &value))
        return error_set (error, TROUPE_INVALID, "%s: %s is wanted, not \"%.60s\"", setting->name,
                          wanted[setting->type], text);
    if (value < setting->least || value > setting->most) {
        char least[32], most[32];
        write_number (setting->least, units, least, sizeof least);
        write_number (setting->most, units, most, sizeof most);
        return error_set (error, TROUPE_INVALID, "%s: must be %s to %s, not %.60s", setting->name, least, most, text);
    }
    memcpy (place (self, setting), &value, sizeof value);
    return TROUPE_OK;
}

static troupe_status_t
set_text (settings_t *self, const setting_t *setting, const char *text, troupe_error_t *error)
{
    size_t size = strlen (text);
    if (size < setting->least)
        return error_set (error, TROUPE_INVALID, "%s: may not be empty", setting->name);
    if (size > setting->most)
        return error_set (error, TROUPE_TOO_LARGE, "%s: %zu bytes, at most %llu fit", setting->name, size,
                          (unsigned long long) setting->most);
    memmove (place (self, setting), text, size + 1);
    return TROUPE_OK;
}

static troupe_status_t
set_flag (settings_t *self, const setting_t *setting, const char *text, troupe_error_t *error)
{
    static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp (text, words[i]) == 0) {
            *(bool *) place (self, setting) = i & 1;
            return TROUPE_OK;
        }
    return error_set (error, TROUPE_INVALID, "%s: yes or no is wanted, not \"%.60s\"", setting->name, text);
}

/*  The n-th word of "a b c"; false when there are not as many. */
static bool
word_at (const char *words, uint64_t n, const char **word, size_t *size)
{
    for (;; n--) {
        *size = strcspn (words, " ");
        *word = words;
        if (n == 0)
            return *size != 0;
        words += *size;
        words += strspn (words, " ");
    }
}

static troupe_status_t
set_choice (settings_t *self, const setting_t *setting, const char *text, troupe_error_t *error)
{
    const char *word;
    size_t size;
    for (uint64_t i = 0; word_at (setting->choices, i, &word, &size); i++)
        if (strlen (text) == size && strncasecmp (text, word, size) == 0) {
            memcpy (place (self, setting), &i, sizeof i);
            return TROUPE_OK;
        }
    return error_set (error, TROUPE_INVALID, "%s: one of %s is wanted, not \"%.60s\"", setting->name,
                      setting->choices, text);
}

static troupe_status_t
set_row (settings_t *self, unsigned row, const char *text, setting_source_t source, troupe_error_t *error)
{
    const setting_t *setting = &table[row];
    troupe_status_t status = TROUPE_OK;
    switch (setting->type) {
    case SETTING_TEXT:
        status = set_text (self, setting, text, error);
        break;
    case SETTING_FLAG:
        status = set_flag (self, setting, text, error);
        break;
    case SETTING_CHOICE:
        status = set_choice (self, setting, text, error);
        break;
    case SETTING_INTEGER:
    case SETTING_BYTES:
    case SETTING_DURATION:
        status = set_number (self, setting, text, error);
        break;
    }
    if (status == TROUPE_OK)
        self->sources[row] = (uint8_t) source;
    return status;
}

/* ---- the table ---- */

void
settings_init (settings_t *self)
{
    memset (self, 0, sizeof *self);
    for (unsigned row = 0; row < ROWS; row++) {
        troupe_error_t error;
        troupe_status_t status = set_row (self, row, table[row].standard, SETTING_DEFAULT, &error);
        CHECK (status == TROUPE_OK);
    }
}

void
settings_each (settings_each_t *each, void *arg)
{
    for (unsigned row = 0; row < ROWS; row++)
        if (!each (arg, row, &table[row]))
            return;
}

const setting_t *
settings_find (const char *name, unsigned *row)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (strcmp (table[i].name, name) == 0) {
            if (row)
                *row = i;
            return &table[i];
        }
    return NULL;
}

static troupe_status_t
find (const char *name, unsigned *row, troupe_error_t *error)
{
    if (settings_find (name, row))
        return TROUPE_OK;
    nearest_t nearest = { .wanted = name };
    for (unsigned i = 0; i < ROWS; i++)
        nearest_offer (&nearest, table[i].name);
    char hint[80];
    return error_set (error, TROUPE_NOT_FOUND, "no such setting \"%.60s\"%s", name,
                      nearest_hint (&nearest, hint, sizeof hint));
}

troupe_status_t
settings_set (settings_t *self, const char *name, const char *text, troupe_error_t *error)
{
    unsigned row = 0;
    troupe_status_t status = find (name, &row, error);
    return status == TROUPE_OK ? set_row (self, row, text, SETTING_COMMAND, error) : status;
}

const char *
settings_text (const settings_t *self, const setting_t *setting, char *text, size_t size)
{
    const char *word;
    size_t word_size;
    switch (setting->type) {
    case SETTING_TEXT:
        snprintf (text, size, "%s", (const char *) self + setting->offset);
        break;
    case SETTING_FLAG:
        snprintf (text, size, "%s", *(const bool *) ((const char *) self + setting->offset) ? "yes" : "no");
        break;
    case SETTING_CHOICE:
        word_at (setting->choices, number (self, setting), &word, &word_size);
        snprintf (text, size, "%.*s", (int) word_size, word);
        break;
    case SETTING_INTEGER:
    case SETTING_BYTES:
    case SETTING_DURATION:
        write_number (number (self, setting), units_of (setting->type), text, size);
        break;
    }
    return text;
}

const char *
setting_type_name (setting_type_t type)
{
    static const char *const names[] = { "text", "integer", "bytes", "duration", "flag", "choice" };
    return names[type];
}

const char *
setting_source_name (setting_source_t source)
{
    static const char *const names[] = { "default", "file", "environment", "command" };
    return names[source];
}

const char *
settings_control (const settings_t *self, char *path, size_t size)
{
    if (self->control[0])
        snprintf (path, size, "%s", self->control);
    else
        snprintf (path, size, "%s/control.sock", self->store);
    return path;
}

const char *
settings_token_keys (const settings_t *self, char *path, size_t size)
{
    if (self->token_keys[0])
        snprintf (path, size, "%s", self->token_keys);
    else
        snprintf (path, size, "%s/token.keys", self->store);
    return path;
}

shard_limits_t
settings_limits (const settings_t *self)
{
    return (shard_limits_t) {
        .mailbox_messages = (uint32_t) self->mailbox_messages,
        .mailbox_door = (uint32_t) self->mailbox_door,
        .awake_actors = (uint32_t) self->awake_actors,
        .undurable_bytes = self->undurable_bytes,
        .unfolded_bytes = self->unfolded_bytes,
        .link_window_bytes = (uint32_t) self->link_window_bytes,
        .slice_turns = (uint32_t) self->slice_turns,
        .attempts = (uint32_t) self->attempts,
        .retry_first_ms = (uint32_t) self->retry_first_ms,
        .retry_most_ms = (uint32_t) self->retry_most_ms,
        .wake_attempts = (uint32_t) self->wake_attempts,
        .call_keep_ms = (uint32_t) self->call_keep_ms,
        .calls_kept = (uint32_t) self->calls_kept,
        .dead_bytes = self->dead_bytes,
        .actor_bytes = self->actor_bytes,
        .mail_bytes = self->mail_bytes,
        .idle_ms = (uint32_t) self->idle_ms
    };
}

/* ---- troupe.conf ---- */

/*  A line of the file, cut into its two parts. */
typedef struct {
    char name[SETTINGS_TEXT_MAX + 1];  /* "": nothing stands in the line */
    char value[SETTINGS_TEXT_MAX + 1];
} line_t;

static const char *
skip_blanks (const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/*  Copies what stands from `at` to `end`, less the blanks at the end. */
static bool
take (const char *at, const char *end, char *to)
{
    while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    size_t size = (size_t) (end - at);
    if (size > SETTINGS_TEXT_MAX)
        return false;
    memcpy (to, at, size);
    to[size] = '\0';
    return true;
}

/*  A comment begins at a # that stands first or behind a blank. */
static const char *
comment_or_end (const char *at, const char *end)
{
    for (const char *c = at; c < end; c++)
        if (*c == '#' && (c == at || c[-1] == ' ' || c[-1] == '\t'))
            return c;
    return end;
}

/*  NULL, or what is wrong. */
static const char *
split_value (const char *at, const char *end, line_t *line)
{
    at = skip_blanks (at, end);
    if (at == end || *at != '"')
        return take (at, comment_or_end (at, end), line->value) ? NULL : "the value is too long";
    const char *quote = memchr (at + 1, '"', (size_t) (end - at - 1));
    if (!quote)
        return "the closing \" is missing";
    size_t size = (size_t) (quote - at - 1);
    if (size > SETTINGS_TEXT_MAX)
        return "the value is too long";
    memcpy (line->value, at + 1, size);
    line->value[size] = '\0';
    at = skip_blanks (quote + 1, end);
    return at == end || *at == '#' ? NULL : "nothing but a comment may follow the closing \"";
}

static const char *
split_line (const char *at, const char *end, line_t *line)
{
    line->name[0] = line->value[0] = '\0';
    at = skip_blanks (at, end);
    if (at == end || *at == '#')
        return NULL;
    if (memchr (at, '\0', (size_t) (end - at)))
        return "a zero byte: this is not a text file";
    const char *equals = memchr (at, '=', (size_t) (end - at));
    if (!equals)
        return "name = value is wanted";
    if (!take (at, equals, line->name))
        return "the name is too long";
    if (!line->name[0])
        return "the name before = is missing";
    return split_value (equals + 1, end, line);
}

/*  `seen` holds for each row the line that set it. */
static troupe_status_t
read_line (settings_t *self, const line_t *line, unsigned number_of_line, unsigned *seen, troupe_error_t *error)
{
    unsigned row = 0;
    troupe_status_t status = find (line->name, &row, error);
    if (status != TROUPE_OK)
        return status;
    if (seen[row])
        return error_set (error, TROUPE_INVALID, "%s: line %u has set it already", line->name, seen[row]);
    seen[row] = number_of_line;
    return set_row (self, row, line->value, SETTING_FILE, error);
}

troupe_status_t
settings_read_text (settings_t *self, const char *text, size_t size, const char *name, troupe_error_t *error)
{
    settings_t next = *self;
    unsigned seen[ROWS] = { 0 };
    unsigned number_of_line = 0;
    line_t line;
    for (const char *at = text, *end = text + size; at < end;) {
        const char *newline = memchr (at, '\n', (size_t) (end - at));
        const char *stop = newline ? newline : end;
        number_of_line++;
        const char *wrong = split_line (at, stop, &line);
        if (wrong)
            return error_set (error, TROUPE_INVALID, "%s:%u: %s", name, number_of_line, wrong);
        troupe_error_t inner;
        if (line.name[0] && read_line (&next, &line, number_of_line, seen, &inner) != TROUPE_OK)
            return error_set (error, inner.status, "%s:%u: %s", name, number_of_line, inner.text);
        at = newline ? newline + 1 : end;
    }
    *self = next;
    return TROUPE_OK;
}

troupe_status_t
settings_read_file (settings_t *self, const char *path, troupe_error_t *error)
{
    FILE *file = fopen (path, "re");
    if (!file)
        return error_set (error, errno == ENOENT ? TROUPE_NOT_FOUND : TROUPE_IO, "cannot read %s: %s", path,
                          strerror (errno));
    troupe_status_t status;
    char *text = malloc (SETTINGS_FILE_MAX + 1);
    size_t size = text ? fread (text, 1, SETTINGS_FILE_MAX + 1, file) : 0;
    if (!text)
        status = error_set (error, TROUPE_NO_MEMORY, "no memory to read %s", path);
    else if (ferror (file))
        status = error_set (error, TROUPE_IO, "cannot read %s: %s", path, strerror (errno));
    else if (size > SETTINGS_FILE_MAX)
        status = error_set (error, TROUPE_TOO_LARGE, "%s is larger than %u bytes: it is no troupe.conf", path,
                            SETTINGS_FILE_MAX);
    else
        status = settings_read_text (self, text, size, path, error);
    free (text);
    fclose (file);
    return status;
}

troupe_status_t
settings_read_environment (settings_t *self, troupe_error_t *error)
{
    for (unsigned row = 0; row < ROWS; row++) {
        char name[sizeof ENVIRONMENT_PREFIX + 64];
        int size = snprintf (name, sizeof name, ENVIRONMENT_PREFIX "%s", table[row].name);
        CHECK (size > 0 && (size_t) size < sizeof name);
        for (char *c = name; *c; c++)
            *c = (char) toupper ((unsigned char) *c);
        const char *text = getenv (name);
        troupe_error_t inner;
        if (text && set_row (self, row, text, SETTING_ENVIRONMENT, &inner) != TROUPE_OK)
            return error_set (error, inner.status, "environment: %s: %s", name, inner.text);
    }
    return TROUPE_OK;
}

troupe_status_t
settings_load (settings_t *self, const char *path, troupe_error_t *error)
{
    settings_init (self);
    if (!path)
        path = getenv ("TROUPE_CONFIG");
    if (!path && access (LOCAL_FILE, F_OK) == 0)
        path = LOCAL_FILE;
    if (!path && access (SYSTEM_FILE, F_OK) == 0)
        path = SYSTEM_FILE;
    if (path) {
        troupe_status_t status = settings_read_file (self, path, error);
        if (status != TROUPE_OK)
            return status;
    }
    return settings_read_environment (self, error);
}
