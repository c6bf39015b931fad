/*  fuzz_http_route.c - path and X-Forwarded-For of a request from anybody, and the settings that they are held against.
 *
 *  The input is four texts with a line each: words PREFIX=VALUE, the path, proxies, X-Forwarded-For.
 */
#include "tests/fuzz/lines.h"
#include "transports/edge/message.h"
#include "transports/web/web_path.h"
#include "transports/web/web_proxy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS 4
#define VALUE_SIZE 64

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

static void
find_prefix (const char *words, const char *path)
{
    char value[VALUE_SIZE] = "";
    const char *rest = NULL;
    if (!web_find_prefix (words, path, value, sizeof value, &rest))
        return;
    HOLDS (rest >= path && rest <= path + strlen (path));
    HOLDS (*rest == '/' || *rest == '\0');
    HOLDS (strlen (value) < sizeof value && strstr (words, value));
}

static void
split (const char *path)
{
    char address[TROUPE_ADDRESS_MAX + 1], name[TROUPE_NAME_MAX + 1];
    uint64_t offset;
    if (message_split_feed (path, address, name)) {
        size_t size = strlen (address);
        HOLDS (strchr (address, '/') && !strchr (name, '/'));
        HOLDS (strncmp (path, address, size) == 0 && path[size] == '/' && strcmp (path + size + 1, name) == 0);
    }
    if (message_read_resume (path, "5f3a09c1", &offset) == RESUME_OK)
        HOLDS (strncmp (path, "5f3a09c1-", 9) == 0);
}

/*  Nothing is trusted where nothing is named. */
static void
forward (const char *proxies, const char *forwarded)
{
    struct in6_addr peer, client;
    HOLDS (proxy_read_address ("10.1.2.3", &peer));
    client = peer;
    proxy_client (proxies, forwarded, &client);
    const char *bad = proxy_bad_word (proxies);
    HOLDS (!bad || (bad >= proxies && bad < proxies + strlen (proxies)));
    HOLDS (*(proxies + strspn (proxies, " ")) || !proxy_is_trusted (proxies, &client));
    (void) proxy_is_trusted (proxies, &client);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *texts[TEXTS], *text = lines_split (data, size, texts, TEXTS);
    find_prefix (texts[0], texts[1]);
    split (texts[1]);
    forward (texts[2], texts[3]);
    free (text);
    return 0;
}
