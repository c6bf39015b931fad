/*  test_web_proxy.c - whom a request is from when proxies stand between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/web/web_proxy.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROXIES "127.0.0.1 10.0.0.0/8  fd00::/8"

static const char *
client_of (const char *forwarded)
{
    static char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    assert_true (proxy_read_address ("127.0.0.1", &address));
    proxy_client (PROXIES, forwarded, &address);
    inet_ntop (AF_INET6, &address, text, sizeof text);
    return strncmp (text, "::ffff:", 7) == 0 ? text + 7 : text;
}

static void
proxy_tells_the_newest_that_is_none_of_ours (void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "", "127.0.0.1" },
        { "1.2.3.4", "1.2.3.4" },
        { "6.6.6.6, 1.2.3.4", "1.2.3.4" },            /* what a client wrote itself is not looked at */
        { "1.2.3.4, 10.1.2.3", "1.2.3.4" },
        { "1.2.3.4,10.1.2.3 ,\t127.0.0.1", "1.2.3.4" },
        { "10.9.9.9, 10.1.2.3", "10.9.9.9" },         /* all ours: the oldest */
        { "1.2.3.4:5678", "1.2.3.4" },
        { "[2001:db8::1]:443", "2001:db8::1" },
        { "2001:db8::2, fd00::7", "2001:db8::2" },
        { "::ffff:9.8.7.6", "9.8.7.6" },
        { "1.2.3.4, unknown", "127.0.0.1" },          /* who is that? */
        { "1.2.3.4, 10.1.2.3, nobody, 10.0.0.1", "10.0.0.1" },
        { ", ,1.2.3.4, ,", "1.2.3.4" },
        { "[2001:db8::1", "127.0.0.1" },
        { "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.24.25.26.27.28", "127.0.0.1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal (client_of (cases[i][0]), cases[i][1]);
}

static bool
trusts (const char *proxies, const char *text)
{
    struct in6_addr address;
    assert_true (proxy_read_address (text, &address));
    return proxy_is_trusted (proxies, &address);
}

static void
proxy_is_in_a_prefix (void **state)
{
    (void) state;
    assert_true (trusts (PROXIES, "10.255.0.1"));
    assert_false (trusts (PROXIES, "11.0.0.1"));
    assert_true (trusts ("192.168.4.0/22", "192.168.7.255"));
    assert_false (trusts ("192.168.4.0/22", "192.168.8.0"));
    assert_true (trusts ("0.0.0.0/0", "8.8.8.8"));
    assert_false (trusts ("0.0.0.0/0", "::1"));
    assert_true (trusts ("::/0", "8.8.8.8"));
    assert_false (trusts ("", "127.0.0.1"));
}

static void
proxy_words_that_are_none_are_told (void **state)
{
    (void) state;
    assert_null (proxy_bad_word (""));
    assert_null (proxy_bad_word (PROXIES));
    static const char *const bad[] = { "x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8x", "10.0.0", "host" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char words[64] = "127.0.0.1 ";
        strcat (words, bad[i]);
        assert_string_equal (proxy_bad_word (words), bad[i]);
    }
}

/*  Also in pieces: what came belongs to it, or the address would be another's. `text`: what it must tell, or NULL when
 *  it is none. */
static void
begins_with (const void *bytes, size_t header, size_t size, const char *text)
{
    struct in6_addr address, wanted = IN6ADDR_ANY_INIT;
    size_t used;
    uint8_t *exact = malloc (size);
    for (size_t count = 1; count <= size; count++) {
        memcpy (exact, bytes, count);
        proxy_header_t is = proxy_header (exact, count, &used, &address);
        if (count >= header || !text) {
            if (is == PROXY_MORE)
                assert_true (!text && count < size);
            else
                assert_int_equal (is, text ? PROXY_WHOLE : PROXY_BAD);
        } else
            assert_int_equal (is, PROXY_MORE);
        assert_int_equal (text && count >= header ? header : used, used);
        assert_true (used <= count);
    }
    if (text) {
        assert_true (!*text || proxy_read_address (text, &wanted));
        assert_memory_equal (&address, &wanted, sizeof wanted);
    }
    free (exact);
}

