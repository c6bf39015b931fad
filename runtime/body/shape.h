/*  shape.h - packing and reading flat objects whose format was met before.
 *
 *  DESIGN. A message is packed for every tell and read in every turn, mostly by
 *  "{s:I, s:s}" with literal names. Walking such a format and copying its names costs
 *  more than all else a short turn does, and comes out the same each time. So what a
 *  format and its names come to is kept as a shape, found again by the pointers of the
 *  format and of the first name, and its names are compared as pointers. Only
 *  literals are trusted so (literals.h). Whatever does not fit - other formats, values
 *  of another type, fields in another order - goes the general way of pack.h, which alone
 *  knows what is wrong. One thread: each shard has its own.
 */
#ifndef RUNTIME_BODY_SHAPE_H
#define RUNTIME_BODY_SHAPE_H

#include "runtime/base/arena.h"
#include "runtime/base/bytes.h"
#include "runtime/base/literals.h"
#include "runtime/body/pack.h"

#define SHAPE_FIELDS 8  /* more go the general way, as do names of more than 15 bytes */
#define SHAPES_MOST 128

typedef struct {
    const char *name;
    uint64_t packed[2];  /* the name as it is packed, zeros behind it */
    uint64_t mask[2];    /* of its bytes */
    uint8_t size;        /* bytes of it */
    char type;           /* I i f b s */
} shape_field_t;

typedef struct {
    const char *format;  /* NULL: none yet */
    const char *first;   /* name of the first field */
    uint8_t count;       /* 0: the format goes the general way */
    shape_field_t fields[SHAPE_FIELDS];
} shape_t;

typedef struct {
    const literals_t *literals;  /* NULL: nothing is trusted */
    shape_t shapes[SHAPES_MOST];
} shapes_t;

/*  As pack_append and pack_read, but false, with nothing appended, when it has to be done
 *  the general way, with the arguments from their start; they are used up. Behind a body that
 *  is read there are COPY_SLACK bytes that may be read too. */
bool shape_pack (shapes_t *self, buffer_t *to, const char *format, va_list arguments);
bool shape_read (shapes_t *self, const void *body, size_t size, arena_t *strings, const char *format,
                 va_list arguments);

#endif
