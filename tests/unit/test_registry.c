/*  test_registry.c - tables of kinds, and addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "runtime/registry.h"

static troupe_status_t
nothing (troupe_turn_t *turn)
{
    (void) turn;
    return TROUPE_OK;
}

static const troupe_verb_t plain_verbs[] = {
    { "lap", nothing, .allow = TROUPE_OWNER, .args = "laps:int note?:string" },
    { "laps", nothing, .reads = true },
    { NULL }
};
static const troupe_channel_t plain_channels[] = {
    { "live", .keep = 10 },
    { "position", .is_volatile = true },
    { NULL }
};
static const troupe_kind_t runner = { "runner", .version = 3, .verbs = plain_verbs, .channels = plain_channels };

/*  Refused, and the text has `part`; the registry is as it was. */
static void
assert_refused (const troupe_kind_t *kind, const char *part)
{
    registry_t *registry = registry_new ();
    troupe_error_t error = { 0 };
    assert_int_equal (registry_add (registry, &runner, NULL), TROUPE_OK);
    assert_int_equal (registry_add (registry, kind, NULL), TROUPE_INVALID);
    assert_int_equal (registry_add (registry, kind, &error), TROUPE_INVALID);
    assert_int_equal (error.status, TROUPE_INVALID);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" is not in \"%s\"", part, error.text);
    assert_int_equal (registry_count (registry), 1);
    registry_destroy (&registry);
}

static void
refuse_verbs (const troupe_verb_t *verbs, const char *part)
{
    assert_refused (&(troupe_kind_t) { "walker", .version = 1, .verbs = verbs }, part);
}

static void
refuse_channels (const troupe_channel_t *channels, const char *part)
{
    assert_refused (&(troupe_kind_t) { "walker", .version = 1, .verbs = plain_verbs, .channels = channels }, part);
}

static void
registry_good_kind_is_compiled (void **state)
{
    (void) state;
    registry_t *registry = registry_new ();
    assert_int_equal (registry_add (registry, &runner, NULL), TROUPE_OK);
    assert_int_equal (registry_count (registry), 1);
    const kind_t *kind = registry_find (registry, "runner/42", 6);
    assert_non_null (kind);
    assert_ptr_equal (kind, registry_at (registry, 0));
    assert_null (registry_at (registry, 1));
    assert_ptr_equal (kind->table, &runner);
    assert_int_equal (kind->name_size, 6);
    assert_int_equal (kind->verb_count, 2);
    assert_int_equal (kind->channel_count, 2);
    const verb_t *verb = kind_verb (kind, "laps!", 4);
    assert_non_null (verb);
    assert_ptr_equal (verb->table, &plain_verbs[1]);
    assert_ptr_equal (verb->kind, kind);
    assert_int_equal (verb->index, 1);
    assert_true (verb->reads);
    assert_null (verb->args);
    assert_non_null (kind_verb (kind, "lap", 3)->args);
    assert_int_equal (kind_channel (kind, "position")->index, 1);
    assert_null (kind_channel (kind, "pos"));
    registry_destroy (&registry);
    assert_null (registry);
    registry_destroy (&registry);
}

static void
registry_unknown_names_are_not_found (void **state)
{
    (void) state;
    registry_t *registry = registry_new ();
    assert_null (registry_find (registry, "runner", 6));
    assert_int_equal (registry_add (registry, &runner, NULL), TROUPE_OK);
    const kind_t *kind = registry_at (registry, 0);
    assert_null (registry_find (registry, "runner", 5));
    assert_null (registry_find (registry, "", 0));
    assert_null (kind_verb (kind, "la", 2));
    assert_null (kind_verb (kind, "", 0));
    assert_null (kind_verb (kind, "$wake", 5));
    registry_destroy (&registry);
}

