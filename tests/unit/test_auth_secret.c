/*  test_auth_secret.c - refresh tokens, API keys, and the names in them. */

#include "transports/auth/secret.h"

#include "tests/unit/auth_help.h"

static void
secret_read_back_says_where_it_belongs (void **state)
{
    (void) state;
    char id[SECRET_ID_MAX + 1], text[SECRET_TEXT_SIZE], other[SECRET_TEXT_SIZE];
    secret_t secret, second;
    secret_new_id (id);
    secret_make (SECRET_REFRESH, id, "anna@x.org", text);
    secret_make (SECRET_REFRESH, id, "anna@x.org", other);
    assert_int_equal (strncmp (text, "trp_rt_", 7), 0);
    assert_true (secret_read (SECRET_REFRESH, text, strlen (text), &secret));
    assert_true (secret_read (SECRET_REFRESH, other, strlen (other), &second));
    assert_string_equal (secret.id, id);
    assert_string_equal (secret.login, "anna@x.org");
    assert_true (secret_is (&secret, secret.hash));
    assert_false (secret_is (&secret, second.hash));
    assert_false (secret_is (&secret, ""));
    assert_null (strstr (text, secret.hash));
    secret_make (SECRET_API_KEY, "a", "b", text);
    assert_int_equal (strncmp (text, "trp_key_", 8), 0);
    assert_false (secret_read (SECRET_REFRESH, text, strlen (text), &secret));
    assert_true (secret_read (SECRET_API_KEY, text, strlen (text), &secret));
}

static void
secret_of_the_longest_names_fits (void **state)
{
    (void) state;
    char id[SECRET_ID_MAX + 1] = "", login[LOGIN_MAX + 1] = "", text[SECRET_TEXT_SIZE];
    secret_t secret;
    memset (id, '-', SECRET_ID_MAX);
    memset (login, 'z', LOGIN_MAX);
    secret_make (SECRET_API_KEY, id, login, text);
    assert_int_equal (strlen (text), SECRET_TEXT_SIZE - 1);
    assert_true (secret_read (SECRET_API_KEY, text, strlen (text), &secret));
    assert_string_equal (secret.id, id);
    assert_string_equal (secret.login, login);
}

static void
secret_cut_or_changed_is_another (void **state)
{
    (void) state;
    char text[SECRET_TEXT_SIZE];
    secret_t secret, other;
    secret_make (SECRET_REFRESH, "family", "anna", text);
    size_t size = strlen (text);
    assert_true (secret_read (SECRET_REFRESH, text, size, &secret));
    for (size_t cut = 0; cut < size; cut++)
        assert_false (secret_read (SECRET_REFRESH, text, cut, &other) && secret_is (&other, secret.hash));
    for (size_t at = 0; at < size; at++) {
        char was = text[at];
        text[at] = was == 'x' ? 'y' : 'x';
        assert_false (secret_read (SECRET_REFRESH, text, size, &other) && secret_is (&other, secret.hash));
        text[at] = '\0';
        assert_false (secret_read (SECRET_REFRESH, text, size, &other));
        text[at] = was;
    }
}

/*  A retry gets what the first try got; without the nonce, or on another node, it is something else. */
static void
secret_successor_is_one_for_each_nonce (void **state)
{
    (void) state;
    static const uint8_t node[NODE_SECRET_SIZE] = { 1 }, other_node[NODE_SECRET_SIZE] = { 2 };
    char old[SECRET_TEXT_SIZE], first[SECRET_TEXT_SIZE], again[SECRET_TEXT_SIZE];
    secret_t secret;
    secret_make (SECRET_REFRESH, "family", "anna", old);
    secret_successor (node, old, "n1", 2, first);
    assert_true (secret_read (SECRET_REFRESH, first, strlen (first), &secret));
    assert_string_equal (secret.id, "family");
    assert_string_equal (secret.login, "anna");
    secret_successor (node, old, "n1", 2, again);
    assert_string_equal (again, first);
    secret_successor (node, old, "n2", 2, again);
    assert_string_not_equal (again, first);
    secret_successor (other_node, old, "n1", 2, again);
    assert_string_not_equal (again, first);
    secret_successor (node, first, "n1", 2, again);
    assert_string_not_equal (again, first);
}

static void
name_login_is_one_for_each_account (void **state)
{
    (void) state;
    char login[LOGIN_MAX + 1];
    assert_true (name_login ("  Anna.B@Example.org ", login));
    assert_string_equal (login, "anna.b@example.org");
    assert_true (name_login ("0123456789012345678901234567890123456789012345678901234567890123", login));
    assert_false (name_login ("01234567890123456789012345678901234567890123456789012345678901234", login));
    assert_false (name_login ("", login));
    assert_false (name_login ("   ", login));
    assert_false (name_login ("an na", login));
    assert_false (name_login ("an/na", login));
    assert_false (name_login ("{anna}", login));
    assert_false (name_login ("\xc3\xa4nna", login));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (secret_read_back_says_where_it_belongs),
        cmocka_unit_test (secret_of_the_longest_names_fits),
        cmocka_unit_test (secret_cut_or_changed_is_another),
        cmocka_unit_test (secret_successor_is_one_for_each_nonce),
        cmocka_unit_test (name_login_is_one_for_each_account),
    };
    return cmocka_run_group_tests (tests, start_sodium, NULL);
}
