/*  test_edge_documents.c - OpenAPI and AsyncAPI out of the tables of kinds, and errors as HTTP says them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "transports/edge/asyncapi.h"
#include "transports/edge/openapi.h"
#include "transports/edge/problem.h"

static troupe_status_t
run (troupe_turn_t *turn)
{
    (void) turn;
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "lap", run, .allow = TROUPE_OWNER, .args = "n:int note?:string raw?:bytes", .gives = "laps:int",
      .doc = "Count \"laps\"." },
    { "show", run, .allow = TROUPE_ANYONE, .reads = true, .args = "unit:string of?:array" },
    { "close", run, .allow = TROUPE_OPERATOR, .gives = "what was there" },
    { "coach", run, .allow = TROUPE_ROLE, .role = "coach" },
    { "ask", run, .allow = TROUPE_DECIDES, .args = "" },
    { "inner", run, .args = "n:int" },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .allow = TROUPE_SIGNED_IN, .doc = "Every lap." },
    { "inner" },
    { NULL }
};
static const troupe_kind_t runner = { "runner", .version = 1, .verbs = verbs, .channels = channels, .doc = "Runs." };
static const troupe_kind_t quiet = { "quiet", .version = 1 };
static const troupe_kind_t *const kinds[] = { &runner, &quiet, NULL };
static const document_info_t info = { "Runners", "1.2", "example.org:7600", true };

typedef void (write_t) (buffer_t *to, const document_info_t *info, const troupe_kind_t *const *kinds);

static json_t *
tree_of (write_t *write)
{
    buffer_t text = { 0 };
    json_error_t error;
    write (&text, &info, kinds);
    assert_false (text.failed);
    json_t *tree = json_loadb ((const char *) text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (!tree)
        fail_msg ("%s at %d of %.*s", error.text, error.position, (int) text.size, (char *) text.data);
    buffer_clear (&text);
    return tree;
}

/*  The part at a path of names, which are parted by blanks; NULL when there is none. */
static json_t *
part_of (json_t *tree, const char *path)
{
    char names[256], *rest = names;
    snprintf (names, sizeof names, "%s", path);
    for (char *name; tree && (name = strtok_r (rest, " ", &rest)) != NULL;)
        tree = json_is_array (tree) ? json_array_get (tree, (size_t) atoi (name)) : json_object_get (tree, name);
    return tree;
}