static void
registry_kind_without_channels_is_fine (void **state)
{
    (void) state;
    registry_t *registry = registry_new ();
    troupe_kind_t kind = { "a", .version = 1, .verbs = plain_verbs };
    assert_int_equal (registry_add (registry, &kind, NULL), TROUPE_OK);
    assert_null (kind_channel (registry_at (registry, 0), "live"));
    registry_destroy (&registry);
}

static void
registry_wrong_kind_is_refused_with_reason (void **state)
{
    (void) state;
    assert_refused (NULL, "without a name");
    assert_refused (&(troupe_kind_t) { NULL, .version = 1, .verbs = plain_verbs }, "without a name");
    assert_refused (&(troupe_kind_t) { "", .version = 1, .verbs = plain_verbs }, "1 to 31");
    assert_refused (&(troupe_kind_t) { "Walker", .version = 1, .verbs = plain_verbs }, "\"Walker\"");
    assert_refused (&(troupe_kind_t) { "wal/ker", .version = 1, .verbs = plain_verbs }, "a-z 0-9");
    assert_refused (&(troupe_kind_t) { "wal.ker", .version = 1, .verbs = plain_verbs }, "a-z 0-9");
    assert_refused (&(troupe_kind_t) { "a2345678901234567890123456789012", .version = 1, .verbs = plain_verbs },
                    "1 to 31");
    assert_refused (&runner, "there already");
    assert_refused (&(troupe_kind_t) { "walker", .verbs = plain_verbs }, ".version");
    assert_refused (&(troupe_kind_t) { "walker", .version = 1 }, "no verbs");
    assert_refused (&(troupe_kind_t) { "walker", .version = 1, .verbs = (troupe_verb_t[]) { { NULL } } }, "no verbs");
    assert_refused (&(troupe_kind_t) { "walker", .version = 1, .verbs = plain_verbs, .cache_size = (size_t) -8 },
                    ".cache_size");
}

static void
registry_wrong_verb_is_refused_with_reason (void **state)
{
    (void) state;
    refuse_verbs ((troupe_verb_t[]) { { "go", nothing }, { "", nothing }, { NULL } }, "empty");
    refuse_verbs ((troupe_verb_t[]) { { "go" }, { NULL } }, "kind walker, verb \"go\": it has no function");
    refuse_verbs ((troupe_verb_t[]) { { "$go", nothing }, { NULL } }, "$");
    refuse_verbs ((troupe_verb_t[]) { { "-go", nothing }, { NULL } }, "begin with a letter");
    refuse_verbs ((troupe_verb_t[]) { { "..", nothing }, { NULL } }, "begin with a letter");
    refuse_verbs ((troupe_verb_t[]) { { "go there", nothing }, { NULL } }, "underscore only");
    refuse_verbs ((troupe_verb_t[]) { { "g\xc3\xb6", nothing }, { NULL } }, "underscore only");
    refuse_verbs ((troupe_verb_t[]) { { "go", nothing }, { "run", nothing }, { "go", nothing }, { NULL } }, "twice");
    refuse_verbs ((troupe_verb_t[]) { { "go", nothing, .allow = (troupe_allow_t) 99 }, { NULL } }, ".allow");
    refuse_verbs ((troupe_verb_t[]) { { "go", nothing, .args = "laps:integral" }, { NULL } }, "verb \"go\": .args: ");
    refuse_verbs ((troupe_verb_t[]) {
        { "a234567890123456789012345678901234567890123456789012345678901234", nothing }, { NULL } }, "63 bytes");
}

