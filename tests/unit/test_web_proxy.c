/*  test_web_proxy.c - whom a request is from when proxies stand between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/web/web_proxy.h"
#include <arpa/inet.h>
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

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (proxy_tells_the_newest_that_is_none_of_ours),
        cmocka_unit_test (proxy_is_in_a_prefix),
        cmocka_unit_test (proxy_words_that_are_none_are_told),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
