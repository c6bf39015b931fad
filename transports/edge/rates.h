/*  rates.h - how much one client may ask for: by its subject, or its address when it is nobody, by class; and how much
 *  one address, which may have many. */
#ifndef TRANSPORTS_EDGE_RATES_H
#define TRANSPORTS_EDGE_RATES_H

#include "transports/edge/edge.h"

typedef struct rates_s rates_t;

/*  So many a second of each class, and ten times as many at once; 0: no bound. NULL: no memory. */
rates_t *rates_new (const uint32_t a_second[RATE_CLASSES]);
void rates_destroy (rates_t **self_p);

/*  TROUPE_OVERLOADED, and when it is worth another try. */
troupe_status_t rates_take (rates_t *self, rate_class_t class, const identity_t *who, const void *address,
                            size_t address_size, uint32_t *retry_after_ms, troupe_error_t *error) TROUPE_CHECKED;

/*  The same, and it does not count: for what counts when it has failed. */
troupe_status_t rates_look (rates_t *self, rate_class_t class, const identity_t *who, const void *address,
                            size_t address_size, uint32_t *retry_after_ms, troupe_error_t *error) TROUPE_CHECKED;

#endif
