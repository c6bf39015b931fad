/*  floor.h - for the benches: what ZeroMQ itself makes of this machine, with nothing of ours behind it. */
#ifndef TRANSPORTS_ZMQ_FLOOR_H
#define TRANSPORTS_ZMQ_FLOOR_H

#include <stdint.h>

/*  A ROUTER on a thread sends each message of a DEALER back. The DEALER keeps `in_flight` messages of so many bytes on
 *  their way for so long. Round trips a second; 0: it cannot. */
double floor_round_trips (uint32_t in_flight, uint32_t bytes, double seconds);

#endif
