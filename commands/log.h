/*  log.h - lines about the life of a node, on stderr.
 *
 *  What is returned is not logged, and what is logged is not returned: only
 *  the code that decides what happens next writes a line. Any thread; a line
 *  is one write, so lines of threads and processes never mix. Never blocks on
 *  a lock, never allocates, keeps errno.
 */
#ifndef COMMANDS_LOG_H
#define COMMANDS_LOG_H

#include "commands/settings.h"

#define LOG_LINE_MAX 2048  /* bytes of a line; longer ones are cut */

/*  Before the threads start; the default is info and human. */
void log_configure (troupe_level_t least, log_format_t format);

bool log_is_on (troupe_level_t level);
troupe_level_t log_from (void);  /* the least that is on */

/*  The text is one line without a newline: "store: opened in 3 ms". */
void log_write (troupe_level_t level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#define log_debug(...) log_write (TROUPE_LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write (TROUPE_LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write (TROUPE_LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_write (TROUPE_LOG_ERROR, __VA_ARGS__)

/*  For who knows no levels: an error, or what is good to know. */
void log_line (bool is_error, const char *line);

/*  One for the audit log: whatever the least is. */
void log_audit (const char *line);

/*  A line that an actor's turn wrote; `trace` is a traceparent or "". */
void log_turn (troupe_level_t level, const char *actor, const char *verb, const char *trace, const char *text);

typedef struct {
    troupe_level_t level;
    uint64_t wall_ms;
    const char *actor;     /* NULL: it is the node's */
    const char *verb, *trace;
    const char *text;
} log_entry_t;

/*  One finished line into `line` (newline and NUL included), for tests. Returns its size. */
size_t log_format_line (log_format_t format, const log_entry_t *entry, char *line, size_t size);

#endif
