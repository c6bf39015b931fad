/*  deaths.h - children that die in handlers, for the tests of the flight recorder.
 */
#ifndef TESTS_UNIT_DEATHS_H
#define TESTS_UNIT_DEATHS_H

#include "runtime/recorder_file.h"

#include <sys/types.h>

#define PATH "recorder"
#define SLOTS 4

/*  What a child does on a worker's thread with slot 1. */
typedef void (death_t) (recorder_t *recorder, recorder_slot_t *slot);

char *forbidden_page (void);
void write_to (volatile char *place);
void spin_forever (void);

/*  A death: message 77, "runner/7", "lap". */
void segfault (recorder_t *recorder, recorder_slot_t *slot);

/*  In a child: never returns; exit status 0 when `death` does. */
void run_child (death_t *death);

/*  How a child ended: an exit status, or minus the signal. */
int child_end (pid_t child);
int die_by (death_t *death);

/*  As the next start opens it. */
recorder_t *open_again (void);
unsigned suspects (const recorder_t *recorder);

/*  The next start finds this strike of message 77 and no other; or none, and so many in hand, 77 among them. */
void assert_one_strike (int signal);
void assert_no_strike (unsigned in_hand);

/*  Whether one of the first `lines` lines of a backtrace lies in this function, which is a short one. */
bool trace_has (const char *trace, unsigned lines, void (*function) (void));

int remove_file (void **state);  /* a setup and a teardown */

#endif
