/*  document.h - JSON documents about kinds, made from their tables: openapi.h, asyncapi.h.
 *
 *  Written from front to back at the end of a buffer; what does not fit makes the
 *  buffer `failed`. Within an object each part has a name, within an array it is NULL.
 */
#ifndef TRANSPORTS_EDGE_DOCUMENT_H
#define TRANSPORTS_EDGE_DOCUMENT_H

#include "runtime/base/buffer.h"
#include "transports/edge/permit.h"

#include <troupe.h>

/*  Of the program whose kinds they are. */
typedef struct {
    const char *title, *version;
    const char *host;  /* "example.org:7600", where clients find it; NULL: not known */
    bool is_secure;    /* https, wss */
    bool has_sign_in;  /* there are accounts: /auth/ */
} document_info_t;

/*  The document itself, an object; closed as any. */
void document_begin (buffer_t *to);

void document_open (buffer_t *to, const char *name, char bracket);  /* '{' or '[' */
void document_close (buffer_t *to, char bracket);                   /* '}' or ']' */
void document_text (buffer_t *to, const char *name, const char *text);
void document_format (buffer_t *to, const char *name, const char *format, ...) __attribute__ ((format (printf, 3, 4)));
void document_number (buffer_t *to, const char *name, uint64_t number);
void document_flag (buffer_t *to, const char *name, bool flag);

/*  A part that is JSON as it is. */
void document_json (buffer_t *to, const char *name, const char *json);

/*  { "$ref": place } */
void document_ref (buffer_t *to, const char *name, const char *place);

/*  The JSON Schema of fields, "laps:int note?:string": an object that has no others when `is_closed`. NULL, and what
 *  is no list of fields: any value. */
void document_schema (buffer_t *to, const char *name, const char *fields, bool is_closed);

/*  The JSON Schema of one field of this type. */
void document_type (buffer_t *to, const char *name, const char *type, bool optional);

/*  A description: what the table says, and for whom it is. */
void document_description (buffer_t *to, const char *doc, const permit_t *permit);

/*  "title", "version" and what else an "info" has. */
void document_about (buffer_t *to, const document_info_t *info);

#endif
