/*  fuzz_effects.c - the list of effects of a remote turn, from a worker that is a stranger.
 *
 *  Whatever it is, the turn is done or fails, the shard goes on, and nothing is left of a turn that failed.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/remote.h"
#include "tests/unit/hand.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUTS 256  /* ... and so many share their shards */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const char table_text[] = "{\"kind\": \"wallet\", \"version\": 1, \"verbs\": [{\"name\": \"add\"}, {\"name\": "
                                 "\"see\", \"reads\": true}, {\"name\": \"heard\"}], \"channels\": [{\"name\": "
                                 "\"moves\"}]}";
static char address[32];  /* each input has an actor of its own, which none before it can guess ... */
static hand_t hand;
static remote_table_t *table;
static unsigned inputs, offers, settlements;
static bool was_kept, has_state;

static bool
holds (void *self, const char *kind, const char *actor, uint64_t version)
{
    (void) self;
    (void) kind;
    (void) actor;
    (void) version;
    return false;
}

/*  There is one worker, for one actor; who else gets mail waits. */
static bool
offer (void *self, const remote_offer_t *offer, remote_token_t *token)
{
    (void) self;
    if (strcmp (offer->address, address) != 0 || offers == 2)
        return false;
    has_state = offer->state_size > 1;
    memset (token, (int) ++offers, sizeof *token);
    return true;
}

static bool
withdraw (void *self, const char *actor, const remote_token_t *token)
{
    (void) self;
    (void) actor;
    (void) token;
    return true;
}

static void
settled (void *self, const char *actor, const remote_token_t *token, bool is_kept, uint64_t version)
{
    (void) self;
    (void) token;
    (void) version;
    CHECK (strcmp (actor, address) == 0);
    settlements += 1;
    was_kept = is_kept;
}

static void
hand_in (const uint8_t *effects, size_t size)
{
    remote_token_t token;
    memset (&token, 1, sizeof token);
    remote_outcome_t outcome = { REMOTE_DONE, TROUPE_OK, "", effects, size };
    remote_letter_t *letter = remote_letter_new (address, &token, &outcome);
    CHECK (letter);
    shard_post (hand_shard_of (&hand, address), &letter->letter);
    hand_run (&hand);
    hand_commit (&hand);
}

static void
start (void)
{
    static const remote_port_t port = { NULL, holds, offer, withdraw, settled };
    static const troupe_kind_t *const kinds[] = { NULL };
    troupe_error_t error = { TROUPE_OK, "" };
    size_t size;
    if (table)
        hand_stop (&hand);
    remote_table_destroy (&table);
    hand.remote = &port;
    hand_start (&hand, kinds);
    void *packed = troupe_pack_json (table_text, sizeof table_text - 1, &size, NULL);
    table = remote_table_read (packed, size, &error);
    CHECK (table && registry_add_remote (hand.registry, &table->kind, table->attempt_ms, &error) == TROUPE_OK);
    free (packed);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static hand_answer_t answer;  /* of callers who may hear later than this input */
    if (inputs % INPUTS == 0)
        start ();
    snprintf (address, sizeof address, "wallet/%016llx", (unsigned long long) hash_mix (1, inputs++));
    offers = settlements = 0;
    hand_call (&hand, &answer, address, "add", NULL);
    hand_commit (&hand);
    CHECK (offers == 1);
    hand_in (data, size);
    CHECK (settlements == 1);
    hand_advance (&hand, 1000);  /* a failed turn is tried again */
    CHECK (was_kept || (offers == 2 && !has_state));
    return 0;
}
