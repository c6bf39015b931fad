/*  keys.h - the tables of a shard's ordered map, and how their keys are built.
 *
 *  A key is a table's letter and what follows; numbers are big-endian so that
 *  the order of bytes is the order of numbers; an address ends with NUL.
 *
 *      a  address NUL                    an actor that ever stored something: version
 *      s  address NUL key                one value of its state
 *      m  address NUL mail-number(8)     a waiting message
 *      t  address NUL name               a timer
 *      q  address NUL ask-id(8)          a question without an answer yet
 *      h  address NUL channel            a feed: head, first
 *      f  address NUL channel NUL offset(8)   an event
 *      o  shard(2) number(8)             a message on its way to another shard
 *      n  shard(2)                       number of the newest message given to that link
 *      l  shard(2)                       number of the newest message taken from that link
 *      c  session(16) number(8)          the record of a call
 *      d  number(8)                      a dead letter
 *      x  name                           kept free for the shard itself
 */
#ifndef RUNTIME_KEYS_H
#define RUNTIME_KEYS_H

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/frame.h"

#define KEY_ACTOR 'a'
#define KEY_STATE 's'
#define KEY_MAIL 'm'
#define KEY_TIMER 't'
#define KEY_ASK 'q'
#define KEY_FEED 'h'
#define KEY_EVENT 'f'
#define KEY_OUTBOX 'o'
#define KEY_LINK_GIVEN 'n'
#define KEY_LINK_TAKEN 'l'
#define KEY_CALL 'c'
#define KEY_DEAD 'd'
#define KEY_SHARD 'x'
#define KEY_TABLES "asmtqhfonlcdx"

typedef struct {
    uint16_t size;
    uint8_t bytes[FRAME_KEY_MAX];
} store_key_t;

static inline void
key_start (store_key_t *key, char table)
{
    key->bytes[0] = (uint8_t) table;
    key->size = 1;
}

/*  Adds bytes; callers have checked the limits of names, so that it always fits. */
static inline void
key_add (store_key_t *key, const void *bytes, size_t size)
{
    CHECK (key->size + size <= FRAME_KEY_MAX);
    memcpy (key->bytes + key->size, bytes, size);
    key->size = (uint16_t) (key->size + size);
}

static inline void
key_add_name (store_key_t *key, const char *name, size_t size)
{
    CHECK (key->size + size + 1 <= FRAME_KEY_MAX);
    memcpy (key->bytes + key->size, name, size);
    key->bytes[key->size + size] = 0;
    key->size = (uint16_t) (key->size + size + 1);
}

static inline void
key_add_be16 (store_key_t *key, uint16_t number)
{
    CHECK (key->size + 2 <= FRAME_KEY_MAX);
    put_be16 (key->bytes + key->size, number);
    key->size = (uint16_t) (key->size + 2);
}

static inline void
key_add_be64 (store_key_t *key, uint64_t number)
{
    CHECK (key->size + 8 <= FRAME_KEY_MAX);
    put_be64 (key->bytes + key->size, number);
    key->size = (uint16_t) (key->size + 8);
}

#endif
