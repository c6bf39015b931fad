/*  bench_stadium.h - what clients of the benches call and watch: actors of the kind `stadium`.
 *
 *      burst              {t, n, on, k?}: publishes n events of about 150 bytes with this time, with keys from k on
 *      look               a read: one value
 *      change             a command: loads and stores 200 bytes
 *      samples            a batch of a device, an array of BENCH_BATCH arrays
 *      note, notes        stores one of ten short texts; a read of all of them
 *
 *  Channels: live is kept, gauge is volatile.
 */
#ifndef COMMANDS_BENCH_STADIUM_H
#define COMMANDS_BENCH_STADIUM_H

#include <troupe.h>

#define BENCH_BATCH 4    /* samples of a call */
#define BENCH_KEYS 1024  /* of events; more than are on their way */

extern const troupe_kind_t *const bench_stadium[];

#endif