static void
registry_wrong_channel_is_refused_with_reason (void **state)
{
    (void) state;
    refuse_channels ((troupe_channel_t[]) { { "$live" }, { NULL } }, "kind walker, channel \"$live\"");
    refuse_channels ((troupe_channel_t[]) { { "live" }, { "live" }, { NULL } }, "twice");
    refuse_channels ((troupe_channel_t[]) { { "live", .is_volatile = true, .keep = 1 }, { NULL } }, ".keep");
    refuse_channels ((troupe_channel_t[]) { { "live", .is_volatile = true, .keep_ms = 1 }, { NULL } }, ".keep");
    refuse_channels ((troupe_channel_t[]) { { "live", .allow = TROUPE_DECIDES }, { NULL } }, ".permit");
    refuse_channels ((troupe_channel_t[]) { { "live", .allow = TROUPE_ROLE }, { NULL } }, ".role");
    refuse_verbs ((troupe_verb_t[]) { { "a", nothing, .role = "coach" }, { NULL } }, ".role");
    refuse_verbs ((troupe_verb_t[]) { { "a", nothing, .allow = TROUPE_ROLE, .role = "a b" }, { NULL } }, "no name");
    refuse_channels ((troupe_channel_t[]) { { "live", .presence = TROUPE_PRESENCE_LIST + 1 }, { NULL } }, ".presence");
    refuse_channels ((troupe_channel_t[]) { { "live", .permit = "may" }, { NULL } }, ".permit");
    refuse_channels ((troupe_channel_t[]) { { "live", .allow = TROUPE_DECIDES, .permit = "may" }, { NULL } }, ".reads");
    refuse_channels ((troupe_channel_t[]) { { "live", .snapshot = "all" }, { NULL } }, ".snapshot");
    refuse_channels ((troupe_channel_t[]) { { "live", .allow = (troupe_allow_t) 99 }, { NULL } }, ".allow");
}

/*  Names with numbers: 256 kinds, verbs, channels. */
static char many_names[256][8];

static void
name_many (void)
{
    for (unsigned at = 0; at < 256; at++)
        snprintf (many_names[at], sizeof many_names[at], "n%u", at);
}

static void
registry_most_verbs_and_channels_fit_and_one_more_does_not (void **state)
{
    (void) state;
    static troupe_verb_t verbs[REGISTRY_VERBS_MAX + 2];
    static troupe_channel_t channels[REGISTRY_CHANNELS_MAX + 2];
    name_many ();
    for (unsigned at = 0; at < REGISTRY_VERBS_MAX; at++)
        verbs[at] = (troupe_verb_t) { many_names[at], nothing };
    for (unsigned at = 0; at < REGISTRY_CHANNELS_MAX; at++)
        channels[at].name = many_names[at];
    registry_t *registry = registry_new ();
    troupe_kind_t kind = { "walker", .version = 1, .verbs = verbs, .channels = channels };
    assert_int_equal (registry_add (registry, &kind, NULL), TROUPE_OK);
    const kind_t *found = registry_at (registry, 0);
    for (unsigned at = 0; at < REGISTRY_VERBS_MAX; at++)
        assert_int_equal (kind_verb (found, many_names[at], strlen (many_names[at]))->index, at);
    assert_null (kind_verb (found, many_names[255], strlen (many_names[255])));
    for (unsigned at = 0; at < REGISTRY_CHANNELS_MAX; at++)
        assert_int_equal (kind_channel (found, many_names[at])->index, at);
    registry_destroy (&registry);
    channels[REGISTRY_CHANNELS_MAX].name = many_names[255];
    assert_refused (&kind, "channels, or no { NULL }");
    verbs[REGISTRY_VERBS_MAX] = (troupe_verb_t) { many_names[255], nothing };
    assert_refused (&kind, "verbs, or no { NULL }");
}

static void
registry_most_kinds_fit_and_one_more_does_not (void **state)
{
    (void) state;
    static troupe_kind_t kinds[REGISTRY_KINDS_MAX];
    name_many ();
    registry_t *registry = registry_new ();
    for (unsigned at = 0; at < REGISTRY_KINDS_MAX; at++) {
        kinds[at] = (troupe_kind_t) { many_names[at], .version = 1, .verbs = plain_verbs };
        assert_int_equal (registry_add (registry, &kinds[at], NULL), TROUPE_OK);
    }
    for (unsigned at = 0; at < REGISTRY_KINDS_MAX; at++)
        assert_int_equal (registry_find (registry, many_names[at], strlen (many_names[at]))->index, at);
    assert_null (registry_find (registry, "runner", 6));
    troupe_error_t error;
    assert_int_equal (registry_add (registry, &runner, &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "at most 256"));
    registry_destroy (&registry);
}

