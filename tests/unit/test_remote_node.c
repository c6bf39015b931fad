/*  test_remote_node.c - a whole node, whose remote kind outlives it. */

#include "commands/node.h"
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TABLE(version) "{\"kind\": \"echo\", \"version\": " #version ", \"verbs\": [{\"name\": \"say\"}]}"

static char folder[] = "/tmp/troupe-remote-XXXXXX";
static remote_host_t host;
static _Atomic int room, refused;

/* ---- a worker that answers at once, on the thread of the shard ---- */

static bool
holds (void *self, const char *kind, const char *address, uint64_t version)
{
    (void) self;
    (void) kind;
    (void) address;
    (void) version;
    return false;
}

static bool
offer (void *self, const remote_offer_t *offer, remote_token_t *token)
{
    static const uint8_t reply[] = { 0x91, 0x92, 0xa5, 'r', 'e', 'p', 'l', 'y' };
    static _Atomic uint64_t next;
    (void) self;
    if (!room) {
        refused += 1;
        return false;
    }
    uint8_t effects[64];
    uint64_t number = ++next;
    memset (token, 0, sizeof *token);
    memcpy (token->bytes, &number, sizeof number);
    memcpy (effects, reply, sizeof reply);
    memcpy (effects + sizeof reply, offer->body, offer->size);
    remote_outcome_t outcome = { REMOTE_DONE, TROUPE_OK, "", effects, sizeof reply + offer->size };
    host.outcome (host.self, offer->address, token, &outcome);
    return true;
}

static bool
withdraw (void *self, const char *address, const remote_token_t *token)
{
    (void) self;
    (void) address;
    (void) token;
    return true;
}

static void
settled (void *self, const char *address, const remote_token_t *token, bool is_kept, uint64_t version)
{
    (void) self;
    (void) address;
    (void) token;
    (void) is_kept;
    (void) version;
}

static const remote_port_t port = { NULL, holds, offer, withdraw, settled };

/* ---- the node ---- */

static troupe_t *
start (void)
{
    troupe_error_t error;
    troupe_t *node = troupe_new (NULL, &error);
    assert_non_null (node);
    node_serve_remote (node, &port);
    assert_int_equal (troupe_set (node, "store", folder, &error), TROUPE_OK);
    assert_int_equal (troupe_set (node, "create", "yes", &error), TROUPE_OK);
    assert_int_equal (troupe_set (node, "shards", "2", &error), TROUPE_OK);
    if (troupe_start (node, &error) != TROUPE_OK)
        fail_msg ("%s", error.text);
    host = node_remote_host (node);
    return node;
}

static troupe_status_t
announce (const char *text, troupe_error_t *error)
{
    size_t size;
    void *packed = troupe_pack_json (text, strlen (text), &size, NULL);
    troupe_status_t status = host.announce (host.self, packed, size, error);
    free (packed);
    return status;
}

static void
says (troupe_t *node, const char *to)
{
    troupe_answer_t answer;
    int n = 0;
    assert_int_equal (troupe_call_wait (node, to, "say", &answer, "i", 42), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&answer, NULL, "i", &n), TROUPE_OK);
    assert_int_equal (n, 42);
    troupe_answer_clear (&answer);
}

static void
remote_kind_is_announced_and_known_after_a_restart (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = start ();
    room = 1;
    assert_int_equal (announce (TABLE (2), &error), TROUPE_OK);
    assert_int_equal (announce (TABLE (2), &error), TROUPE_OK);
    assert_int_equal (announce (TABLE (1), &error), TROUPE_MISMATCH);
    assert_int_equal (announce ("{\"kind\": \"node\", \"version\": 1, \"verbs\": [{\"name\": \"a\"}]}", &error),
                      TROUPE_INVALID);
    says (node, "echo/1");
    assert_int_equal (announce (TABLE (3), &error), TROUPE_OK);
    says (node, "echo/1");
    troupe_destroy (&node);

    node = start ();
    assert_int_equal (announce (TABLE (2), &error), TROUPE_MISMATCH);  /* it knows version 3 */
    says (node, "echo/1");
    troupe_destroy (&node);
}

static void
done (void *arg, const troupe_answer_t *answer)
{
    *(_Atomic int *) arg = (int) answer->status + 1;
}

static void
remote_message_waits_for_a_worker (void **state)
{
    (void) state;
    troupe_t *node = start ();
    static _Atomic int status;
    room = refused = 0;
    assert_int_equal (troupe_call (node, "echo/7", "say", done, (void *) (uintptr_t) &status, "i", 1), TROUPE_OK);
    while (!refused)
        sched_yield ();
    assert_int_equal (status, 0);
    room = 1;
    host.ready (host.self, "echo");
    while (!status)
        sched_yield ();
    assert_int_equal (status, TROUPE_OK + 1);
    troupe_destroy (&node);
}

static int
setup (void **state)
{
    (void) state;
    return mkdtemp (folder) ? 0 : -1;
}

static int
teardown (void **state)
{
    char command[sizeof folder + 16];
    (void) state;
    snprintf (command, sizeof command, "rm -rf '%s'", folder);
    return system (command);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (remote_kind_is_announced_and_known_after_a_restart),
        cmocka_unit_test (remote_message_waits_for_a_worker),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
