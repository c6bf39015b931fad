/*  test_auth_device.c - devices that sign in: the right device, for the right node, in time. */

#include "transports/auth/device.h"

#include "tests/unit/auth_help.h"

#define NOW_MS 1764190000000u

static const uint8_t node[DEVICE_SECRET_SIZE] = { 1 }, other_node[DEVICE_SECRET_SIZE] = { 2 };
static uint8_t key[32], secret[64], other_key[32], other_secret[64];
static char challenge[DEVICE_CHALLENGE_SIZE];

static void
sign (const char *audience, const char *device, uint8_t signature[64])
{
    char text[DEVICE_TEXT_SIZE];
    size_t size = device_text (audience, device, challenge, text);
    assert_true (size > 0 && size < sizeof text);
    crypto_sign_detached (signature, NULL, (const uint8_t *) text, size, secret);
}

static int
start (void **state)
{
    if (start_sodium (state) != 0)
        return -1;
    crypto_sign_keypair (key, secret);
    crypto_sign_keypair (other_key, other_secret);
    device_challenge (node, "hr-7f", NOW_MS, 60000, challenge);
    return 0;
}

static void
device_with_its_key_is_let_in_until_the_end (void **state)
{
    (void) state;
    uint8_t signature[64];
    sign ("us", "hr-7f", signature);
    assert_int_equal (device_verify (node, "us", "hr-7f", challenge, NOW_MS, key, signature), DEVICE_OK);
    assert_int_equal (device_verify (node, "us", "hr-7f", challenge, NOW_MS + 59999, key, signature), DEVICE_OK);
    assert_int_equal (device_verify (node, "us", "hr-7f", challenge, NOW_MS + 60000, key, signature), DEVICE_EXPIRED);
}

static void
device_signature_is_good_for_one_thing (void **state)
{
    (void) state;
    uint8_t signature[64];
    char second[DEVICE_CHALLENGE_SIZE];
    device_challenge (node, "hr-7f", NOW_MS, 60000, second);
    assert_string_not_equal (second, challenge);
    sign ("us", "hr-7f", signature);
    assert_int_equal (device_verify (node, "us", "hr-7f", second, NOW_MS, key, signature), DEVICE_SIGNATURE);
    assert_int_equal (device_verify (node, "they", "hr-7f", challenge, NOW_MS, key, signature), DEVICE_SIGNATURE);
    assert_int_equal (device_verify (node, "us", "hr-7f", challenge, NOW_MS, other_key, signature), DEVICE_SIGNATURE);
    signature[0] ^= 1;
    assert_int_equal (device_verify (node, "us", "hr-7f", challenge, NOW_MS, key, signature), DEVICE_SIGNATURE);
}

static void
device_challenge_is_of_this_node_and_device (void **state)
{
    (void) state;
    uint8_t signature[64];
    sign ("us", "hr-8", signature);
    assert_int_equal (device_verify (node, "us", "hr-8", challenge, NOW_MS, key, signature), DEVICE_CHALLENGE);
    sign ("us", "hr-7f", signature);
    assert_int_equal (device_verify (other_node, "us", "hr-7f", challenge, NOW_MS, key, signature), DEVICE_CHALLENGE);
}

static void
device_challenge_changed_is_none (void **state)
{
    (void) state;
    uint8_t signature[64];
    char changed[DEVICE_CHALLENGE_SIZE];
    sign ("us", "hr-7f", signature);
    for (size_t at = 0; at < sizeof challenge - 1; at++) {
        memcpy (changed, challenge, sizeof changed);
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        assert_int_equal (device_verify (node, "us", "hr-7f", changed, NOW_MS, key, signature), DEVICE_CHALLENGE);
        changed[at] = '\0';
        assert_int_equal (device_verify (node, "us", "hr-7f", changed, NOW_MS, key, signature), DEVICE_CHALLENGE);
    }
}

static void
device_text_has_one_meaning (void **state)
{
    (void) state;
    char text[DEVICE_TEXT_SIZE], large[300];
    memset (large, 'x', sizeof large);
    large[299] = '\0';
    assert_int_equal (device_text ("us", "hr\n7f", challenge, text), 0);
    assert_int_equal (device_text ("us\nhr", "7f", challenge, text), 0);
    assert_int_equal (device_text (large, "7f", challenge, text), 0);
    assert_int_equal (device_text ("us", large, challenge, text), 0);
    large[DEVICE_AUDIENCE_MAX] = '\0';
    size_t size = device_text (large, large + DEVICE_AUDIENCE_MAX - TROUPE_ID_MAX, challenge, text);
    assert_true (size > 0 && size < sizeof text);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (device_with_its_key_is_let_in_until_the_end),
        cmocka_unit_test (device_signature_is_good_for_one_thing),
        cmocka_unit_test (device_challenge_is_of_this_node_and_device),
        cmocka_unit_test (device_challenge_changed_is_none),
        cmocka_unit_test (device_text_has_one_meaning),
    };
    return cmocka_run_group_tests (tests, start, NULL);
}
