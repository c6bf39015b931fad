/*  notify.h - what a service manager is told of a node (sd_notify(3), by its protocol alone). */
#ifndef COMMANDS_NOTIFY_H
#define COMMANDS_NOTIFY_H

#include <stdint.h>

/*  "READY=1" and the like; nothing when nobody wants to hear it. */
void notify_say (const char *text);

/*  How often "WATCHDOG=1" is wanted at least; 0: not at all. */
uint64_t notify_watchdog_ms (void);

#endif
