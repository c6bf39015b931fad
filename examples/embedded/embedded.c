/*  embedded.c - a node inside a program of one's own: no server, no sockets.
 *
 *  Counts how often the program was run, durably, and waits for the answer.
 */

#include <stdio.h>
#include <troupe.h>

static troupe_status_t
hit (troupe_turn_t *turn)
{
    uint64_t hits = 0;
    troupe_load (turn, "hits", &hits, sizeof hits);
    hits += 1;
    troupe_store (turn, "hits", &hits, sizeof hits);
    return troupe_reply (turn, "{s:I}", "hits", (json_int_t) hits);
}

static const troupe_verb_t verbs[] = { { "hit", hit, .doc = "Count one more." }, { NULL } };
static const troupe_kind_t counter = { "counter", .version = 1, .verbs = verbs };

static int
say (const char *what, const char *text)
{
    fprintf (stderr, "embedded: %s: %s\n", what, text);
    return 1;
}

int
main (int argc, char **argv)
{
    const troupe_kind_t *kinds[] = { &counter, NULL };
    troupe_error_t error;
    troupe_answer_t answer;
    json_int_t hits = 0;

    troupe_t *node = troupe_new (kinds, &error);
    if (!node || troupe_set (node, "store", argc > 1 ? argv[1] : "./data", &error) != TROUPE_OK
        || troupe_start (node, &error) != TROUPE_OK) {
        troupe_destroy (&node);
        return say ("cannot start", error.text);
    }
    troupe_status_t status = troupe_call_wait (node, "counter/runs", "hit", &answer, NULL);
    int code = status == TROUPE_OK && troupe_answer_unpack (&answer, &error, "{s:I}", "hits", &hits) == TROUPE_OK
                   ? 0
                   : say ("the call failed", answer.text);
    if (code == 0)
        printf ("this program has run %lld times\n", (long long) hits);
    troupe_answer_clear (&answer);
    troupe_destroy (&node);
    return code;
}
