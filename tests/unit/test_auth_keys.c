/*  test_auth_keys.c - the node's own keys: who may read them, how they follow one another. */

#include "transports/auth/keys.h"

#include "runtime/base/memory.h"
#include "tests/unit/auth_help.h"

#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS 1764190000000u
#define HOUR_MS 3600000u

static keys_t *
opened (const char *path)
{
    keys_t *keys = NULL;
    troupe_error_t error = { 0 };
    if (keys_open (path, NOW_MS, &keys, &error) != TROUPE_OK)
        fail_msg ("%s", error.text);
    return keys;
}

static troupe_status_t
status_of (const char *path)
{
    keys_t *keys = NULL;
    troupe_error_t error = { 0 };
    troupe_status_t status = keys_open (path, NOW_MS, &keys, &error);
    assert_true (status == TROUPE_OK ? keys != NULL : !keys && error.status == status && error.text[0]);
    keys_destroy (&keys);
    return status;
}

static void
write_file (const char *path, const char *text, size_t size, mode_t mode)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_int_equal (fwrite (text, 1, size, file), size);
    assert_int_equal (fchmod (fileno (file), mode), 0);
    fclose (file);
}

static size_t
read_file (const char *path, char text[KEYS_FILE_MAX])
{
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    size_t size = fread (text, 1, KEYS_FILE_MAX, file);
    fclose (file);
    return size;
}

static token_result_t
open_token (const keys_t *keys, const buffer_t *token, uint64_t now_ms)
{
    jws_t jws;
    return jws_open (keys_public (keys), NULL, (const char *) token->data, token->size, now_ms, &jws);
}

static void
keys_are_made_once_and_for_their_owner (void **state)
{
    (void) state;
    struct stat info;
    char kid[KID_MAX + 1];
    umask (0);
    keys_t *keys = opened ("made");
    strcpy (kid, keys_kid (keys));
    keys_destroy (&keys);
    assert_int_equal (stat ("made", &info), 0);
    assert_int_equal (info.st_mode & 07777, 0600);
    keys = opened ("made");
    assert_string_equal (keys_kid (keys), kid);
    keys_destroy (&keys);
    assert_int_not_equal (access ("made.new", F_OK), 0);
}

static void
keys_open_to_others_are_refused (void **state)
{
    (void) state;
    assert_int_equal (status_of ("modes"), TROUPE_OK);
    for (mode_t mode = 0; mode < 0100; mode++) {
        assert_int_equal (chmod ("modes", 0600 | mode), 0);
        assert_int_equal (status_of ("modes"), mode ? TROUPE_FORBIDDEN : TROUPE_OK);
        assert_int_equal (keys_rotate ("modes", NOW_MS, 0, NULL), mode ? TROUPE_FORBIDDEN : TROUPE_OK);
    }
}

static void
keys_behind_something_else_are_refused (void **state)
{
    (void) state;
    assert_int_equal (status_of ("real"), TROUPE_OK);
    assert_int_equal (symlink ("real", "link"), 0);
    assert_int_equal (status_of ("link"), TROUPE_IO);
    assert_int_equal (mkfifo ("fifo", 0600), 0);
    assert_int_equal (status_of ("fifo"), TROUPE_INVALID);
    assert_int_equal (status_of ("nowhere/keys"), TROUPE_IO);
    assert_int_equal (status_of ("./"), TROUPE_INVALID);
    assert_int_equal (keys_rotate ("absent", NOW_MS, 0, NULL), TROUPE_NOT_FOUND);
    if (geteuid () == 0) {  /* else nobody can give a file away */
        assert_int_equal (chown ("real", 12345, (gid_t) -1), 0);
        assert_int_equal (status_of ("real"), TROUPE_FORBIDDEN);
    }
}