static void
registry_out_of_memory_leaves_it_as_it_was (void **state)
{
    (void) state;
    registry_t *registry = registry_new ();
    troupe_status_t status = TROUPE_NO_MEMORY;
    unsigned failures = 0;
    for (uint64_t after = 1; status != TROUPE_OK; after++) {
        troupe_error_t error;
        memory_fail_after (after);
        status = registry_add (registry, &runner, &error);
        memory_fail_after (0);
        assert_true (status == TROUPE_OK || status == TROUPE_NO_MEMORY);
        assert_int_equal (registry_count (registry), status == TROUPE_OK);
        failures += status != TROUPE_OK;
    }
    assert_true (failures >= 4);
    registry_destroy (&registry);
    memory_fail_after (1);
    assert_null (registry_new ());
    memory_fail_after (0);
}

/* ---- addresses ---- */

static void
assert_parts (const char *text, const char *kind, const char *id, const char *affinity)
{
    address_t address;
    assert_int_equal (address_parse (text, strlen (text), &address, NULL), TROUPE_OK);
    assert_int_equal (address.kind_size, strlen (kind));
    assert_memory_equal (address.kind, kind, strlen (kind));
    assert_int_equal (address.id_size, strlen (id));
    assert_memory_equal (address.id, id, strlen (id));
    assert_int_equal (address.affinity_size, strlen (affinity));
    assert_memory_equal (address.affinity, affinity, strlen (affinity));
}

static void
assert_no_address (const char *text, size_t size, const char *part)
{
    address_t address = { .kind_size = 77 };
    troupe_error_t error = { 0 };
    assert_int_equal (address_parse (text, size, &address, &error), TROUPE_INVALID);
    assert_int_equal (address.kind_size, 77);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" is not in \"%s\"", part, error.text);
}

static void
address_parts_are_found (void **state)
{
    (void) state;
    assert_parts ("user/42", "user", "42", "42");
    assert_parts ("a-b_9/!~.:@#$%&'()*+,;<=>?[\\]^`|-_", "a-b_9", "!~.:@#$%&'()*+,;<=>?[\\]^`|-_",
                  "!~.:@#$%&'()*+,;<=>?[\\]^`|-_");
}

static void
address_affinity_is_what_the_first_braces_hold (void **state)
{
    (void) state;
    assert_parts ("workout/{42}7", "workout", "{42}7", "42");
    assert_parts ("workout/a{42}", "workout", "a{42}", "42");
    assert_parts ("workout/{a}{b}", "workout", "{a}{b}", "a");
    assert_parts ("workout/x}y{b}", "workout", "x}y{b}", "b");
    assert_parts ("workout/{{a}}", "workout", "{{a}}", "{a");
    assert_parts ("workout/{}7", "workout", "{}7", "{}7");
    assert_parts ("workout/{}{a}", "workout", "{}{a}", "{}{a}");
    assert_parts ("workout/{42", "workout", "{42", "{42");
    assert_parts ("workout/42}", "workout", "42}", "42}");
}

static void
address_needs_no_nul (void **state)
{
    (void) state;
    address_t address;
    assert_int_equal (address_parse ("user/{12}3", 7, &address, NULL), TROUPE_OK);
    assert_int_equal (address.id_size, 2);
    assert_int_equal (address.affinity_size, 2);
    assert_memory_equal (address.affinity, "{1", 2);
}

