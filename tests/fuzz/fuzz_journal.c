/*  fuzz_journal.c - any bytes as a segment file: recovery must say what it is,
 *  never crash, hang, or read beyond.
 *
 *  Arbitrary bytes rarely have a checksum that is right, so the first byte says
 *  what is made of the others: a file as it is; what follows a good header; or
 *  records whose checksums are good and whose fields are not. Then: check and recovery
 *  must agree, and what recovery accepted must be there after the next start.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "storage/disk_memory.h"
#include "storage/journal.h"
#include "storage/journal_format.h"

#define SHARDS 3
#define SALT 0x1122334455667788u
#define FILE_MAX (1u << 18)
#define FRAMES_MAX 4096

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
    frame_t *frames[FRAMES_MAX];
    size_t count;
} taken_t;

static const state_identity_t identity = { .store_id = { 1 }, .epoch = { 2 }, .format = 1, .shards = SHARDS };
static uint8_t file_bytes[FILE_MAX];
static taken_t taken;

static troupe_status_t
take (void *arg, frame_t *frame)
{
    taken_t *all = arg;
    CHECK (all->count < FRAMES_MAX && frame->shard < SHARDS);
    CHECK (frame_body_is_valid (frame->body.data, frame->body.size));
    all->frames[all->count++] = frame;
    return TROUPE_OK;
}

static size_t
drop (taken_t *all)
{
    size_t count = all->count;
    while (all->count)
        frame_destroy (&all->frames[--all->count]);
    return count;
}

static size_t
put_header (uint64_t first_lsn)
{
    segment_header_t header = { 1, SALT, first_lsn };
    segment_header_encode (file_bytes, &header, &identity);
    return JOURNAL_PAGE;
}

/*  Eight bytes of input a record: small changes of what the journal would write. */
static size_t
put_records (const uint8_t *data, size_t size)
{
    uint64_t seed = journal_seed (&identity), previous = SALT, lsn = 1, durable_lsn = 0;
    uint64_t numbers[SHARDS] = { 1, 1, 1 };
    size_t at = put_header (1);
    for (; size >= 8 && at + 1024 < FILE_MAX; data += 8, size -= 8) {
        uint8_t body[512] = { FRAME_PUT, 1, 0 };
        size_t body_size = data[0] < 64 ? 0 : FRAME_OP_HEAD + 1 + data[0];
        put_le32 (body + 3, (uint32_t) data[0]);
        body[6] = data[1] & 0x80;
        record_head_t head = {
            .salt = SALT + (data[2] == 1), .lsn = lsn + (data[3] == 1) - (data[3] == 2),
            .number = numbers[data[4] % SHARDS] + (data[5] == 1) - (data[5] == 2), .time_ms = data[5],
            .durable_lsn = durable_lsn + (data[6] == 1), .shard = (uint16_t) (data[4] % (SHARDS + (data[6] == 2))),
            .body_size = (uint32_t) body_size + (data[6] == 3) * 100000, .is_last = data[7] & 1,
        };
        previous = record_body_checksum (body, body_size, seed, previous) + (data[7] == 2);
        head.body_checksum = previous;
        record_head_encode (file_bytes + at, &head, seed);
        memcpy (file_bytes + at + RECORD_HEAD, body, body_size);
        at += record_size (body_size);
        numbers[data[4] % SHARDS] += 1;
        if (head.is_last) {
            at = page_up (at);
            durable_lsn = lsn;
        }
        lsn += 1;
    }
    return page_up (at);
}

static size_t
make_file (const uint8_t *data, size_t size)
{
    memset (file_bytes, 0, sizeof file_bytes);
    if (size == 0)
        return 0;
    uint8_t how = data[0];
    data += 1;
    size -= 1;
    if (how % 3 == 2)
        return put_records (data, size);
    size_t at = how % 3 == 1 ? put_header (1 + how / 3) : 0;
    size_t some = size < FILE_MAX - at ? size : FILE_MAX - at;
    if (some)
        memcpy (file_bytes + at, data, some);
    return at + some;
}

/*  Synced: what its records say of durable LSNs may be believed. */
static disk_t *
disk_with_file (size_t size)
{
    disk_t *disk = disk_memory_new ();
    disk_file_t *file;
    CHECK (disk && disk->open (disk->self, "0000000001.seg", true, &file, NULL) == TROUPE_OK);
    CHECK (disk->write (disk->self, file, 0, file_bytes, size, NULL) == TROUPE_OK);
    CHECK (disk->sync (disk->self, file, NULL) == TROUPE_OK && disk->sync_names (disk->self, NULL) == TROUPE_OK);
    disk->close (disk->self, &file);
    return disk;
}

/*  Recovers and, when that went well, writes one frame more. */
static troupe_status_t
run_once (disk_t *disk, const state_mark_t *marks, bool writes)
{
    journal_options_t options = { .segment_size = 16384, .spare_segments = 1, .salt_seed = 9 };
    troupe_error_t error = { 0 };
    journal_t *journal = journal_new (disk, &identity, &options, &error);
    if (!journal)
        return error.status;
    troupe_status_t status = journal_recover (journal, marks, SHARDS, take, &taken, &error);
    frame_t *frame = NULL;
    if (status == TROUPE_OK && writes) {
        uint64_t newest = marks[0].frame;
        for (size_t i = 0; i < taken.count; i++)
            if (taken.frames[i]->shard == 0)
                newest = taken.frames[i]->number;
        uint32_t frames;
        frame = frame_new (0, newest + 1);
        CHECK (frame);
        journal_submit (journal, frame);
        CHECK (journal_commit (journal, &frames, &error) == TROUPE_OK && frames == 1);
    }
    journal_destroy (&journal);
    frame_destroy (&frame);
    return status;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    state_mark_t marks[SHARDS] = { { 0, 0 } };
    if (size > 1 && data[size - 1] == 0xa5)
        marks[size % SHARDS].frame = data[1] % 8;
    disk_t *disk = disk_with_file (make_file (data, size));
    troupe_error_t error = { 0 };
    troupe_status_t checked = journal_check (disk, &identity, marks, SHARDS, take, NULL, &taken, &error);
    size_t seen = drop (&taken);
    troupe_status_t status = run_once (disk, marks, true);
    size_t recovered = drop (&taken);
    CHECK (status == checked && recovered == seen);
    CHECK (status == TROUPE_OK || status == TROUPE_CORRUPT || status == TROUPE_MISMATCH);
    if (status == TROUPE_OK) {
        disk_memory_crash (disk, size, false);
        CHECK (run_once (disk, marks, false) == TROUPE_OK);
        CHECK (drop (&taken) == recovered + 1);
    }
    disk_memory_destroy (&disk);
    return 0;
}
