/*  census.h - which feeds are watched, and by whom. Of the gateway's thread. */
#ifndef TRANSPORTS_EDGE_CENSUS_H
#define TRANSPORTS_EDGE_CENSUS_H

#include "transports/edge/edge.h"

#define CENSUS_MOST 1000

/*  Appends [{address, channel, volatile, watchers, head, ring, keys}], the feeds with most watchers first; of one actor
 *  alone when `address` is not empty. */
void census_feeds (edge_t *edge, const char *address, uint32_t most, buffer_t *to);

/*  Appends [{subject, state, binary, lacks, unread_bytes}]: `lacks` counts events that wait for it here.
 *  TROUPE_NOT_FOUND: nobody watches. */
troupe_status_t census_watchers (edge_t *edge, const char *address, const char *channel, uint32_t most, buffer_t *to,
                                 troupe_error_t *error) TROUPE_CHECKED;

#endif
