/*  web_gzip.c - answers in fewer bytes, for those who take them so.
 *
 *  DESIGN
 *  On the fly and at the fastest level: what it saves is the road's time, and it must not cost the loop's. So neither
 *  a short answer, which fits a packet anyway, nor a very long one, which would hold up everybody else. Answers to
 *  signing in stay as they are, for their length must not tell what is in them.
 */
#include "transports/web/web_head.h"
#include "transports/web/web_inside.h"

#include <string.h>
#include <zlib.h>

#define LEAST 1024
#define MOST (1u << 20)
#define WINDOW (15 + 16)  /* bits; + 16: as gzip */
#define MEMORY 8

static bool
is_text (const char *type)
{
    static const char *const others[] = { WEB_TYPE_JSON, "application/problem+json", "application/manifest+json",
                                          "application/wasm", "image/svg+xml" };
    bool is_one = type && strncmp (type, "text/", 5) == 0;
    for (size_t i = 0; type && !is_one && i < sizeof others / sizeof *others; i++)
        is_one = strcmp (type, others[i]) == 0;
    return is_one;
}

bool
web_takes_gzip (struct lws *wsi)
{
    char text[256];
    return web_header (wsi, WSI_TOKEN_HTTP_ACCEPT_ENCODING, text, sizeof text) && head_takes_gzip (text);
}

/*  False: `to` is of no use, and all is as before. */
static bool
pack (const buffer_t *from, buffer_t *to)
{
    z_stream stream = { .next_in = from->data, .avail_in = (uInt) from->size };
    if (deflateInit2 (&stream, Z_BEST_SPEED, Z_DEFLATED, WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    stream.next_out = buffer_reserve (to, from->size);
    stream.avail_out = (uInt) from->size;
    bool is_whole = stream.next_out && deflate (&stream, Z_FINISH) == Z_STREAM_END;
    to->size = is_whole ? stream.total_out : 0;
    deflateEnd (&stream);
    return is_whole;
}

void
web_gzip (web_request_t *self)
{
    buffer_t packed = { 0 };
    size_t size = self->content.size;
    self->is_packable = !self->is_sign_in && is_text (self->type);
    bool has_content = self->code != HTTP_STATUS_NOT_MODIFIED;
    if (self->is_packable && self->takes_gzip && has_content && size >= LEAST && size <= MOST)
        self->is_packed = pack (&self->content, &packed);
    if (self->is_packed) {
        buffer_clear (&self->content);
        self->content = packed;
    } else
        buffer_clear (&packed);
}