static void
address_wrong_is_refused_with_reason (void **state)
{
    (void) state;
    char longest[1 + TROUPE_KIND_MAX + 1 + TROUPE_ID_MAX + 1];
    memset (longest, 'a', sizeof longest);
    longest[TROUPE_KIND_MAX] = '/';
    address_t address;
    size_t most = TROUPE_KIND_MAX + 1 + TROUPE_ID_MAX;
    assert_int_equal (most, TROUPE_ADDRESS_MAX);
    assert_int_equal (address_parse (longest, most, &address, NULL), TROUPE_OK);
    assert_no_address (longest, most + 1, "1 to 191 bytes");
    longest[TROUPE_KIND_MAX] = 'a';
    longest[TROUPE_KIND_MAX + 1] = '/';
    assert_no_address (longest, most, "a kind is 1 to 31");
    assert_no_address (NULL, 0, "kind/id");
    assert_no_address ("user", 4, "kind/id");
    assert_no_address ("/42", 3, "a kind is");
    assert_no_address ("User/42", 7, "a kind is");
    assert_no_address ("user/", 5, "an id is");
    assert_no_address ("user/a b", 8, "printable ASCII");
    assert_no_address ("user/a/b", 8, "printable ASCII");
    assert_no_address ("user/a\0b", 8, "printable ASCII");
    assert_no_address ("user/a\x7f", 7, "printable ASCII");
    assert_no_address ("user/\xc3\xa4", 7, "printable ASCII");
}

static uint64_t
hash_of (const char *text, uint64_t seed)
{
    address_t address;
    assert_int_equal (address_parse (text, strlen (text), &address, NULL), TROUPE_OK);
    return address_hash (&address, seed);
}

static void
address_one_key_is_one_shard (void **state)
{
    (void) state;
    assert_true (hash_of ("user/42", 5) == hash_of ("device/42", 5));
    assert_true (hash_of ("user/42", 5) == hash_of ("workout/{42}7", 5));
    assert_true (hash_of ("user/42", 5) == hash_bytes ("42", 2, 5));
    assert_true (hash_of ("user/42", 5) != hash_of ("user/42", 6));
    assert_true (hash_of ("user/42", 5) != hash_of ("user/43", 5));
}

/*  They stand on disk: another figure would look for actors on the wrong shard. */
static void
address_shards_are_fixed (void **state)
{
    (void) state;
    static const struct { const char *text; uint16_t shard; } known[] = {
        { "user/1", 553 }, { "user/2", 291 }, { "user/anna", 47 }, { "device/hr-7f", 181 }, { "workout/{42}7", 436 }
    };
    for (size_t at = 0; at < sizeof known / sizeof known[0]; at++) {
        address_t address;
        assert_int_equal (address_parse (known[at].text, strlen (known[at].text), &address, NULL), TROUPE_OK);
        assert_int_equal (address_shard (&address, 1, 1), 0);
        assert_int_equal (address_shard (&address, 0x7472, 1000), known[at].shard);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (registry_good_kind_is_compiled),
        cmocka_unit_test (registry_unknown_names_are_not_found),
        cmocka_unit_test (registry_kind_without_channels_is_fine),
        cmocka_unit_test (registry_wrong_kind_is_refused_with_reason),
        cmocka_unit_test (registry_wrong_verb_is_refused_with_reason),
        cmocka_unit_test (registry_wrong_channel_is_refused_with_reason),
        cmocka_unit_test (registry_most_verbs_and_channels_fit_and_one_more_does_not),
        cmocka_unit_test (registry_most_kinds_fit_and_one_more_does_not),
        cmocka_unit_test (registry_out_of_memory_leaves_it_as_it_was),
        cmocka_unit_test (address_parts_are_found),
        cmocka_unit_test (address_affinity_is_what_the_first_braces_hold),
        cmocka_unit_test (address_needs_no_nul),
        cmocka_unit_test (address_wrong_is_refused_with_reason),
        cmocka_unit_test (address_one_key_is_one_shard),
        cmocka_unit_test (address_shards_are_fixed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
