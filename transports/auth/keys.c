/*  keys.c - the node's own keys.
 *
 *  DESIGN. What is secret stands in the struct and in two buffers of fixed size, which are wiped: no
 *  growing buffer leaves a copy behind. The lock is one on the directory, since the file itself is
 *  another one after each change. A file whose names or public halves do not fit its secrets is refused: it
 *  would sign what nobody can verify.
 */
#include "transports/auth/keys.h"

#include "runtime/base/memory.h"
#include "transports/auth/base64url.h"
#include "transports/auth/member.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED_SIZE crypto_sign_SEEDBYTES
#define X_SIZE BASE64URL_SIZE (ED25519_KEY_SIZE)

typedef struct {
    char kid[BASE64URL_SIZE (crypto_hash_sha256_BYTES)];
    uint8_t x[ED25519_KEY_SIZE];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];  /* seed, x */
    uint64_t created_ms, retired_ms, until_ms;   /* 0: not yet */
} pair_t;

struct keys_s {
    pair_t pairs[KEYS_MAX];                      /* the oldest first: the last one signs */
    size_t count;
    public_key_t of_pairs[KEYS_MAX];
    key_set_t public;
};

/* ------------------------------------------------------------------ *
 *  Pairs
 * ------------------------------------------------------------------ */

static void
pair_make (pair_t *pair, const uint8_t seed[SEED_SIZE], uint64_t now_ms)
{
    char x[X_SIZE], members[128];
    uint8_t thumb[crypto_hash_sha256_BYTES];
    crypto_sign_seed_keypair (pair->x, pair->secret, seed);
    base64url_write (pair->x, sizeof pair->x, x);
    int size = snprintf (members, sizeof members, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    crypto_hash_sha256 (thumb, (const uint8_t *) members, (unsigned long long) size);
    base64url_write (thumb, sizeof thumb, pair->kid);
    pair->created_ms = now_ms;
}

static void
add_new (keys_t *self, uint64_t now_ms)
{
    uint8_t seed[SEED_SIZE];
    randombytes_buf (seed, sizeof seed);
    pair_make (&self->pairs[self->count++], seed, now_ms);
    sodium_memzero (seed, sizeof seed);
}

static bool
read_pair (packed_reader_t object, pair_t *pair)
{
    char kid[KID_MAX + 1], x[X_SIZE], d[BASE64URL_SIZE (SEED_SIZE)];
    uint8_t public[ED25519_KEY_SIZE], seed[SEED_SIZE];
    bool good = member_text (object, "kid", kid, sizeof kid) == MEMBER_OK
        && member_text (object, "x", x, sizeof x) == MEMBER_OK && member_text (object, "d", d, sizeof d) == MEMBER_OK
        && base64url_read_exactly (x, strlen (x), public, sizeof public)
        && base64url_read_exactly (d, strlen (d), seed, sizeof seed)
        && member_integer (object, "created", &pair->created_ms) == MEMBER_OK
        && member_integer (object, "retired", &pair->retired_ms) != MEMBER_BAD
        && member_integer (object, "until", &pair->until_ms) != MEMBER_BAD;
    if (good) {
        pair_make (pair, seed, pair->created_ms);
        good = strcmp (pair->kid, kid) == 0 && memcmp (pair->x, public, sizeof public) == 0
            && !pair->retired_ms == !pair->until_ms;
    }
    sodium_memzero (seed, sizeof seed);
    sodium_memzero (d, sizeof d);
    return good;
}

static bool
read_pairs (keys_t *self, packed_reader_t object)
{
    packed_reader_t elements;
    uint32_t count;
    if (member_array (object, "keys", &elements, &count) != MEMBER_OK || count == 0 || count > KEYS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_pair (member_element (&elements), &self->pairs[i]))
            return false;
        if (!self->pairs[i].retired_ms != (i == count - 1))
            return false;
    }
    self->count = count;
    return true;
}

/* ------------------------------------------------------------------ *
 *  The file
 * ------------------------------------------------------------------ */

typedef struct {
    const char *path;       /* for error texts */
    const char *name;       /* within its directory */
    char fresh[NAME_MAX + 1];
    int directory;          /* locked */
} place_t;

static troupe_status_t
fail (const place_t *place, const char *doing, troupe_error_t *error)
{
    int code = errno;
    return error_set (error, code == ENOSPC || code == EDQUOT ? TROUPE_FULL : TROUPE_IO, "cannot %s %s: %s", doing,
                      place->path, strerror (code));
}

static troupe_status_t
place_open (place_t *place, const char *path, troupe_error_t *error)
{
    char parent[PATH_MAX];
    const char *slash = strrchr (path, '/');
    size_t size = slash ? (size_t) (slash - path) + 1 : 0;
    place->path = path;
    place->name = path + size;
    if (size >= sizeof parent || !*place->name
        || snprintf (place->fresh, sizeof place->fresh, "%s.new", place->name) >= (int) sizeof place->fresh)
        return error_set (error, TROUPE_INVALID, "%.100s is no name for a file of keys", path);
    memcpy (parent, path, size);
    memcpy (parent + size, size ? "" : ".", size ? 1 : 2);
    place->directory = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->directory < 0)
        return fail (place, "open the directory of", error);
    if (flock (place->directory, LOCK_EX) == 0)
        return TROUPE_OK;
    troupe_status_t status = fail (place, "lock the directory of", error);
    close (place->directory);
    return status;
}

