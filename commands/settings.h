/*  settings.h - everything about a node that an operator may choose.
 *
 *  One table (settings_each) is the only source of names, types, defaults,
 *  bounds and documentation. Values come from, each over the one before:
 *  the defaults, troupe.conf, the environment (TROUPE_<NAME>), the command line.
 *
 *  A settings_t owns nothing, may be copied, and is not locked: it is filled
 *  before the threads start and only read from then on.
 */
#ifndef COMMANDS_SETTINGS_H
#define COMMANDS_SETTINGS_H

#include "runtime/shard.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <troupe.h>

#define SETTINGS_TEXT_MAX 1023        /* bytes of a text */
#define SETTINGS_FILE_MAX (1u << 20)  /* bytes of troupe.conf */
#define SETTINGS_MOST 80              /* rows of the table */

typedef enum {
    SETTING_TEXT,
    SETTING_INTEGER,
    SETTING_BYTES,     /* "64M": K, M, G, T are powers of 1024 */
    SETTING_DURATION,  /* "10s": ms (also without a unit), s, m, h, d; kept in milliseconds */
    SETTING_FLAG,      /* yes or no */
    SETTING_CHOICE     /* one word of a few */
} setting_type_t;

/*  Where a value came from. */
typedef enum {
    SETTING_DEFAULT,
    SETTING_FILE,
    SETTING_ENVIRONMENT,
    SETTING_COMMAND
} setting_source_t;

typedef enum { LOG_FORMAT_HUMAN, LOG_FORMAT_JSON } log_format_t;

/*  Texts are never empty but `control`, `listen`, `node`, `nodes`, `node_listen`, `token_keys`, `token_issuers` and
 *  those of `web_`, `zmq_` and `at`; numbers are within the bounds of the table. */
typedef struct {
    /* where the node lives */
    char store[SETTINGS_TEXT_MAX + 1];
    char control[SETTINGS_TEXT_MAX + 1];  /* "": STORE/control.sock, see settings_control */
    char listen[SETTINGS_TEXT_MAX + 1];   /* of the web gateway; "": none */
    char node[SETTINGS_TEXT_MAX + 1];     /* which one of `nodes` it is; "": a node of its own */
    char nodes[SETTINGS_TEXT_MAX + 1];    /* the map of the cluster, a file; "": none */
    char node_listen[SETTINGS_TEXT_MAX + 1];  /* for other nodes; "": as in the map */
    bool create;                /* make the store when there is none */
    uint64_t shards;            /* counts only when the store is made */
    uint64_t workers;           /* 0: one a core */
    uint64_t clock_ahead_ms;    /* of the last use, beyond which it does not start; 0: no bound */

    /* storage */
    uint64_t checkpoint_ms;
    uint64_t segment_bytes;
    uint64_t map_bytes;
    uint64_t soft_room_bytes;   /* free space of the disk below which the door closes */
    uint64_t ballast_bytes;     /* given back when the disk is full */

    /* bounds of a shard: shard_limits_t */
    uint64_t unfolded_bytes;
    uint64_t undurable_bytes;
    uint64_t mailbox_messages;
    uint64_t mailbox_door;
    uint64_t awake_actors;
    uint64_t idle_ms;
    uint64_t slice_turns;
    uint64_t link_window_bytes;
    uint64_t attempts;
    uint64_t retry_first_ms;
    uint64_t retry_most_ms;
    uint64_t wake_attempts;
    uint64_t call_keep_ms;
    uint64_t calls_kept;
    uint64_t dead_bytes;
    uint64_t actor_bytes;
    uint64_t mail_bytes;
    uint64_t store_bytes;       /* of the whole store; 0: no bound */

    /* watchdog */
    uint64_t budget_ms;
    uint64_t stuck_ms;          /* 0: a stuck turn is never ended */

    /* clients */
    uint64_t web_connections;
    uint64_t web_address_connections;  /* 0: no bound */
    uint64_t web_message_bytes;
    uint64_t web_in_flight;
    uint64_t web_watches;
    uint64_t web_hello_ms;
    uint64_t web_idle_ms;
    char web_certificate[SETTINGS_TEXT_MAX + 1];
    char web_key[SETTINGS_TEXT_MAX + 1];
    char web_files[SETTINGS_TEXT_MAX + 1];
    char web_files_policy[SETTINGS_TEXT_MAX + 1];
    bool web_console;
    char web_proxies[SETTINGS_TEXT_MAX + 1];
    char web_proxy_protocol[SETTINGS_TEXT_MAX + 1];
    char web_hooks[SETTINGS_TEXT_MAX + 1];
    char web_hook_headers[SETTINGS_TEXT_MAX + 1];
    char web_origins[SETTINGS_TEXT_MAX + 1];

    /* backends */
    char zmq_listen[SETTINGS_TEXT_MAX + 1];
    char zmq_feeds[SETTINGS_TEXT_MAX + 1];
    char zmq_certificate[SETTINGS_TEXT_MAX + 1];
    char zmq_certificates[SETTINGS_TEXT_MAX + 1];
    uint64_t zmq_connections;
    uint64_t zmq_idle_ms;
    uint64_t zmq_heartbeat_ms, zmq_linger_ms;
    uint64_t zmq_in_messages, zmq_feeds_events;  /* high-water marks */

    /* a node from afar, for the tools */
    char at[SETTINGS_TEXT_MAX + 1];
    char at_certificate[SETTINGS_TEXT_MAX + 1];
    char at_server[SETTINGS_TEXT_MAX + 1];
    char at_token[SETTINGS_TEXT_MAX + 1];  /* a file */

    /* who is who */
    char token_keys[SETTINGS_TEXT_MAX + 1];  /* "": STORE/token.keys, see settings_token_keys */
    char token_issuer[SETTINGS_TEXT_MAX + 1];
    char token_audience[SETTINGS_TEXT_MAX + 1];
    char token_issuers[SETTINGS_TEXT_MAX + 1];  /* "": none */
    uint64_t token_fetch_ms;
    bool auth_register;
    uint64_t auth_access_ms;
    uint64_t auth_refresh_ms;
    uint64_t rate_reads;        /* a second, of one client; 0: no bound; so the next two */
    uint64_t rate_commands;
    uint64_t rate_sign_ins;
    uint64_t rate_address;

    /* log */
    uint64_t log_level;         /* troupe_level_t */
    uint64_t log_format;        /* log_format_t */

    uint8_t sources[SETTINGS_MOST];  /* setting_source_t by row of the table */
} settings_t;

