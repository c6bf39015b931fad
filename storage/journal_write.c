/*  journal_write.c - frames to bytes of a segment file.
 *
 *  DESIGN
 *  A batch is gathered in one aligned buffer and written by one call, padded to a
 *  page. Only a frame larger than the buffer makes it several calls; that is as
 *  safe, since a batch counts by its checksums and not by the size of a write.
 *  The same frames at the same place give the same bytes, so that a batch which
 *  found the disk full is simply written again. The journal's thread, and
 *  recovery before there is one. It never syncs: the callers say when.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "storage/journal_parts.h"

#include <string.h>

typedef struct {
    journal_t *journal;
    disk_file_t *file;
    uint64_t at;   /* where the buffer goes in the file; multiple of a page */
    size_t used;
} writer_t;

static troupe_status_t
flush (writer_t *writer, troupe_error_t *error)
{
    journal_t *journal = writer->journal;
    if (!writer->used)
        return TROUPE_OK;
    troupe_status_t status = journal->disk->write (journal->disk->self, writer->file, writer->at, journal->buffer,
                                                   writer->used, error);
    if (status == TROUPE_FULL)
        return status;
    if (status != TROUPE_OK)
        return journal_fail (journal, error);
    atomic_fetch_add_explicit (&journal->written_bytes, writer->used, memory_order_relaxed);
    writer->at += writer->used;
    writer->used = 0;
    return TROUPE_OK;
}

/*  NULL bytes: zeros. */
static troupe_status_t
put (writer_t *writer, const uint8_t *bytes, size_t size, troupe_error_t *error)
{
    while (size) {
        size_t room = JOURNAL_BUFFER_SIZE - writer->used;
        size_t some = size < room ? size : room;
        if (bytes) {
            memcpy (writer->journal->buffer + writer->used, bytes, some);
            bytes += some;
        } else {
            memset (writer->journal->buffer + writer->used, 0, some);
        }
        writer->used += some;
        size -= some;
        if (writer->used == JOURNAL_BUFFER_SIZE) {
            troupe_status_t status = flush (writer, error);
            if (status != TROUPE_OK)
                return status;
        }
    }
    return TROUPE_OK;
}

static void
encode_header (const journal_t *self, const segment_t *segment, uint8_t page[JOURNAL_PAGE])
{
    segment_header_t header = { segment->number, segment->salt, segment->first_lsn };
    segment_header_encode (page, &header, &self->identity);
}

static troupe_status_t
put_record (writer_t *writer, const segment_t *segment, const frame_t *frame, uint64_t durable_lsn,
            uint64_t *previous, troupe_error_t *error)
{
    const journal_t *journal = writer->journal;
    CHECK (frame->body.size <= FRAME_BODY_MAX && !frame->body.failed);
    *previous = record_body_checksum (frame->body.data, frame->body.size, journal->seed, *previous);
    record_head_t head = {
        .salt = segment->salt, .lsn = frame->lsn, .number = frame->number, .time_ms = frame->time_ms,
        .durable_lsn = durable_lsn, .body_checksum = *previous, .body_size = (uint32_t) frame->body.size,
        .shard = frame->shard, .is_last = frame->next == NULL,
    };
    uint8_t bytes[RECORD_HEAD];
    record_head_encode (bytes, &head, journal->seed);
    troupe_status_t status = put (writer, bytes, sizeof bytes, error);
    if (status == TROUPE_OK && frame->body.size)
        status = put (writer, frame->body.data, frame->body.size, error);
    size_t padding = (size_t) record_size (frame->body.size) - RECORD_HEAD - frame->body.size;
    return status == TROUPE_OK ? put (writer, NULL, padding, error) : status;
}

troupe_status_t
journal_write_batch (journal_t *self, const segment_t *segment, bool with_header, uint64_t at, const frame_t *frames,
                     uint64_t *previous, uint64_t *end, troupe_error_t *error)
{
    CHECK (at % JOURNAL_PAGE == 0 && (!with_header || at == JOURNAL_PAGE));
    writer_t writer = { self, segment->file, at, 0 };
    if (with_header) {
        encode_header (self, segment, self->buffer);
        writer.at = 0;
        writer.used = JOURNAL_PAGE;
    }
    uint64_t chain = *previous, durable_lsn = frames->lsn - 1;
    troupe_status_t status = TROUPE_OK;
    for (const frame_t *frame = frames; frame && status == TROUPE_OK; frame = frame->next) {
        CHECK (!frame->next || frame->next->lsn == frame->lsn + 1);
        status = put_record (&writer, segment, frame, durable_lsn, &chain, error);
    }
    size_t over = writer.used % JOURNAL_PAGE;
    if (status == TROUPE_OK && over)
        status = put (&writer, NULL, JOURNAL_PAGE - over, error);
    if (status == TROUPE_OK)
        status = flush (&writer, error);
    if (status != TROUPE_OK)
        return status;
    CHECK (writer.at <= segment->size);
    *previous = chain;
    *end = writer.at;
    return TROUPE_OK;
}

troupe_status_t
journal_write_header (journal_t *self, const segment_t *segment, troupe_error_t *error)
{
    encode_header (self, segment, self->buffer);
    writer_t writer = { self, segment->file, 0, JOURNAL_PAGE };
    return flush (&writer, error);
}
