/*  journal_format.h - the bytes of a segment file: its header and the heads of
 *  its records. Pure functions, any thread; bytes from disk are never trusted.
 *
 *  Both checksums of a record are bound to the store: they start from the seed
 *  of journal_seed and from the segment's salt, so that neither another
 *  store's bytes nor those of an earlier use of the file are records here.
 */
#ifndef STORAGE_JOURNAL_FORMAT_H
#define STORAGE_JOURNAL_FORMAT_H

#include "runtime/port/state.h"

#define JOURNAL_FORMAT 1
#define JOURNAL_PAGE 4096u     /* header size; batches start at a multiple of it */
#define JOURNAL_ALIGN 8u       /* records start at a multiple of it */
#define RECORD_HEAD 72u
#define RECORD_LAST 1u         /* flag: the last record of its batch */
#define SEGMENT_NAME_SIZE 15   /* "0000000001.seg" and its NUL */
#define SEGMENT_NUMBER_MAX 9999999999u

typedef struct {
    uint64_t number;
    uint64_t salt;
    uint64_t first_lsn;        /* of its first record; all before are durable and stand in earlier segments */
} segment_header_t;

typedef struct {
    uint64_t salt;
    uint64_t lsn;
    uint64_t number;           /* of the frame in its shard */
    uint64_t time_ms;
    uint64_t durable_lsn;      /* when the batch was written: the LSN before its first record */
    uint64_t body_checksum;
    uint32_t body_size;
    uint16_t shard;
    bool is_last;
} record_head_t;

void segment_name (char name[SEGMENT_NAME_SIZE], uint64_t number);
bool segment_name_number (const char *name, uint64_t *number);  /* false: no segment's name */

/*  What binds checksums to a store and its epoch. */
uint64_t journal_seed (const state_identity_t *identity);

/*  The whole page; what is behind the header is zero. */
void segment_header_encode (uint8_t page[JOURNAL_PAGE], const segment_header_t *header,
                            const state_identity_t *identity);

/*  Of the first JOURNAL_PAGE bytes of the file with this number. TROUPE_OK;
 *  TROUPE_NOT_FOUND when they are no header of it; TROUPE_MISMATCH and an error when
 *  they are the header of another store, epoch or format. */
troupe_status_t segment_header_decode (const uint8_t *page, uint64_t number, const state_identity_t *identity,
                                       segment_header_t *header, troupe_error_t *error) TROUPE_CHECKED;

void record_head_encode (uint8_t bytes[RECORD_HEAD], const record_head_t *head, uint64_t seed);

/*  False when the bytes are no head of this store. The salt is for the caller to compare. */
bool record_head_decode (const uint8_t bytes[RECORD_HEAD], uint64_t seed, record_head_t *head);

/*  `previous` is the body checksum of the record before, or the salt. */
uint64_t record_body_checksum (const void *body, size_t size, uint64_t seed, uint64_t previous);

/*  Bytes that a record takes with its padding. */
static inline uint64_t
record_size (uint64_t body_size)
{
    return (RECORD_HEAD + body_size + JOURNAL_ALIGN - 1) & ~(uint64_t) (JOURNAL_ALIGN - 1);
}

static inline uint64_t
page_up (uint64_t at)
{
    return (at + JOURNAL_PAGE - 1) & ~(uint64_t) (JOURNAL_PAGE - 1);
}

#endif
