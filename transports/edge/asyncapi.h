/*  asyncapi.h - the feeds of some kinds over WebSocket, as an AsyncAPI 3.0 document. Any thread. */
#ifndef TRANSPORTS_EDGE_ASYNCAPI_H
#define TRANSPORTS_EDGE_ASYNCAPI_H

#include "transports/edge/document.h"

/*  As openapi_write. */
void asyncapi_write (buffer_t *to, const document_info_t *info, const troupe_kind_t *const *kinds);

#endif
