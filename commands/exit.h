/*  exit.h - how a process ends. The codes stand in troupe(1). */
#ifndef COMMANDS_EXIT_H
#define COMMANDS_EXIT_H

enum {
    EXIT_OK = 0,
    EXIT_ANSWER = 1,     /* it was asked, and the answer is an error */
    EXIT_USAGE = 2,      /* wrong words or options */
    EXIT_UNREACHED = 3,  /* no node answers there */
    EXIT_INTERNAL = 70,  /* out of memory, or a bug: another start may help */
    EXIT_DISK = 74,      /* an I/O error: an operator must look first */
    EXIT_CONFIG = 78     /* cannot start before somebody changes something */
};

#endif