static void
place_close (place_t *place)
{
    close (place->directory);
}

static bool
write_all (int file, const uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t some = write (file, bytes, size);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return false;
        bytes += some;
        size -= (size_t) some;
    }
    return true;
}

/*  The new file under its name, or the old one as it was. */
static troupe_status_t
replace (const place_t *place, const buffer_t *text, troupe_error_t *error)
{
    if (unlinkat (place->directory, place->fresh, 0) != 0 && errno != ENOENT)
        return fail (place, "write", error);
    int file = openat (place->directory, place->fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return fail (place, "write", error);
    bool written = write_all (file, text->data, text->size) && fsync (file) == 0;
    troupe_status_t status = written ? TROUPE_OK : fail (place, "write", error);
    close (file);
    if (written && renameat (place->directory, place->fresh, place->directory, place->name) != 0)
        status = fail (place, "rename", error);
    if (status != TROUPE_OK)
        unlinkat (place->directory, place->fresh, 0);
    else if (fsync (place->directory) != 0)
        status = fail (place, "sync the directory of", error);
    return status;
}

static void
append_pair (buffer_t *to, const pair_t *pair, bool with_secret)
{
    char x[X_SIZE], d[BASE64URL_SIZE (SEED_SIZE)];
    base64url_write (pair->x, sizeof pair->x, x);
    buffer_printf (to, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"EdDSA\",");
    buffer_printf (to, "\"kid\":\"%s\",\"x\":\"%s\"", pair->kid, x);
    if (with_secret) {
        base64url_write (pair->secret, SEED_SIZE, d);
        buffer_printf (to, ",\"d\":\"");
        buffer_append (to, d, strlen (d));  /* not through a formatter's own memory */
        buffer_printf (to, "\",\"created\":%llu", (unsigned long long) pair->created_ms);
        if (pair->retired_ms)
            buffer_printf (to, ",\"retired\":%llu,\"until\":%llu", (unsigned long long) pair->retired_ms,
                           (unsigned long long) pair->until_ms);
        sodium_memzero (d, sizeof d);
    }
    buffer_byte (to, '}');
}

static void
append_pairs (buffer_t *to, const keys_t *self, bool with_secret)
{
    buffer_printf (to, "{\"keys\":[");
    for (size_t i = 0; i < self->count; i++) {
        if (i > 0)
            buffer_byte (to, ',');
        append_pair (to, &self->pairs[i], with_secret);
    }
    buffer_printf (to, "]}");
}

/*  Room at once, so that growing leaves no copies; wiped before it is freed. */
static bool
secret_buffer (buffer_t *buffer)
{
    return buffer_reserve (buffer, KEYS_FILE_MAX) != NULL;
}

static void
secret_buffer_clear (buffer_t *buffer)
{
    if (buffer->data)
        sodium_memzero (buffer->data, buffer->capacity);
    buffer_clear (buffer);
}

static troupe_status_t
save (const keys_t *self, const place_t *place, troupe_error_t *error)
{
    buffer_t text = { .limit = KEYS_FILE_MAX };
    troupe_status_t status = TROUPE_NO_MEMORY;
    if (secret_buffer (&text))
        append_pairs (&text, self, true);
    if (!text.failed)
        status = replace (place, &text, error);
    else
        error_set (error, status, "no memory to write %s", place->path);
    secret_buffer_clear (&text);
    return status;
}

static troupe_status_t
check_owner (const place_t *place, int file, troupe_error_t *error)
{
    struct stat info;
    if (fstat (file, &info) != 0)
        return fail (place, "look at", error);
    if (!S_ISREG (info.st_mode))
        return error_set (error, TROUPE_INVALID, "%s is no file", place->path);
    if (info.st_uid != geteuid ())
        return error_set (error, TROUPE_FORBIDDEN, "%s belongs to another user: chown it", place->path);
    if (info.st_mode & 077)
        return error_set (error, TROUPE_FORBIDDEN, "%s is open to others: chmod 600 it, and rotate what they may have "
                          "seen", place->path);
    return TROUPE_OK;
}

static troupe_status_t
read_all (const place_t *place, int file, buffer_t *text, troupe_error_t *error)
{
    while (text->size < KEYS_FILE_MAX) {
        ssize_t some = read (file, text->data + text->size, KEYS_FILE_MAX - text->size);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return fail (place, "read", error);
        if (some == 0)
            return TROUPE_OK;
        text->size += (size_t) some;
    }
    return error_set (error, TROUPE_CORRUPT, "%s is too large for a file of keys", place->path);
}

static troupe_status_t
parse (keys_t *self, const place_t *place, const buffer_t *text, buffer_t *packed, troupe_error_t *error)
{
    packed_reader_t object;
    troupe_status_t status = object_read (text->data, text->size, packed, &object, NULL);
    if (status == TROUPE_NO_MEMORY)
        return error_set (error, status, "no memory to read %s", place->path);
    if (status != TROUPE_OK || !read_pairs (self, object))
        return error_set (error, TROUPE_CORRUPT, "%s is not what a node wrote: put back a copy, or move it away to "
                          "begin with a new key", place->path);
    return TROUPE_OK;
}

/*  TROUPE_NOT_FOUND: there is no file. */
static troupe_status_t
load (keys_t *self, const place_t *place, troupe_error_t *error)
{
    int file = openat (place->directory, place->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == ENOENT)
        return error_set (error, TROUPE_NOT_FOUND, "there is no file %s", place->path);
    if (file < 0)
        return fail (place, "open", error);
    buffer_t text = { 0 }, packed = { 0 };
    troupe_status_t status = check_owner (place, file, error);
    if (status == TROUPE_OK && (!secret_buffer (&text) || !secret_buffer (&packed)))
        status = error_set (error, TROUPE_NO_MEMORY, "no memory to read %s", place->path);
    if (status == TROUPE_OK)
        status = read_all (place, file, &text, error);
    if (status == TROUPE_OK)
        status = parse (self, place, &text, &packed, error);
    secret_buffer_clear (&text);
    secret_buffer_clear (&packed);
    close (file);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Keys
 * ------------------------------------------------------------------ */

static void
publish (keys_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        public_key_t *key = &self->of_pairs[i];
        key->algorithm = KEY_EDDSA;
        memcpy (key->kid, self->pairs[i].kid, sizeof self->pairs[i].kid);
        memcpy (key->ed25519, self->pairs[i].x, sizeof key->ed25519);
        key->until_ms = self->pairs[i].until_ms;
    }
    self->public = (key_set_t) { self->of_pairs, self->count };
}

troupe_status_t
keys_open (const char *path, uint64_t now_ms, keys_t **keys, troupe_error_t *error)
{
    place_t place;
    troupe_status_t status = place_open (&place, path, error);
    if (status != TROUPE_OK)
        return status;
    keys_t *self = memory_zalloc (sizeof *self);
    status = self ? load (self, &place, error) : error_set (error, TROUPE_NO_MEMORY, "no memory to read %s", path);
    if (status == TROUPE_NOT_FOUND) {
        add_new (self, now_ms);
        status = save (self, &place, error);
    }
    place_close (&place);
    if (status == TROUPE_OK) {
        publish (self);
        *keys = self;
    } else
        keys_destroy (&self);
    return status;
}

void
keys_destroy (keys_t **self_p)
{
    keys_t *self = *self_p;
    if (!self)
        return;
    sodium_memzero (self, sizeof *self);
    memory_free (self);
    *self_p = NULL;
}

static void
retire_all (keys_t *self, uint64_t now_ms, uint64_t keep_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        pair_t *pair = &self->pairs[i];
        if (!pair->retired_ms) {
            pair->retired_ms = now_ms;
            pair->until_ms = now_ms + keep_ms;
        }
        if (keep_ms > 0 && pair->until_ms > now_ms)
            self->pairs[kept++] = *pair;
    }
    sodium_memzero (&self->pairs[kept], (self->count - kept) * sizeof self->pairs[0]);
    self->count = kept;
}

