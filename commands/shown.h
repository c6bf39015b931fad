/*  shown.h - a stored value as people read it.
 *
 *  State is bytes to the runtime. Here it becomes the first of these that it can
 *  be: text, a small integer of 4 or 8 bytes, a packed value (troupe_save), an
 *  integer of 1, 4 or 8 bytes, hex ("0x01ff"). A guess, for eyes and for tests. Any thread.
 */
#ifndef COMMANDS_SHOWN_H
#define COMMANDS_SHOWN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*  A new tree; NULL when out of memory. */
json_t *shown_value (const uint8_t *bytes, size_t size);

#endif
