/*  openapi.h - what HTTP offers of some kinds, as an OpenAPI 3.1 document. Any thread. */
#ifndef TRANSPORTS_EDGE_OPENAPI_H
#define TRANSPORTS_EDGE_OPENAPI_H

#include "transports/edge/document.h"

/*  Appends the document, of a NULL-ended array of kinds that were found good. Verbs and channels for actors alone are
 *  not in it. A write that does not fit makes the buffer `failed` and leaves in it what was there. */
void openapi_write (buffer_t *to, const document_info_t *info, const troupe_kind_t *const *kinds);

#endif
