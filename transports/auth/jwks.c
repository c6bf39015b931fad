/*  jwks.c - the keys of outside providers, from the text that they publish. */
#include "transports/auth/jwks.h"

#include "runtime/base/memory.h"
#include "transports/auth/base64url.h"
#include "transports/auth/member.h"

#define WORD_MAX 15                  /* "Ed25519" is the longest that counts */

/*  A member that is absent, or is this word. */
static bool
fits (packed_reader_t object, const char *name, const char *wanted)
{
    char word[WORD_MAX + 1];
    member_t member = member_text (object, name, word, sizeof word);
    return member == MEMBER_ABSENT || (member == MEMBER_OK && strcmp (word, wanted) == 0);
}

static bool
is_word (packed_reader_t object, const char *name, const char *wanted)
{
    char word[WORD_MAX + 1];
    return member_text (object, name, word, sizeof word) == MEMBER_OK && strcmp (word, wanted) == 0;
}

/*  The bytes of a number; without `exactly` it may have fewer than `most`. */
static bool
read_number (packed_reader_t object, const char *name, uint8_t *bytes, size_t most, size_t *size)
{
    packed_value_t value;
    return member_string (object, name, &value) == MEMBER_OK
        && base64url_read ((const char *) value.string.bytes, value.string.size, bytes, most, size);
}

static bool
read_whole (packed_reader_t object, const char *name, uint8_t *bytes, size_t wanted)
{
    size_t size;
    return read_number (object, name, bytes, wanted, &size) && size == wanted;
}

static troupe_status_t
read_ed25519 (packed_reader_t object, public_key_t *key)
{
    key->algorithm = KEY_EDDSA;
    return is_word (object, "crv", "Ed25519") && read_whole (object, "x", key->ed25519, sizeof key->ed25519)
        ? TROUPE_OK : TROUPE_INVALID;
}

static troupe_status_t
read_p256 (packed_reader_t object, public_key_t *key)
{
    uint8_t x[P256_SIZE], y[P256_SIZE];
    if (!is_word (object, "crv", "P-256") || !read_whole (object, "x", x, sizeof x)
        || !read_whole (object, "y", y, sizeof y))
        return TROUPE_INVALID;
    return public_key_es256 (key, x, y);
}

static troupe_status_t
read_rsa (packed_reader_t object, public_key_t *key)
{
    uint8_t modulus[RSA_BITS_MAX / 8], exponent[8];
    size_t modulus_size, exponent_size;
    if (!read_number (object, "n", modulus, sizeof modulus, &modulus_size)
        || !read_number (object, "e", exponent, sizeof exponent, &exponent_size))
        return TROUPE_INVALID;
    return public_key_rs256 (key, modulus, modulus_size, exponent, exponent_size);
}

/*  Whether it is there to verify with; one that shows its secret is anybody's. */
static bool
may_verify (packed_reader_t object)
{
    bool has = false;
    packed_reader_t found;
    member_t operations = member_has (object, "key_ops", "verify", &has);
    return fits (object, "use", "sig") && (operations == MEMBER_ABSENT || (operations == MEMBER_OK && has))
        && !packed_find (object.at, (size_t) (object.end - object.at), "d", &found);
}

/*  TROUPE_INVALID: not one of ours, to be skipped. */
static troupe_status_t
read_key (packed_reader_t object, public_key_t *key)
{
    memset (key, 0, sizeof *key);
    packed_reader_t head = object;
    packed_value_t value;
    if (!packed_next (&head, &value) || value.type != PACKED_OBJECT || !may_verify (object)
        || member_text (object, "kid", key->kid, sizeof key->kid) == MEMBER_BAD)
        return TROUPE_INVALID;
    if (is_word (object, "kty", "OKP") && (fits (object, "alg", "EdDSA") || fits (object, "alg", "Ed25519")))
        return read_ed25519 (object, key);
    if (is_word (object, "kty", "EC") && fits (object, "alg", "ES256"))
        return read_p256 (object, key);
    if (is_word (object, "kty", "RSA") && fits (object, "alg", "RS256"))
        return read_rsa (object, key);
    return TROUPE_INVALID;
}

static troupe_status_t
read_keys (key_set_t *set, packed_reader_t elements, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        public_key_t *key = &set->keys[set->count];
        troupe_status_t status = read_key (member_element (&elements), key);
        if (status == TROUPE_NO_MEMORY)
            return status;
        if (status == TROUPE_OK && key_set_find (set, key->kid))
            public_key_clear (key);
        else if (status == TROUPE_OK)
            set->count += 1;
    }
    return set->count > 0 ? TROUPE_OK : TROUPE_INVALID;
}

static key_set_t *
make_set (uint32_t count)
{
    key_set_t *set = memory_zalloc (sizeof *set);
    if (set)
        set->keys = memory_zalloc (count * sizeof *set->keys);
    if (set && !set->keys)
        jwks_destroy (&set);
    return set;
}

static troupe_status_t
read_set (packed_reader_t object, key_set_t **set, troupe_error_t *error)
{
    packed_reader_t elements;
    uint32_t count;
    if (member_array (object, "keys", &elements, &count) != MEMBER_OK)
        return error_set (error, TROUPE_INVALID, "a JWKS has an array \"keys\"");
    if (count > JWKS_KEYS_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "more than %d keys in a JWKS", JWKS_KEYS_MAX);
    *set = make_set (count);
    troupe_status_t status = *set ? read_keys (*set, elements, count) : TROUPE_NO_MEMORY;
    if (status == TROUPE_OK)
        return status;
    jwks_destroy (set);
    return error_set (error, status, status == TROUPE_INVALID
                      ? "no key in the JWKS that can be used: Ed25519, ES256, or RS256 of 2048 bits or more are"
                      : "no memory to read a JWKS");
}

troupe_status_t
jwks_read (const char *text, size_t size, key_set_t **set, troupe_error_t *error)
{
    buffer_t packed = { 0 };
    packed_reader_t object;
    *set = NULL;
    if (size > JWKS_TEXT_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "a JWKS of more than %u bytes", JWKS_TEXT_MAX);
    troupe_status_t status = object_read (text, size, &packed, &object, error);
    if (status == TROUPE_OK)
        status = read_set (object, set, error);
    buffer_clear (&packed);
    return status;
}

void
jwks_destroy (key_set_t **self_p)
{
    key_set_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        public_key_clear (&self->keys[i]);
    memory_free (self->keys);
    memory_free (self);
    *self_p = NULL;
}