typedef struct {
    const char *name;
    setting_type_t type;
    size_t offset;          /* in settings_t: char [], bool, else uint64_t */
    const char *standard;   /* the default, as one would write it */
    uint64_t least, most;   /* of numbers */
    const char *choices;    /* "human json": the words of a SETTING_CHOICE, 0, 1, 2 ... */
    const char *doc;        /* one or more sentences */
} setting_t;

/*  All defaults. */
void settings_init (settings_t *self);

/*  Sets one by its text. TROUPE_NOT_FOUND: no such name, and the text says the
 *  nearest; TROUPE_INVALID: the text says what is wanted. Then nothing changed.
 *  The source is the command line; a program's troupe_set counts as that. */
troupe_status_t settings_set (settings_t *self, const char *name, const char *text,
                              troupe_error_t *error) TROUPE_CHECKED;

/*  Lines of `name = value`, "values in quotes", # comments. All or nothing; errors
 *  begin with "name:line: ". The bytes need no NUL and may be anything. */
troupe_status_t settings_read_text (settings_t *self, const char *text, size_t size, const char *name,
                                    troupe_error_t *error) TROUPE_CHECKED;

/*  TROUPE_NOT_FOUND, TROUPE_IO, TROUPE_TOO_LARGE, or as settings_read_text. */
troupe_status_t settings_read_file (settings_t *self, const char *path, troupe_error_t *error) TROUPE_CHECKED;

/*  Takes TROUPE_<NAME> of the process's environment; other TROUPE_ variables are
 *  nobody's business here (container systems invent such names). */
troupe_status_t settings_read_environment (settings_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Defaults, file, environment. The file is `path`; when that is NULL the one
 *  named by TROUPE_CONFIG, else ./troupe.conf, else /etc/troupe/troupe.conf, the
 *  latter two only where they exist. */
troupe_status_t settings_load (settings_t *self, const char *path, troupe_error_t *error) TROUPE_CHECKED;

/*  The rows in the order of the manual; false stops. `row` indexes sources[]. */
typedef bool (settings_each_t) (void *arg, unsigned row, const setting_t *setting);
void settings_each (settings_each_t *each, void *arg);

/*  NULL when there is none of that name. */
const setting_t *settings_find (const char *name, unsigned *row);

/*  The value as one would write it, cut to fit. Returns `text`. */
const char *settings_text (const settings_t *self, const setting_t *setting, char *text, size_t size);

const char *setting_type_name (setting_type_t type);
const char *setting_source_name (setting_source_t source);

/*  A whole number, or with a unit bytes or a duration in milliseconds; false
 *  when the text is none or does not fit. */
bool settings_read_number (const char *text, setting_type_t type, uint64_t *number);

/*  The path of the control socket; at least SETTINGS_TEXT_MAX + 16 bytes. Returns `path`. */
const char *settings_control (const settings_t *self, char *path, size_t size);

/*  The path of the keys that sign tokens; as above. */
const char *settings_token_keys (const settings_t *self, char *path, size_t size);

/*  The bounds of a shard, as the runtime takes them. */
shard_limits_t settings_limits (const settings_t *self);

#endif
