/*  helper.c - one thread for what would block a gateway. */
#include "transports/edge/helper.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

struct helper_s {
    /* fixed after start */
    pthread_t thread;
    uint32_t waiting_most;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    helper_job_t *first, **last;
    uint32_t waiting;
    bool is_ending;
};

static void *
run (void *arg)
{
    helper_t *self = arg;
    pthread_mutex_lock (&self->lock);
    while (self->first || !self->is_ending) {
        helper_job_t *job = self->first;
        if (!job) {
            pthread_cond_wait (&self->changed, &self->lock);
            continue;
        }
        self->first = job->next;
        if (!self->first)
            self->last = &self->first;
        self->waiting -= 1;
        bool is_late = self->is_ending;
        pthread_mutex_unlock (&self->lock);
        job->run (job, is_late);
        pthread_mutex_lock (&self->lock);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

helper_t *
helper_new (uint32_t waiting_most, troupe_error_t *error)
{
    helper_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for a helper");
        return NULL;
    }
    self->waiting_most = waiting_most;
    self->last = &self->first;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    if (thread_start (&self->thread, "troupe-helper", run, self, error) == TROUPE_OK)
        return self;
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    return NULL;
}

bool
helper_do (helper_t *self, helper_job_t *job)
{
    pthread_mutex_lock (&self->lock);
    bool is_taken = self->waiting < self->waiting_most && !self->is_ending;
    if (is_taken) {
        job->next = NULL;
        *self->last = job;
        self->last = &job->next;
        self->waiting += 1;
        pthread_cond_signal (&self->changed);
    }
    pthread_mutex_unlock (&self->lock);
    return is_taken;
}

void
helper_destroy (helper_t **self_p)
{
    helper_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->is_ending = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}
