/*  sensor.c - what one Bluetooth sensor measured, of dumps that a gateway forwards: each measurement once, in order.
 *
 *  Measurements of a dump are numbered, and the newest number is kept with them, in one turn. So a gateway may be
 *  killed at any time and begin again: it asks where it was, and what it sends twice is known here.
 */
#include <stdio.h>
#include <string.h>
#include <troupe.h>

#define DUMP_MAX 100

static const char *
key_of (const char *dump, char key[DUMP_MAX + 8])
{
    snprintf (key, DUMP_MAX + 8, "dump:%s", dump);
    return key;
}

static troupe_status_t
read_dump (troupe_turn_t *turn, const char *dump, char key[DUMP_MAX + 8], json_int_t *taken)
{
    int64_t number = 0;
    if (strlen (dump) > DUMP_MAX)
        return troupe_refuse (turn, "the name of a dump has at most %d bytes", DUMP_MAX);
    troupe_load (turn, key_of (dump, key), &number, sizeof number);
    *taken = number;
    return TROUPE_OK;
}

static troupe_status_t
taken (troupe_turn_t *turn)
{
    char key[DUMP_MAX + 8];
    const char *dump;
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "dump", &dump);
    if (status == TROUPE_OK)
        status = read_dump (turn, dump, key, &number);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:I}", "number", number) : status;
}

static troupe_status_t
measure (troupe_turn_t *turn)
{
    char key[DUMP_MAX + 8];
    const char *dump;
    const void *values;
    size_t size;
    json_int_t number, time_ms, newest;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I, s:I, s:v}", "dump", &dump, "number", &number, "t",
                                            &time_ms, "values", &values, &size);
    if (status == TROUPE_OK)
        status = read_dump (turn, dump, key, &newest);
    if (status != TROUPE_OK)
        return status;
    if (number > newest + 1)
        return troupe_refuse (turn, "number %lld comes before %lld", (long long) number, (long long) (newest + 1));
    if (number <= newest)
        return TROUPE_OK;  /* sent again */
    troupe_store (turn, key, &(int64_t) { number }, sizeof (int64_t));
    troupe_save (turn, "newest", "{s:I, s:v}", "t", time_ms, "values", values, size);
    troupe_publish (turn, "live", "{s:s, s:I, s:I, s:v}", "dump", dump, "number", number, "t", time_ms, "values",
                    values, size);
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "measure", measure, .allow = TROUPE_ANYONE, .args = "dump:string number:int t:int values:object",
      .doc = "One measurement; numbers of a dump are consecutive, and begin with 1." },
    { "taken", taken, .reads = true, .allow = TROUPE_ANYONE, .args = "dump:string", .gives = "number:int",
      .doc = "The newest number of this dump." },
    { NULL }
};
static const troupe_channel_t channels[] = { { "live", .keep = 100000, .allow = TROUPE_ANYONE }, { NULL } };
static const troupe_kind_t sensor = { "sensor", .version = 1, .verbs = verbs, .channels = channels };

TROUPE_KINDS (&sensor)