static void
assert_part (json_t *tree, const char *path, const char *expected)
{
    json_t *part = part_of (tree, path), *wanted = json_loads (expected, JSON_DECODE_ANY, NULL);
    assert_non_null (wanted);
    if (!json_equal (part, wanted)) {
        char *text = part ? json_dumps (part, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        fail_msg ("%s: %s, not %s", path, text ? text : "nothing", expected);
    }
    json_decref (wanted);
}

static void
openapi_has_a_path_for_each_verb_and_channel (void **state)
{
    (void) state;
    json_t *tree = tree_of (openapi_write);
    assert_part (tree, "openapi", "\"3.1.0\"");
    assert_part (tree, "info title", "\"Runners\"");
    assert_part (tree, "servers 0 url", "\"https://example.org:7600\"");
    assert_part (tree, "tags 0", "{\"name\":\"runner\",\"description\":\"Runs.\"}");
    assert_int_equal (json_object_size (part_of (tree, "paths")), 6);
    assert_non_null (part_of (tree, "paths /a/runner/{id}/lap post"));
    assert_null (part_of (tree, "paths /a/runner/{id}/lap get"));
    assert_non_null (part_of (tree, "paths /a/runner/{id}/show post"));
    assert_non_null (part_of (tree, "paths /a/runner/{id}/show get"));
    assert_non_null (part_of (tree, "paths /a/runner/{id}/close post"));
    assert_non_null (part_of (tree, "paths /a/runner/{id}/ask post"));
    assert_null (part_of (tree, "paths /a/runner/{id}/inner"));
    assert_non_null (part_of (tree, "paths /f/runner/{id}/live get responses 200 content text/event-stream"));
    assert_null (part_of (tree, "paths /f/runner/{id}/inner"));
    json_decref (tree);
}

static void
openapi_of_a_command_says_what_it_takes_and_gives (void **state)
{
    (void) state;
    json_t *tree = tree_of (openapi_write), *post = part_of (tree, "paths /a/runner/{id}/lap post");
    assert_part (post, "operationId", "\"runner.lap\"");
    assert_part (post, "description", "\"Count \\\"laps\\\". For the owner of the actor.\"");
    assert_part (post, "security", "[{\"bearer\":[]}]");
    assert_part (post, "parameters", "[{\"$ref\":\"#/components/parameters/idempotency_key\"}]");
    assert_part (post, "requestBody required", "true");
    assert_part (post, "requestBody content application/json schema",
                 "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"format\":\"int64\"},"
                 "\"note\":{\"type\":[\"string\",\"null\"]},"
                 "\"raw\":{\"type\":[\"string\",\"null\"],\"contentEncoding\":\"base64\"}},"
                 "\"required\":[\"n\"],\"additionalProperties\":false}");
    assert_part (post, "responses 200 content application/json schema",
                 "{\"type\":\"object\",\"properties\":{\"laps\":{\"type\":\"integer\",\"format\":\"int64\"}},"
                 "\"required\":[\"laps\"]}");
    assert_part (post, "responses 409", "{\"$ref\":\"#/components/responses/problem_409\"}");
    post = part_of (tree, "paths /a/runner/{id}/close post");
    assert_part (post, "requestBody", "{\"required\":false,\"content\":{\"application/json\":{\"schema\":{}}}}");
    assert_part (post, "responses 200 content application/json schema", "{}");
    assert_part (post, "security", "[{\"bearer\":[\"operator\"]}]");
    post = part_of (tree, "paths /a/runner/{id}/coach post");
    assert_part (post, "description", "\"For the role coach.\"");
    assert_part (post, "security", "[{\"bearer\":[\"coach\"]}]");
    post = part_of (tree, "paths /a/runner/{id}/ask post");
    assert_part (post, "requestBody required", "false");
    assert_part (post, "security", "[{},{\"bearer\":[]}]");
    json_decref (tree);
}

static void
openapi_of_a_read_takes_its_fields_in_the_query (void **state)
{
    (void) state;
    json_t *tree = tree_of (openapi_write), *get = part_of (tree, "paths /a/runner/{id}/show get");
    assert_part (get, "operationId", "\"runner.show:get\"");
    assert_part (get, "parameters",
                 "[{\"name\":\"unit\",\"in\":\"query\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
                 "{\"name\":\"of\",\"in\":\"query\",\"required\":false,"
                 "\"content\":{\"application/json\":{\"schema\":{\"type\":\"array\",\"items\":{}}}}}]");
    assert_null (part_of (tree, "paths /a/runner/{id}/show post parameters"));
    assert_part (get, "security", "[{},{\"bearer\":[]}]");
    json_decref (tree);
}

/*  Each "$ref" of the tree leads somewhere. */
static void
check_references (json_t *root, json_t *tree, unsigned *count)
{
    const char *key;
    size_t index;
    json_t *part, *target = root;
    json_array_foreach (tree, index, part)
        check_references (root, part, count);
    json_object_foreach (tree, key, part) {
        check_references (root, part, count);
        if (strcmp (key, "$ref") != 0)
            continue;
        char path[256], *rest = path;
        snprintf (path, sizeof path, "%s", json_string_value (part) + 2);
        for (char *name; (name = strtok_r (rest, "/", &rest)) != NULL;)
            target = json_object_get (target, name);
        assert_non_null (target);
        *count += 1;
    }
}

static void
references_lead_somewhere (void **state)
{
    (void) state;
    write_t *const writers[] = { openapi_write, asyncapi_write };
    for (size_t index = 0; index < 2; index++) {
        unsigned count = 0;
        json_t *tree = tree_of (writers[index]);
        check_references (tree, tree, &count);
        assert_true (count > 10);
        json_decref (tree);
    }
}

static void
asyncapi_has_a_channel_for_each_feed (void **state)
{
    (void) state;
    json_t *tree = tree_of (asyncapi_write);
    assert_part (tree, "asyncapi", "\"3.0.0\"");
    assert_part (tree, "servers node host", "\"example.org:7600\"");
    assert_part (tree, "servers node protocol", "\"wss\"");
    assert_int_equal (json_object_size (part_of (tree, "channels")), 1);
    assert_part (tree, "channels runner.live address", "\"runner/{id}/live\"");
    assert_part (tree, "channels runner.live description", "\"Every lap. For whoever is signed in.\"");
    assert_int_equal (json_object_size (part_of (tree, "operations")), 2);
    assert_part (tree, "operations runner.live:watch action", "\"receive\"");
    assert_part (tree, "operations runner.live:watch messages",
                 "[{\"$ref\":\"#/channels/runner.live/messages/watch\"},"
                 "{\"$ref\":\"#/channels/runner.live/messages/unwatch\"}]");
    assert_part (tree, "operations runner.live:events action", "\"send\"");
    assert_int_equal (json_array_size (part_of (tree, "operations runner.live:events messages")), 7);
    json_decref (tree);
}

static void
documents_that_do_not_fit_leave_what_was_there (void **state)
{
    (void) state;
    write_t *const writers[] = { openapi_write, asyncapi_write };
    for (size_t index = 0; index < 2; index++) {
        buffer_t whole = { 0 };
        writers[index] (&whole, &info, kinds);
        for (size_t room = 0; room < whole.size; room += 97) {
            buffer_t narrow = { .limit = 6 + room };
            buffer_append (&narrow, "before", 6);
            writers[index] (&narrow, &info, kinds);
            assert_true (narrow.failed && narrow.size == 6);
            buffer_clear (&narrow);
        }
        bool failed = true;
        for (uint64_t allocation = 1; failed; allocation++) {
            buffer_t starved = { 0 };
            memory_fail_after (allocation);
            writers[index] (&starved, &info, kinds);
            memory_fail_after (0);
            failed = starved.failed;
            assert_int_equal (starved.size, failed ? 0 : whole.size);
            buffer_clear (&starved);
        }
        buffer_clear (&whole);
    }
}

static void
documents_without_a_host_are_relative (void **state)
{
    (void) state;
    static const document_info_t hidden = { .title = "x", .version = "0" };
    buffer_t text = { 0 };
    openapi_write (&text, &hidden, kinds);
    buffer_byte (&text, '\0');
    assert_non_null (strstr ((char *) text.data, "\"servers\":[{\"url\":\"/\"}]"));
    buffer_reset (&text);
    asyncapi_write (&text, &hidden, kinds);
    buffer_byte (&text, '\0');
    assert_null (strstr ((char *) text.data, "\"servers\""));
    buffer_clear (&text);
}

static void
sign_in_is_described_where_there_is_one (void **state)
{
    (void) state;
    static const document_info_t open = { .title = "x", .version = "0", .has_sign_in = true };
    buffer_t text = { 0 };
    openapi_write (&text, &open, kinds);
    json_t *tree = json_loadb ((const char *) text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal (json_object_size (part_of (tree, "paths")), 6 + 9);
    assert_part (tree, "tags 2 name", "\"auth\"");
    assert_part (tree, "paths /auth/login post operationId", "\"auth.login\"");
    assert_null (part_of (tree, "paths /auth/login post parameters"));
    assert_part (tree, "paths /auth/login post security 0", "{}");
    assert_part (tree, "paths /auth/keys post security", "[{\"bearer\":[]}]");
    assert_part (tree, "paths /auth/refresh post requestBody content application/json schema required",
                 "[\"refresh_token\",\"nonce\"]");
    json_decref (tree);
    buffer_clear (&text);
    json_t *other = tree_of (openapi_write);
    assert_null (part_of (other, "paths /auth/login"));
    json_decref (other);
}

static void
assert_problem (troupe_status_t status, bool is_signed_in, const char *name, unsigned code)
{
    const problem_t *problem = problem_of (status, is_signed_in);
    assert_string_equal (problem->status, name);
    assert_int_equal (problem->code, code);
    assert_true (*problem->title);
}

static void
problem_has_a_code_for_each_status (void **state)
{
    (void) state;
    assert_problem (TROUPE_OK, false, "ok", 200);
    assert_problem (TROUPE_REFUSED, true, "refused", 409);
    assert_problem (TROUPE_INVALID, true, "invalid", 400);
    assert_problem (TROUPE_NOT_FOUND, true, "not_found", 404);
    assert_problem (TROUPE_FORBIDDEN, true, "forbidden", 403);
    assert_problem (TROUPE_FORBIDDEN, false, "forbidden", 401);
    assert_problem (TROUPE_TOO_LARGE, true, "too_large", 413);
    assert_problem (TROUPE_OVERLOADED, true, "overloaded", 503);
    assert_problem (TROUPE_TIMEOUT, true, "timeout", 504);
    assert_problem (TROUPE_UNKNOWN, true, "unknown", 500);
    assert_problem (TROUPE_STOPPING, true, "stopping", 503);
    assert_problem (TROUPE_PARKED, true, "parked", 503);
    assert_problem (TROUPE_FAILED, true, "failed", 500);
    assert_problem (TROUPE_NO_MEMORY, true, "overloaded", 503);
    assert_problem (TROUPE_CORRUPT, true, "failed", 500);
}

static void
problem_body_says_what_and_when (void **state)
{
    (void) state;
    buffer_t text = { 0 };
    buffer_append (&text, "head", 4);
    problem_write (&text, problem_of (TROUPE_OVERLOADED, true), "the \"mailbox\" is full \xff", 250);
    problem_write (&text, problem_of (TROUPE_FORBIDDEN, false), "", 0);
    buffer_byte (&text, '\0');
    assert_string_equal ((char *) text.data,
                         "head{\"type\":\"urn:troupe:overloaded\",\"title\":\"Not accepted, send again later\","
                         "\"status\":503,\"detail\":\"the \\\"mailbox\\\" is full \xef\xbf\xbd\","
                         "\"retry_after_ms\":250}"
                         "{\"type\":\"urn:troupe:forbidden\",\"title\":\"Sign in\",\"status\":401}");
    buffer_clear (&text);
    buffer_t narrow = { .limit = 20 };
    buffer_append (&narrow, "head", 4);
    problem_write (&narrow, problem_of (TROUPE_OVERLOADED, true), "", 0);
    assert_true (narrow.failed && narrow.size == 4);
    buffer_clear (&narrow);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (openapi_has_a_path_for_each_verb_and_channel),
        cmocka_unit_test (openapi_of_a_command_says_what_it_takes_and_gives),
        cmocka_unit_test (openapi_of_a_read_takes_its_fields_in_the_query),
        cmocka_unit_test (references_lead_somewhere),
        cmocka_unit_test (asyncapi_has_a_channel_for_each_feed),
        cmocka_unit_test (documents_that_do_not_fit_leave_what_was_there),
        cmocka_unit_test (documents_without_a_host_are_relative),
        cmocka_unit_test (sign_in_is_described_where_there_is_one),
        cmocka_unit_test (problem_has_a_code_for_each_status),
        cmocka_unit_test (problem_body_says_what_and_when),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
