/*  fuzz_work.c - what a worker of remote kinds says, from a stranger: its table, and what became of offers.
 *
 *  The first byte chooses which of both. A worker has three offers in hand, one of them without a state; whatever it
 *  says, the node hears of each once at most, and of no other.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/body/packed.h"
#include "runtime/remote.h"
#include "transports/zmq/crew.h"

#define OFFERS 3

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static unsigned told[OFFERS + 1];
static binary_reader_t reader;

static troupe_status_t
announce (void *self, const void *table, size_t size, troupe_error_t *error)
{
    (void) self;
    (void) error;
    CHECK (packed_is_valid (table, size));
    return TROUPE_OK;
}

static void
outcome (void *self, const char *address, const remote_token_t *token, const remote_outcome_t *outcome)
{
    (void) self;
    uint64_t number = get_le64 (token->bytes);
    CHECK (*address && number >= 1 && number <= OFFERS);
    CHECK (outcome->end == REMOTE_DONE || outcome->status == TROUPE_OK);
    told[number] += 1;
}

static void
ready (void *self, const char *kind)
{
    (void) self;
    (void) kind;
}

static void
wake (void *arg)
{
    (void) arg;
}

static troupe_status_t
say (mate_t *mate, const uint8_t *data, size_t size)
{
    work_t work;
    buffer_t answer = { 0 };
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status;
    binary_open (&reader, NULL, data, size);
    while ((status = work_next (&reader, &work, &error)) == TROUPE_OK
           && (status = mate_take (mate, &work, &answer, &error)) == TROUPE_OK)
        ;
    CHECK (status == TROUPE_NOT_FOUND || (status == TROUPE_INVALID && error.text[0]));
    buffer_clear (&answer);
    return status;
}

static void
give (const remote_port_t *port, uint64_t version, bool has_state)
{
    remote_token_t token;
    remote_offer_t offer = { .kind = "k", .kind_version = 1, .address = version == 2 ? "k/2" : "k/1", .verb = "v",
                             .sender = "", .subject = "", .trace = "", .caller = "", .version = version,
                             .has_state = has_state, .state = "\x80", .state_size = 1 };
    CHECK (port->offer (port->self, &offer, &token));
}

static void
work (const uint8_t *data, size_t size)
{
    static const uint8_t served[] = "\x10\x08\x0a\x11\x82\xa4kind\xa1k\xa7version\x01";
    static const remote_host_t host = { NULL, 1, announce, outcome, ready };
    crew_t *crew = crew_new (wake, NULL);
    buffer_t sent = { 0 };
    memset (told, 0, sizeof told);
    crew_attach (crew, &host);
    mate_t *mate = crew_join (crew, crew);
    CHECK (say (mate, served, sizeof served - 1) == TROUPE_NOT_FOUND);
    give (crew_port (crew), 1, true);
    give (crew_port (crew), 2, true);
    give (crew_port (crew), 1, false);
    CHECK (mate_gather (mate, &sent));
    mate_sent (mate, true);
    (void) say (mate, data, size);
    mate_leave (&mate);
    for (unsigned i = 1; i <= OFFERS; i++)
        CHECK (told[i] == 1);
    buffer_clear (&sent);
    crew_destroy (&crew);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    troupe_error_t error = { TROUPE_OK, "" };
    if (size == 0)
        return 0;
    if (data[0] & 1) {
        work (data + 1, size - 1);
        return 0;
    }
    remote_table_t *table = remote_table_read (data + 1, size - 1, &error);
    CHECK (table || error.text[0]);
    if (table && table->kind.verbs)  /* one without is no kind, says the registry */
        CHECK (remote_table_is_same (&table->kind, table->attempt_ms, &table->kind, table->attempt_ms));
    remote_table_destroy (&table);
    return 0;
}
