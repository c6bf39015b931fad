/*  log.c - lines about the life of a node, on stderr.
 *
 *  DESIGN
 *  A line is built on the stack and written with one write(2): that is atomic
 *  enough for pipes and files opened for append, needs no lock, and works in a
 *  process that is short of memory. Texts hold names from strangers, so control
 *  characters and bad UTF-8 never reach a terminal or a log reader as they are.
 *  Times are UTC. A line that cannot be written is lost: there is nowhere to
 *  say so.
 */
#include "commands/log.h"

#include "runtime/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAIL_ROOM 4  /* quote, brace, newline, NUL */

/* fixed after log_configure */
static troupe_level_t log_least = TROUPE_LOG_INFO;
static log_format_t log_shape = LOG_FORMAT_HUMAN;

void
log_configure (troupe_level_t least, log_format_t format)
{
    log_least = least;
    log_shape = format;
}

bool
log_is_on (troupe_level_t level)
{
    return level >= log_least;
}

troupe_level_t
log_from (void)
{
    return log_least;
}

typedef struct {
    char *at;
    char *end;  /* of what may be used; TAIL_ROOM lies behind */
} line_t;

static bool
put (line_t *line, const char *bytes, size_t size)
{
    if (size > (size_t) (line->end - line->at))
        return false;
    memcpy (line->at, bytes, size);
    line->at += size;
    return true;
}

/*  One character, made harmless; `size` 0 stands for a byte that is no UTF-8. */
static bool
put_character (line_t *line, const uint8_t *at, size_t size, log_format_t format)
{
    char escaped[8];
    if (size == 0)
        return put (line, "?", 1);
    if (format == LOG_FORMAT_JSON && (*at == '"' || *at == '\\')) {
        escaped[0] = '\\';
        escaped[1] = (char) *at;
        return put (line, escaped, 2);
    }
    if (*at >= 0x20 && *at != 0x7f)
        return put (line, (const char *) at, size);
    if (format == LOG_FORMAT_HUMAN)
        return put (line, *at == '\n' || *at == '\t' ? " " : "?", 1);
    snprintf (escaped, sizeof escaped, "\\u%04x", *at);
    return put (line, escaped, 6);
}

static void
put_text (line_t *line, const char *text, log_format_t format)
{
    size_t left = strlen (text);
    for (const uint8_t *at = (const uint8_t *) text; left;) {
        size_t size = utf8_step (at, left);
        if (!put_character (line, at, size, format))
            return;
        at += size ? size : 1;
        left -= size ? size : 1;
    }
}

static void
put_time (char *text, size_t size, uint64_t wall_ms)
{
    time_t seconds = (time_t) (wall_ms / 1000);
    struct tm parts;
    gmtime_r (&seconds, &parts);
    size_t used = strftime (text, size, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf (text + used, size - used, ".%03uZ", (unsigned) (wall_ms % 1000));
}

/*  `,"name":"text"` */
static void
put_member (line_t *line, const char *name, const char *text)
{
    put (line, ",\"", 2);
    put (line, name, strlen (name));
    put (line, "\":\"", 3);
    put_text (line, text, LOG_FORMAT_JSON);
    put (line, "\"", 1);
}

/*  The id of the trace, which is what all its spans have in common. */
static void
take_trace_id (const char *trace, char id[33])
{
    snprintf (id, 33, "%.32s", strlen (trace) > 3 ? trace + 3 : "");
}

static void
put_turn (line_t *line, const log_entry_t *entry, log_format_t format)
{
    char id[33];
    take_trace_id (entry->trace, id);
    if (format == LOG_FORMAT_JSON) {
        put_member (line, "actor", entry->actor);
        put_member (line, "verb", entry->verb);
        if (*id)
            put_member (line, "trace_id", id);
        return;
    }
    put (line, entry->actor, strlen (entry->actor));
    put (line, " ", 1);
    put (line, entry->verb, strlen (entry->verb));
    if (*id) {
        put (line, " [", 2);
        put (line, id, 32);
        put (line, "]", 1);
    }
    put (line, ": ", 2);
}

size_t
log_format_line (log_format_t format, const log_entry_t *entry, char *line, size_t size)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    const char *level = names[entry->level];
    char time_text[40], head[112];
    put_time (time_text, sizeof time_text, entry->wall_ms);
    int head_size = format == LOG_FORMAT_JSON
        ? snprintf (head, sizeof head, "{\"time\":\"%s\",\"level\":\"%s\",\"pid\":%ld", time_text, level,
                    (long) getpid ())
        : snprintf (head, sizeof head, "%s %-7s ", time_text, level);
    line_t to = { .at = line, .end = line + size - TAIL_ROOM };
    put (&to, head, (size_t) head_size);
    if (entry->actor)
        put_turn (&to, entry, format);
    if (format == LOG_FORMAT_JSON)
        put (&to, ",\"text\":\"", 9);
    put_text (&to, entry->text, format);
    to.end += TAIL_ROOM;
    if (format == LOG_FORMAT_JSON)
        put (&to, "\"}", 2);
    put (&to, "\n", 2);
    return (size_t) (to.at - line) - 1;
}

static void
write_entry (log_entry_t *entry)
{
    char line[LOG_LINE_MAX];
    int saved_errno = errno;
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    entry->wall_ms = (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
    size_t size = log_format_line (log_shape, entry, line, sizeof line);
    while (write (STDERR_FILENO, line, size) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

void
log_turn (troupe_level_t level, const char *actor, const char *verb, const char *trace, const char *text)
{
    log_entry_t entry = { .level = level, .actor = actor, .verb = verb, .trace = trace, .text = text };
    if (log_is_on (level))
        write_entry (&entry);
}

void
log_write (troupe_level_t level, const char *format, ...)
{
    if (!log_is_on (level))
        return;
    char text[LOG_LINE_MAX];
    va_list arguments;
    va_start (arguments, format);
    if (vsnprintf (text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end (arguments);
    write_entry (&(log_entry_t) { .level = level, .text = text });
}

void
log_line (bool is_error, const char *line)
{
    if (is_error)
        log_error ("%s", line);
    else
        log_info ("%s", line);
}

void
log_audit (const char *line)
{
    char text[LOG_LINE_MAX];
    snprintf (text, sizeof text, "audit: %s", line);
    write_entry (&(log_entry_t) { .level = TROUPE_LOG_INFO, .text = text });
}
