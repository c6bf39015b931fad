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
void log_configure (log_level_t least, log_format_t format);

bool log_is_on (log_level_t level);

/*  The text is one line without a newline: "store: opened in 3 ms". */
void log_write (log_level_t level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#define log_debug(...) log_write (LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write (LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_write (LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_write (LOG_LEVEL_ERROR, __VA_ARGS__)

/*  One finished line into `line` (newline and NUL included), for tests. Returns its size. */
size_t log_format_line (log_format_t format, log_level_t level, uint64_t wall_ms, const char *text, char *line,
                        size_t size);

#endif
