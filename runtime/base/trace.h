/*  trace.h - whose doing something is: a W3C traceparent that goes from message to message.
 *
 *  It is passed on as it came: turns make no spans of their own.
 */
#ifndef RUNTIME_BASE_TRACE_H
#define RUNTIME_BASE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_SIZE 25       /* id of the trace, id of the parent, flags */
#define TRACE_TEXT_SIZE 56  /* "00-", 32 digits, "-", 16 digits, "-", 2 digits, NUL */

/*  False when the text is no traceparent; later versions are read as far as they are known. */
bool trace_read (const char *text, uint8_t trace[TRACE_SIZE]);

void trace_write (const uint8_t trace[TRACE_SIZE], char text[TRACE_TEXT_SIZE]);

#endif
