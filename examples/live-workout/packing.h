/*  packing.h - as much MessagePack as a device needs: it writes maps of strings and numbers, and finds a number or text
 *  in a map that it was sent. */
#ifndef EXAMPLES_LIVE_WORKOUT_PACKING_H
#define EXAMPLES_LIVE_WORKOUT_PACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes;              /* malloced */
    size_t size, room;
} bytes_t;

/*  Without memory the program ends. */
void bytes_add (bytes_t *bytes, const void *more, size_t size);
void bytes_add_byte (bytes_t *bytes, uint8_t byte);
void bytes_clear (bytes_t *bytes);      /* frees */
void bytes_drop (bytes_t *bytes, size_t size);  /* so many at the front */

void pack_map (bytes_t *bytes, uint32_t pairs);
void pack_array (bytes_t *bytes, uint32_t values);
void pack_text (bytes_t *bytes, const char *text);
void pack_integer (bytes_t *bytes, uint64_t value);
void pack_real (bytes_t *bytes, double value);

/*  A packed value, borrowed. */
typedef struct {
    const uint8_t *bytes;
    size_t size;
} packed_t;

/*  What a map has under a name: a text, an integer, or a map. False: there is none, or it does not fit. */
bool packed_text (const packed_t *map, const char *name, char *text, size_t room);
bool packed_integer (const packed_t *map, const char *name, uint64_t *value);
bool packed_map (const packed_t *map, const char *name, packed_t *inner);

#endif