static void
header_in_a_line (void **state)
{
    (void) state;
    static const struct { const char *line, *text; } cases[] = {
        { "PROXY TCP4 1.2.3.4 10.0.0.1 5678 443", "1.2.3.4" },
        { "PROXY TCP6 2001:db8::1 ::1 5678 443", "2001:db8::1" },
        { "PROXY UNKNOWN", "" },
        { "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535", "" },
        { "PROXY TCP4 1.2.3.4 10.0.0.1 5678", NULL },
        { "PROXY TCP4 1.2.3.4 10.0.0.1 5678 443 1", NULL },
        { "PROXY TCP4 ::1 ::1 5678 443", NULL },
        { "PROXY TCP6 1.2.3.4 10.0.0.1 5678 443", NULL },
        { "PROXY TCP5 1.2.3.4 10.0.0.1 5678 443", NULL },
        { "PROXY ", NULL },
        { "PROXI TCP4 1.2.3.4 10.0.0.1 5678 443", NULL },
        { "GET / HTTP/1.1", NULL },
    };
    char bytes[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf (bytes, sizeof bytes, "%s\r\nGET / HTTP/1.1\r\n\r\n", cases[i].line);
        begins_with (bytes, strlen (cases[i].line) + 2, strlen (bytes), cases[i].text);
    }
    begins_with ("PROXY UNKNOWN\nGET", 14, 17, NULL);
    begins_with ("PROXY UNKNOWN\0\r\nGET", 16, 19, NULL);
    memset (bytes, 'x', sizeof bytes);
    memcpy (bytes, "PROXY UNKNOWN ", 14);
    begins_with (bytes, 1, sizeof bytes, NULL);
    memcpy (bytes + 105, "\r\n", 2);
    begins_with (bytes, 107, sizeof bytes, "");
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEADER(rest, text) { SIGNATURE rest, sizeof (SIGNATURE rest) - 1, text }

static void
header_in_bytes (void **state)
{
    (void) state;
    static const struct { const char *bytes; size_t size; const char *text; } cases[] = {
        HEADER ("\x21\x11\0\x0c" "\1\2\3\4" "\x0a\0\0\1" "\1\1\2\2", "1.2.3.4"),
        HEADER ("\x21\x11\0\x0f" "\1\2\3\4" "\x0a\0\0\1" "\1\1\2\2" "\4\0\0", "1.2.3.4"),
        HEADER ("\x21\x21\0\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
                "\1\1\2\2", "2001:db8::1"),
        HEADER ("\x20\0\0\0", ""),
        HEADER ("\x20\x11\0\x0c" "\1\2\3\4" "\x0a\0\0\1" "\1\1\2\2", ""),
        HEADER ("\x21\0\0\3abc", ""),
        HEADER ("\x21\x31\0\3abc", ""),
        HEADER ("\x21\x11\0\4\1\2\3\4", NULL),
        HEADER ("\x21\x21\0\x0c" "\1\2\3\4" "\x0a\0\0\1" "\1\1\2\2", NULL),
        HEADER ("\x22\x11\0\0", NULL),
        HEADER ("\x11\x11\0\0", NULL),
        HEADER ("\x21\x11\4\1", NULL),
    };
    char bytes[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy (bytes, cases[i].bytes, cases[i].size);
        memcpy (bytes + cases[i].size, "GET", 3);
        begins_with (bytes, cases[i].size, cases[i].size + 3, cases[i].text);
    }
    begins_with ("\r\n\r\n\0\r\nQUIT ", 1, 12, NULL);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (proxy_tells_the_newest_that_is_none_of_ours),
        cmocka_unit_test (proxy_is_in_a_prefix),
        cmocka_unit_test (header_in_a_line),
        cmocka_unit_test (header_in_bytes),
        cmocka_unit_test (proxy_words_that_are_none_are_told),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
