/*  command.h - what a subcommand is, what it is given, and how it ends.
 *
 *  A subcommand is one file with one command_t: words, options and texts stand
 *  in it, so that parsing, --help and the nearest-name hints are the same for all.
 *  Every setting of troupe.conf(5) is an option of every subcommand.
 *  A command runs once, on the main thread.
 */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "commands/exit.h"
#include "commands/settings.h"
#include <stdio.h>

#define COMMAND_OPTIONS_MAX 16

typedef struct {
    const char *name;   /* "follow" */
    const char *value;  /* "N"; NULL: a flag */
    const char *doc;
} option_t;

struct invocation_s;

/*  What a command works on, and so whether it takes --at. */
typedef enum {
    REACH_STORE,  /* the store of this machine, or the node that has it open */
    REACH_NODE,   /* a node, here or --at another place */
    REACH_NONE    /* neither: a TROUPE_AT that is there for others is no matter */
} reach_t;

typedef struct {
    const char *name;
    const char *words;        /* "ADDRESS VERB [BODY]", or "" */
    unsigned least, most;     /* how many words */
    const char *summary;      /* one line, without a full stop */
    const char *help;         /* more lines, or NULL */
    reach_t reach;
    const option_t *options;  /* ends with a NULL name; NULL: none */
    int (*run) (struct invocation_s *invocation);
} command_t;

typedef struct invocation_s {
    const char *program;                     /* the last part of argv[0] */
    const command_t *command;
    const troupe_kind_t *const *kinds;       /* compiled in; ends with NULL */
    settings_t settings;
    char **words;
    unsigned word_count;
    const char *values[COMMAND_OPTIONS_MAX]; /* by place in the command's options; "" of a flag; NULL: not given */
} invocation_t;

/*  Takes the command line behind the subcommand's name apart, and loads the
 *  settings. EXIT_OK; else it has said why, and the program ends with that code.
 *  *help: --help was asked for, and nothing else was looked at. */
int invocation_read (invocation_t *self, int argc, char **argv, bool *help);
void invocation_clear (invocation_t *self);

/*  The option must be one of the command's table. */
bool option_given (const invocation_t *self, const char *name);
const char *option_text (const invocation_t *self, const char *name);  /* NULL: not given */

/*  Unchanged when it was not given. False: it has said what is wanted; the end is EXIT_USAGE. */
bool option_number (const invocation_t *self, const char *name, uint64_t *number);
bool option_duration (const invocation_t *self, const char *name, uint64_t *ms);

/*  "troupe call: TEXT" on stderr. Returns the code. */
int command_fail (const invocation_t *self, int code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

/*  The same, with the code that belongs to an operating error. */
int command_fail_error (const invocation_t *self, const troupe_error_t *error);

void command_help (const invocation_t *self, FILE *to);

/*  The subcommands, in the order of the help; ends with NULL. */
extern const command_t *const commands[];
extern const command_t command_serve, command_call, command_cast, command_watch, command_inspect, command_feed,
    command_dead, command_revive, command_top, command_trace, command_kinds, command_links, command_check,
    command_backup, command_restore, command_settings, command_stop, command_acknowledge, command_checkpoint,
    command_token, command_certificate, command_bench, command_completion, command_new;

#endif