static void
keys_of_rfc_8037_have_its_names_and_signature (void **state)
{
    (void) state;
    uint8_t signature[64];
    char text[BASE64URL_SIZE (64)];
    static const char file[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" RFC8037_THUMB "\",\"x\":\""
        RFC8037_X "\",\"d\":\"" RFC8037_D "\",\"created\":1}]}";
    write_file ("rfc", file, strlen (file), 0600);
    keys_t *keys = opened ("rfc");
    assert_string_equal (keys_kid (keys), RFC8037_THUMB);
    size_t signed_size = strrchr (RFC8037_TOKEN, '.') - RFC8037_TOKEN;
    keys_sign (keys, RFC8037_TOKEN, signed_size, signature);
    base64url_write (signature, sizeof signature, text);
    assert_string_equal (text, strrchr (RFC8037_TOKEN, '.') + 1);
    keys_destroy (&keys);
}

static void
keys_that_were_retired_verify_until_their_end (void **state)
{
    (void) state;
    buffer_t old_token = { 0 }, new_token = { 0 };
    keys_t *old = opened ("rotated");
    jws_make (old, "{}", 2, &old_token);
    assert_int_equal (keys_rotate ("rotated", NOW_MS + 1, HOUR_MS, NULL), TROUPE_OK);
    keys_t *new = opened ("rotated");
    jws_make (new, "{}", 2, &new_token);
    assert_string_not_equal (keys_kid (new), keys_kid (old));
    assert_int_equal (open_token (new, &new_token, NOW_MS), TOKEN_OK);
    assert_int_equal (open_token (new, &old_token, NOW_MS + HOUR_MS), TOKEN_OK);
    assert_int_equal (open_token (new, &old_token, NOW_MS + 1 + HOUR_MS), TOKEN_KEY_UNKNOWN);
    assert_int_equal (open_token (old, &new_token, NOW_MS), TOKEN_KEY_UNKNOWN);
    assert_int_equal (keys_public (new)->count, 2);
    keys_destroy (&new);
    /* at the next rotation after its end it goes */
    assert_int_equal (keys_rotate ("rotated", NOW_MS + 2 + HOUR_MS, HOUR_MS, NULL), TROUPE_OK);
    new = opened ("rotated");
    assert_int_equal (keys_public (new)->count, 2);
    assert_null (key_set_find (keys_public (new), keys_kid (old)));
    keys_destroy (&new);
    keys_destroy (&old);
    buffer_clear (&old_token);
    buffer_clear (&new_token);
}

static void
keys_that_were_seen_go_at_once (void **state)
{
    (void) state;
    assert_int_equal (status_of ("seen"), TROUPE_OK);
    for (uint64_t i = 0; i < KEYS_MAX - 1; i++)
        assert_int_equal (keys_rotate ("seen", NOW_MS + i, HOUR_MS, NULL), TROUPE_OK);
    assert_int_equal (keys_rotate ("seen", NOW_MS + KEYS_MAX, HOUR_MS, NULL), TROUPE_TOO_LARGE);
    assert_int_equal (status_of ("seen"), TROUPE_OK);
    assert_int_equal (keys_rotate ("seen", NOW_MS + KEYS_MAX, 0, NULL), TROUPE_OK);
    keys_t *keys = opened ("seen");
    assert_int_equal (keys_public (keys)->count, 1);
    keys_destroy (&keys);
}

static void
keys_for_others_have_no_secret (void **state)
{
    (void) state;
    buffer_t text = { 0 };
    key_set_t *set = NULL;
    keys_t *keys = opened ("shown");
    assert_int_equal (keys_rotate ("shown", NOW_MS, HOUR_MS, NULL), TROUPE_OK);
    keys_destroy (&keys);
    keys = opened ("shown");
    keys_jwks (keys, &text);
    buffer_byte (&text, '\0');
    assert_null (strstr ((char *) text.data, "\"d\""));
    assert_int_equal (jwks_read ((char *) text.data, text.size - 1, &set, NULL), TROUPE_OK);
    assert_int_equal (set->count, 2);
    assert_non_null (key_set_find (set, keys_kid (keys)));
    jwks_destroy (&set);
    keys_destroy (&keys);
    buffer_clear (&text);
}

/*  Also what a power cut between two writes would leave, if files were written in place. */
static void
keys_in_a_damaged_file_are_refused (void **state)
{
    (void) state;
    char text[KEYS_FILE_MAX];
    assert_int_equal (status_of ("whole"), TROUPE_OK);
    assert_int_equal (keys_rotate ("whole", NOW_MS, HOUR_MS, NULL), TROUPE_OK);
    size_t size = read_file ("whole", text);
    for (size_t cut = 0; cut < size; cut++) {
        write_file ("cut", text, cut, 0600);
        assert_int_equal (status_of ("cut"), TROUPE_CORRUPT);
    }
    for (const char *member = "kxd"; *member; member++) {
        char name[8];
        size = read_file ("whole", text);
        text[size] = '\0';
        snprintf (name, sizeof name, *member == 'k' ? "\"kid\":\"" : "\"%c\":\"", *member);
        char *value = strstr (text, name) + strlen (name) + 3;
        *value = *value == 'A' ? 'B' : 'A';
        write_file ("changed", text, size, 0600);
        assert_int_equal (status_of ("changed"), TROUPE_CORRUPT);
    }
    memset (text, ' ', sizeof text);
    write_file ("large", text, sizeof text, 0600);
    assert_int_equal (status_of ("large"), TROUPE_CORRUPT);
}

/*  What a writer that died has left behind is in nobody's way. */
static void
keys_that_were_half_written_are_forgotten (void **state)
{
    (void) state;
    assert_int_equal (status_of ("half"), TROUPE_OK);
    write_file ("half.new", "{", 1, 0644);
    assert_int_equal (status_of ("half"), TROUPE_OK);
    assert_int_equal (keys_rotate ("half", NOW_MS, HOUR_MS, NULL), TROUPE_OK);
    assert_int_equal (status_of ("half"), TROUPE_OK);
}

static void
keys_without_memory_stay_as_they_are (void **state)
{
    (void) state;
    keys_t *keys = NULL;
    troupe_status_t status = TROUPE_NO_MEMORY;
    for (uint64_t n = 1; status == TROUPE_NO_MEMORY; n++) {
        memory_fail_after (n);
        status = keys_open ("no_memory", NOW_MS, &keys, NULL);
        memory_fail_after (0);
        assert_true (n < 50);
    }
    assert_int_equal (status, TROUPE_OK);
    status = TROUPE_NO_MEMORY;
    for (uint64_t n = 1; status == TROUPE_NO_MEMORY; n++) {
        char kid[KID_MAX + 1];
        strcpy (kid, keys_kid (keys));
        memory_fail_after (n);
        status = keys_rotate ("no_memory", NOW_MS, HOUR_MS, NULL);
        memory_fail_after (0);
        assert_true (n < 50);
        keys_destroy (&keys);
        keys = opened ("no_memory");
        assert_int_equal (strcmp (keys_kid (keys), kid) != 0, status == TROUPE_OK);
    }
    assert_int_equal (status, TROUPE_OK);
    keys_destroy (&keys);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (keys_are_made_once_and_for_their_owner),
        cmocka_unit_test (keys_open_to_others_are_refused),
        cmocka_unit_test (keys_behind_something_else_are_refused),
        cmocka_unit_test (keys_of_rfc_8037_have_its_names_and_signature),
        cmocka_unit_test (keys_that_were_retired_verify_until_their_end),
        cmocka_unit_test (keys_that_were_seen_go_at_once),
        cmocka_unit_test (keys_for_others_have_no_secret),
        cmocka_unit_test (keys_in_a_damaged_file_are_refused),
        cmocka_unit_test (keys_that_were_half_written_are_forgotten),
        cmocka_unit_test (keys_without_memory_stay_as_they_are),
    };
    return cmocka_run_group_tests (tests, start_sodium, NULL);
}
