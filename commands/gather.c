/*  gather.c - a request that is answered by what shards say, one of them or all.
 *
 *  DESIGN
 *  Nobody sees what a crash could undo, operators neither (rule 4): a visit
 *  that has looked waits with shard_release_after, and only then goes home. A
 *  visit whose shard is gone comes home with "stopping", so that no request is
 *  ever left without an end. The control thread counts who is home; so no part
 *  is ever touched by two threads.
 */
#include "commands/gather.h"

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

/*  The elements of all arrays as one; the first error instead, if there is one. */
static void
merge (gather_t *gather)
{
    request_t *request = gather->request;
    uint32_t elements = 0;
    packed_value_t head;
    for (uint32_t i = 0; i < gather->count; i++) {
        visit_t *visit = &gather->visits[i];
        packed_reader_t reader = { visit->packed.data, visit->packed.data + visit->packed.size };
        if (visit->packed.failed)
            error_set (&visit->error, TROUPE_NO_MEMORY, "out of memory for the answer");
        if (visit->error.status != TROUPE_OK) {
            request->error = visit->error;
            return;
        }
        if (gather->is_list && packed_next (&reader, &head) && head.type == PACKED_ARRAY)
            elements += head.count;
    }
    if (gather->is_list)
        packed_put_array (&request->body, elements);
    for (uint32_t i = 0; i < gather->count; i++) {
        visit_t *visit = &gather->visits[i];
        packed_reader_t reader = { visit->packed.data, visit->packed.data + visit->packed.size };
        if (gather->is_list)
            (void) packed_next (&reader, &head);
        buffer_append (&request->body, reader.at, (size_t) (reader.end - reader.at));
    }
}

/*  On the control thread: one visit is over. */
static void
come_home (note_t *note)
{
    visit_t *visit = (visit_t *) ((char *) note - offsetof (visit_t, note));
    gather_t *gather = visit->gather;
    if (--gather->waiting > 0)
        return;
    merge (gather);
    request_t *request = gather->request;
    if (gather->finish && request->error.status == TROUPE_OK)
        request->error.status = gather->finish (gather, &request->error);
    for (uint32_t i = 0; i < gather->count; i++)
        buffer_clear (&gather->visits[i].packed);
    memory_free (gather);
    request_finish (request);
}

static void
release_visit (void *arg, bool is_durable)
{
    visit_t *visit = arg;
    if (!is_durable)
        error_set (&visit->error, TROUPE_STOPPING, "the node stops");
    control_post (visit->gather->request->control, &visit->note);
}

/*  On the shard's thread, between turns; without a shard when that is gone. */
static void
run_visit (shard_t *shard, errand_t *errand)
{
    visit_t *visit = (visit_t *) errand;
    if (!shard) {
        release_visit (visit, false);
        return;
    }
    visit->error.status = TROUPE_OK;
    troupe_status_t status = visit->gather->look (visit->gather, shard, &visit->packed, &visit->error);
    CHECK (status == visit->error.status);
    if (shard_release_after (shard, release_visit, visit) != TROUPE_OK)
        release_visit (visit, false);
}

gather_t *
gather_new (request_t *request, uint32_t count)
{
    gather_t *gather = memory_zalloc (sizeof *gather + count * sizeof *gather->visits);
    if (!gather) {
        error_set (&request->error, TROUPE_NO_MEMORY, "out of memory");
        request_finish (request);
        return NULL;
    }
    gather->request = request;
    gather->count = gather->waiting = count;
    for (uint32_t i = 0; i < count; i++) {
        visit_t *visit = &gather->visits[i];
        visit->errand.letter.type = LETTER_ERRAND;
        visit->errand.run = run_visit;
        visit->note.arrived = come_home;
        visit->gather = gather;
    }
    return gather;
}

void
gather_send (troupe_t *node, gather_t *gather, uint16_t first)
{
    gather->node = node;
    for (uint32_t i = 0; i < gather->count; i++) {  /* nobody is home before this thread hears notes again */
        visit_t *visit = &gather->visits[i];
        if (!node_post (node, (uint16_t) (first + i), &visit->errand.letter))
            release_visit (visit, false);
    }
}

void
gather_give_up (gather_t **gather_p)
{
    request_t *request = (*gather_p)->request;
    memory_free (*gather_p);
    *gather_p = NULL;
    request_finish (request);
}
