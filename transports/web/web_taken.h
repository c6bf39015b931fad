/*  web_taken.h - how far the other host of a connection is. Pure: a descriptor. */
#ifndef TRANSPORTS_WEB_WEB_TAKEN_H
#define TRANSPORTS_WEB_WEB_TAKEN_H

#include <stdbool.h>
#include <stdint.h>

/*  How many bytes it said it has got, and whether there are some that it has not; 0 and false: not known. */
uint64_t tcp_bytes_taken (int descriptor, bool *more);

#endif
