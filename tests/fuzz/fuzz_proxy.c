/*  fuzz_proxy.c - what proxies say of whom they speak for: in front of a connection, and in a header of a request. */
#include "runtime/base/error.h"
#include "tests/fuzz/lines.h"
#include "transports/web/web_proxy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  However it is cut, it is the same header of the same size, and nothing behind it is taken. */
static void
begin (const uint8_t *data, size_t size)
{
    struct in6_addr address, again;
    size_t used, used_again;
    proxy_header_t is = proxy_header (data, size, &used, &address);
    CHECK (used <= size && (is != PROXY_MORE || (used == size && size < PROXY_HEADER_MOST)));
    for (size_t cut = 0; cut < used; cut++) {
        proxy_header_t less = proxy_header (data, cut, &used_again, &again);
        CHECK (less == PROXY_MORE ? used_again == cut : less == PROXY_BAD && is == PROXY_BAD);
    }
    if (is != PROXY_WHOLE)
        return;
    uint8_t *exact = malloc (used);
    if (!exact)
        return;
    memcpy (exact, data, used);
    CHECK (proxy_header (exact, used, &used_again, &again) == PROXY_WHOLE && used_again == used);
    CHECK (memcmp (&address, &again, sizeof address) == 0);
    free (exact);
}

static void
forward (const uint8_t *data, size_t size)
{
    char *texts[2], *text = lines_split (data, size, texts, 2);
    struct in6_addr address = IN6ADDR_LOOPBACK_INIT;
    proxy_client (texts[0], texts[1], &address);
    const char *bad = proxy_bad_word (texts[0]);
    CHECK (!bad || (bad >= texts[0] && bad < texts[0] + strlen (texts[0])));
    free (text);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    begin (data, size);
    forward (data, size);
    return 0;
}
