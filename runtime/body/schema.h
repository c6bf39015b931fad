/*  schema.h - the fields that a verb takes, "laps:int note?:string".
 *
 *  Types: int number string bool bytes array object any. A field with ? may be
 *  missing or null. Fields that are not named are refused, so that a misspelt
 *  one is noticed. Checked once when the kind is registered, compiled, and used
 *  for every call from outside. Any thread after schema_new.
 */
#ifndef RUNTIME_BODY_SCHEMA_H
#define RUNTIME_BODY_SCHEMA_H

#include "runtime/base/error.h"

typedef struct schema_s schema_t;

#define SCHEMA_FIELDS_MAX 64

schema_t *schema_new (const char *text, troupe_error_t *error);  /* TROUPE_INVALID names the field */
void schema_destroy (schema_t **self_p);

/*  TROUPE_INVALID with a text such as "laps: an integer is wanted, not a string". */
troupe_status_t schema_check (const schema_t *self, const void *body, size_t size, troupe_error_t *error);

/*  Calls `each` per field, for documents made from the tables. */
void schema_each (const schema_t *self,
                  void (*each) (void *arg, const char *name, const char *type, bool optional), void *arg);

#endif
