/*  text.h - figures as people read them. Each fills `text` and returns it. Any thread. */
#ifndef COMMANDS_TEXT_H
#define COMMANDS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_FIGURE 32  /* bytes that are always enough */

const char *text_count (uint64_t count, char *text);       /* 950, 12.3 k, 4.56 M */
const char *text_bytes (uint64_t bytes, char *text);       /* 950 B, 12.3 KB, 4.56 MB */
const char *text_rate (double per_second, char *text);     /* 0.25, 12.3 k */
const char *text_nanoseconds (uint64_t ns, char *text);    /* 840 ns, 12.3 us, 4.56 ms, 7.89 s */
const char *text_duration (uint64_t ms, char *text);       /* 250 ms, 12.3 s, 5 min 12 s, 3 h 20 min, 12 d 4 h */
const char *text_time (uint64_t wall_ms, char *text);      /* 2024-05-01 12:30:59.123 in local time */

#endif
