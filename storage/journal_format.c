/*  journal_format.c - the bytes of a segment file.
 *
 *  DESIGN
 *  All numbers are little-endian. The fields of a header lie in its first sector,
 *  so that a torn write leaves the old one or the new one; they are followed by
 *  their checksum, which later formats keep where it is, so that every version
 *  can tell a foreign format from a torn page. Where the fields of a header or a
 *  head would say the same thing twice (the durable LSN at a segment's making is
 *  always its first LSN less one) they are compared, not believed.
 */
#include "storage/journal_format.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"

#include <stdio.h>

/*  Of a segment: magic | format u32 | reserved u32 | store id 16 | epoch 16 |
 *  number | salt | first LSN | durable LSN | checksum over all before it. */
#define SEGMENT_MAGIC 0x4a2d4550554f5254u  /* "TROUPE-J" */
#define SEGMENT_FIELDS 80u

/*  Of a record: magic u32 | body size u32 | shard u16 | flags u16 | reserved u32 |
 *  salt | LSN | frame number | time | durable LSN | body checksum | head checksum. */
#define RECORD_MAGIC 0x52465254u  /* "TRFR" */
#define RECORD_FIELDS (RECORD_HEAD - 8)

void
segment_name (char name[SEGMENT_NAME_SIZE], uint64_t number)
{
    CHECK (number >= 1 && number <= SEGMENT_NUMBER_MAX);
    snprintf (name, SEGMENT_NAME_SIZE, "%010llu.seg", (unsigned long long) number);
}

bool
segment_name_number (const char *name, uint64_t *number)
{
    uint64_t value = 0;
    for (int i = 0; i < 10; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        value = value * 10 + (uint64_t) (name[i] - '0');
    }
    *number = value;
    return value >= 1 && strcmp (name + 10, ".seg") == 0;
}

uint64_t
journal_seed (const state_identity_t *identity)
{
    uint8_t bytes[40];
    memcpy (bytes, identity->store_id, 16);
    memcpy (bytes + 16, identity->epoch, 16);
    put_le64 (bytes + 32, identity->hash_seed);
    return hash_bytes (bytes, sizeof bytes, JOURNAL_FORMAT);
}

void
segment_header_encode (uint8_t page[JOURNAL_PAGE], const segment_header_t *header, const state_identity_t *identity)
{
    memset (page, 0, JOURNAL_PAGE);
    put_le64 (page, SEGMENT_MAGIC);
    put_le32 (page + 8, JOURNAL_FORMAT);
    memcpy (page + 16, identity->store_id, 16);
    memcpy (page + 32, identity->epoch, 16);
    put_le64 (page + 48, header->number);
    put_le64 (page + 56, header->salt);
    put_le64 (page + 64, header->first_lsn);
    put_le64 (page + 72, header->first_lsn - 1);
    put_le64 (page + SEGMENT_FIELDS, hash_bytes (page, SEGMENT_FIELDS, 0));
}

troupe_status_t
segment_header_decode (const uint8_t *page, uint64_t number, const state_identity_t *identity,
                       segment_header_t *header, troupe_error_t *error)
{
    if (get_le64 (page) != SEGMENT_MAGIC || get_le64 (page + SEGMENT_FIELDS) != hash_bytes (page, SEGMENT_FIELDS, 0))
        return TROUPE_NOT_FOUND;
    if (get_le32 (page + 8) != JOURNAL_FORMAT)
        return error_set (error, TROUPE_MISMATCH,
                          "journal segment %llu has format %u, this program reads format %d: use the program that "
                          "wrote it", (unsigned long long) number, get_le32 (page + 8), JOURNAL_FORMAT);
    if (memcmp (page + 16, identity->store_id, 16) != 0)
        return error_set (error, TROUPE_MISMATCH, "journal segment %llu belongs to another store: "
                          "state and journal must stay together", (unsigned long long) number);
    if (memcmp (page + 32, identity->epoch, 16) != 0)
        return error_set (error, TROUPE_MISMATCH, "journal segment %llu is from before the store was restored: "
                          "move it away", (unsigned long long) number);
    header->number = get_le64 (page + 48);
    header->salt = get_le64 (page + 56);
    header->first_lsn = get_le64 (page + 64);
    bool is_of_file = header->number == number;
    bool is_sound = header->first_lsn >= 1 && get_le64 (page + 72) == header->first_lsn - 1;
    return is_of_file && is_sound ? TROUPE_OK : TROUPE_NOT_FOUND;
}

static uint64_t
head_checksum (const uint8_t *bytes, uint64_t seed, uint64_t salt)
{
    return hash_bytes (bytes, RECORD_FIELDS, hash_mix (seed, salt));
}

void
record_head_encode (uint8_t bytes[RECORD_HEAD], const record_head_t *head, uint64_t seed)
{
    put_le32 (bytes, RECORD_MAGIC);
    put_le32 (bytes + 4, head->body_size);
    put_le16 (bytes + 8, head->shard);
    put_le16 (bytes + 10, head->is_last ? RECORD_LAST : 0);
    put_le32 (bytes + 12, 0);
    put_le64 (bytes + 16, head->salt);
    put_le64 (bytes + 24, head->lsn);
    put_le64 (bytes + 32, head->number);
    put_le64 (bytes + 40, head->time_ms);
    put_le64 (bytes + 48, head->durable_lsn);
    put_le64 (bytes + 56, head->body_checksum);
    put_le64 (bytes + 64, head_checksum (bytes, seed, head->salt));
}

bool
record_head_decode (const uint8_t bytes[RECORD_HEAD], uint64_t seed, record_head_t *head)
{
    if (get_le32 (bytes) != RECORD_MAGIC)
        return false;
    head->body_size = get_le32 (bytes + 4);
    head->shard = get_le16 (bytes + 8);
    head->is_last = get_le16 (bytes + 10) & RECORD_LAST;
    head->salt = get_le64 (bytes + 16);
    head->lsn = get_le64 (bytes + 24);
    head->number = get_le64 (bytes + 32);
    head->time_ms = get_le64 (bytes + 40);
    head->durable_lsn = get_le64 (bytes + 48);
    head->body_checksum = get_le64 (bytes + 56);
    return get_le64 (bytes + 64) == head_checksum (bytes, seed, head->salt)
           && head->body_size <= FRAME_BODY_MAX && head->lsn >= 1 && head->number >= 1
           && head->durable_lsn < head->lsn;
}

uint64_t
record_body_checksum (const void *body, size_t size, uint64_t seed, uint64_t previous)
{
    return hash_bytes (body, size, hash_mix (seed, previous));
}