troupe_status_t
keys_rotate (const char *path, uint64_t now_ms, uint64_t keep_ms, troupe_error_t *error)
{
    place_t place;
    keys_t *self = NULL;
    CHECK (now_ms > 0 && now_ms <= TROUPE_TIME_MAX && keep_ms <= TROUPE_TIME_MAX);
    troupe_status_t status = place_open (&place, path, error);
    if (status != TROUPE_OK)
        return status;
    self = memory_zalloc (sizeof *self);
    status = self ? load (self, &place, error) : error_set (error, TROUPE_NO_MEMORY, "no memory to read %s", path);
    if (status == TROUPE_OK) {
        retire_all (self, now_ms, keep_ms);
        if (self->count == KEYS_MAX)
            status = error_set (error, TROUPE_TOO_LARGE, "%d keys still verify tokens: rotate later", KEYS_MAX);
    }
    if (status == TROUPE_OK) {
        add_new (self, now_ms);
        status = save (self, &place, error);
    }
    place_close (&place);
    keys_destroy (&self);
    return status;
}

const char *
keys_kid (const keys_t *self)
{
    return self->pairs[self->count - 1].kid;
}

void
keys_sign (const keys_t *self, const void *bytes, size_t size, uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    crypto_sign_detached (signature, NULL, bytes, size, self->pairs[self->count - 1].secret);
}

void
keys_secret (const keys_t *self, const char *purpose, uint8_t secret[32])
{
    crypto_generichash (secret, 32, (const uint8_t *) purpose, strlen (purpose), self->pairs[0].secret, SEED_SIZE);
}

const key_set_t *
keys_public (const keys_t *self)
{
    return &self->public;
}

void
keys_jwks (const keys_t *self, buffer_t *to)
{
    append_pairs (to, self, false);
}
