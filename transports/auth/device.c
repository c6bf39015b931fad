/*  device.c - devices that sign in with an Ed25519 key of their own. */
#include "transports/auth/device.h"

#include "runtime/base/bytes.h"
#include "transports/auth/name.h"

#include <sodium.h>
#include <stdio.h>

#define DOMAIN "troupe device sign-in 1"
#define MAC_DOMAIN "troupe device challenge 1"

/*  A challenge, decoded. */
typedef struct {
    uint8_t until_ms[8];         /* big-endian */
    uint8_t random[16];
    uint8_t mac[32];             /* of the two before it, and the device */
} challenge_t;
_Static_assert (sizeof (challenge_t) == DEVICE_CHALLENGE_BYTES, "no padding");

static void
make_mac (const uint8_t secret[DEVICE_SECRET_SIZE], const char *device, const challenge_t *challenge, uint8_t mac[32])
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, secret, DEVICE_SECRET_SIZE, 32);
    crypto_generichash_update (&state, (const uint8_t *) MAC_DOMAIN, sizeof MAC_DOMAIN);
    crypto_generichash_update (&state, challenge->until_ms, sizeof challenge->until_ms);
    crypto_generichash_update (&state, challenge->random, sizeof challenge->random);
    crypto_generichash_update (&state, (const uint8_t *) device, strlen (device));
    crypto_generichash_final (&state, mac, 32);
}

void
device_challenge (const uint8_t secret[DEVICE_SECRET_SIZE], const char *device, uint64_t now_ms, uint64_t life_ms,
                  char text[DEVICE_CHALLENGE_SIZE])
{
    challenge_t challenge;
    put_be64 (challenge.until_ms, now_ms + life_ms);
    randombytes_buf (challenge.random, sizeof challenge.random);
    make_mac (secret, device, &challenge, challenge.mac);
    base64url_write (&challenge, sizeof challenge, text);
}

size_t
device_text (const char *audience, const char *device, const char *challenge, char text[DEVICE_TEXT_SIZE])
{
    if (strlen (audience) > DEVICE_AUDIENCE_MAX || strchr (audience, '\n') || !name_is_subject (device)
        || strlen (challenge) != DEVICE_CHALLENGE_SIZE - 1)
        return 0;
    return (size_t) snprintf (text, DEVICE_TEXT_SIZE, "%s\n%s\n%s\n%s\n", DOMAIN, audience, device, challenge);
}

device_result_t
device_verify (const uint8_t secret[DEVICE_SECRET_SIZE], const char *audience, const char *device,
               const char *text, uint64_t now_ms, const uint8_t key[ED25519_KEY_SIZE],
               const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    uint8_t mac[32];
    challenge_t challenge;
    char message[DEVICE_TEXT_SIZE];
    size_t size = device_text (audience, device, text, message);
    if (size == 0 || !base64url_read_exactly (text, strlen (text), &challenge, sizeof challenge))
        return DEVICE_CHALLENGE;
    make_mac (secret, device, &challenge, mac);
    if (sodium_memcmp (mac, challenge.mac, sizeof mac) != 0)
        return DEVICE_CHALLENGE;
    if (now_ms >= get_be64 (challenge.until_ms))
        return DEVICE_EXPIRED;
    return crypto_sign_verify_detached (signature, (const uint8_t *) message, size, key) == 0
        ? DEVICE_OK : DEVICE_SIGNATURE;
}
