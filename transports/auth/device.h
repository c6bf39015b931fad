/*  device.h - devices that sign in with an Ed25519 key of their own. Any thread.
 *
 *  The node sends a challenge, the device signs a text with it, the node verifies. A challenge names its device and
 *  its end under a MAC of the node, so that none need be remembered. Until its end it can be answered more than
 *  once: a gateway takes only the one that it gave to this connection, and no signature is good on another.
 */
#ifndef TRANSPORTS_AUTH_DEVICE_H
#define TRANSPORTS_AUTH_DEVICE_H

#include "transports/auth/base64url.h"
#include "transports/auth/public_key.h"

#define DEVICE_SECRET_SIZE 32    /* random bytes, of the node's life or longer */
#define DEVICE_CHALLENGE_BYTES (8 + 16 + 32)
#define DEVICE_CHALLENGE_SIZE BASE64URL_SIZE (DEVICE_CHALLENGE_BYTES)  /* with its NUL */
#define DEVICE_AUDIENCE_MAX 255
#define DEVICE_TEXT_SIZE 640

typedef enum {
    DEVICE_OK,
    DEVICE_CHALLENGE,            /* none of this node, or of another device */
    DEVICE_EXPIRED,
    DEVICE_SIGNATURE
} device_result_t;

void device_challenge (const uint8_t secret[DEVICE_SECRET_SIZE], const char *device, uint64_t now_ms,
                       uint64_t life_ms, char challenge[DEVICE_CHALLENGE_SIZE]);

/*  What the device signs, four lines: "troupe device sign-in 1", the audience (whom it speaks to, so that
 *  nobody else can pass the signature on), the device, the challenge. Returns its size; 0 when one of
 *  them cannot stand in it. */
size_t device_text (const char *audience, const char *device, const char *challenge, char text[DEVICE_TEXT_SIZE]);

device_result_t device_verify (const uint8_t secret[DEVICE_SECRET_SIZE], const char *audience, const char *device,
                               const char *challenge, uint64_t now_ms, const uint8_t key[ED25519_KEY_SIZE],
                               const uint8_t signature[ED25519_SIGNATURE_SIZE]);

#endif
