/*  web_head.h - what the headers and the query of a request mean. Pure: texts. */
#ifndef TRANSPORTS_WEB_WEB_HEAD_H
#define TRANSPORTS_WEB_WEB_HEAD_H

#include "runtime/base/buffer.h"
#include "runtime/body/schema.h"

/*  Whether `origin`, "https://HOST", is of the host that was asked: a proxy in front may speak TLS. */
bool head_origin_is_own (const char *origin, const char *host);

/*  Whether no stranger's DNS has "HOST" or "HOST:PORT": an address, a name without a dot, one of localhost. */
bool head_host_is_fixed (const char *host);

/*  Whether it is of one of the origins, parted by spaces; "*" is each. */
bool head_host_is_listed (const char *host, const char *origins);

/*  Whether it is one of the words, parted by spaces; "*" is each. */
bool head_origin_is_listed (const char *origin, const char *words);

/*  Accept-Encoding: "gzip" or "*", with no weight of zero. */
bool head_takes_gzip (const char *accepted);

/*  If-None-Match: whether this strong tag, in its quotes, is among them, perhaps as a weak one. */
bool head_matches (const char *tags, const char *etag);

/*  Appends a field of a query, "NAME=VALUE", packed: by the field's type, else as a string. */
troupe_status_t head_query_field (const schema_t *schema, const char *field, buffer_t *to,
                                  troupe_error_t *error) TROUPE_CHECKED;

#endif
