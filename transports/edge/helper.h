/*  helper.h - one thread for what would block a gateway: passwords are slow on purpose.
 *
 *  What waits for it is bounded. It runs one job after the other, in the order they came.
 */
#ifndef TRANSPORTS_EDGE_HELPER_H
#define TRANSPORTS_EDGE_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <troupe.h>

typedef struct helper_s helper_t;

/*  Lives inside of what it works on. */
typedef struct helper_job_s {
    struct helper_job_s *next;
    /* On the helper's thread. `is_late`: the helper ends, what takes long is left out. */
    void (*run) (struct helper_job_s *self, bool is_late);
} helper_job_t;

/*  NULL and an error. */
helper_t *helper_new (uint32_t waiting_most, troupe_error_t *error);

/*  Any thread. False: too many wait, and it will not be run. */
bool helper_do (helper_t *self, helper_job_t *job) TROUPE_CHECKED;

/*  When all jobs have run. */
void helper_destroy (helper_t **self_p);

#endif
