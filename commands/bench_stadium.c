/*  bench_stadium.c - what clients of the benches call and watch. */
#include "commands/bench_stadium.h"

#include <stdio.h>

#define STATE_BYTES 200
#define NOTES 10

/*  About 150 bytes on the wire. */
static const char rest[] = "runner 4711 passed the eighth kilometre in 3:41.7, heart 172, power 318 W, cadence 182";

static troupe_status_t
burst (troupe_turn_t *turn)
{
    json_int_t time, count, first = -1;
    const char *channel;
    char key[16];
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I, s:s, s?:I}", "t", &time, "n", &count, "on", &channel,
                                            "k", &first);
    for (json_int_t i = 0; status == TROUPE_OK && i < count; i++) {
        if (first < 0)
            troupe_publish (turn, channel, "{s:I, s:s}", "t", time, "text", rest);
        else {
            snprintf (key, sizeof key, "%d", (int) ((first + i) % BENCH_KEYS));
            troupe_publish_key (turn, channel, key, "{s:I, s:s}", "t", time, "text", rest);
        }
    }
    return status == TROUPE_OK ? troupe_reply (turn, NULL) : status;
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    size_t size = 0;
    (void) troupe_value (turn, "state", &size);
    return troupe_reply (turn, "{s:I}", "size", (json_int_t) size);
}

static troupe_status_t
change (troupe_turn_t *turn)
{
    uint8_t state[STATE_BYTES] = { 0 };
    troupe_load (turn, "state", state, sizeof state);
    state[0] += 1;
    troupe_store (turn, "state", state, sizeof state);
    return troupe_reply (turn, "{s:i}", "turns", state[0]);
}

/*  A batch of a device: its newest, and how many there were. */
static troupe_status_t
samples (troupe_turn_t *turn)
{
    json_int_t total = 0, time[BENCH_BATCH], heart[BENCH_BATCH], power[BENCH_BATCH];
    double north[BENCH_BATCH], east[BENCH_BATCH];
    troupe_status_t status = troupe_unpack (turn, "[[I,I,I,f,f],[I,I,I,f,f],[I,I,I,f,f],[I,I,I,f,f]]",
                                            &time[0], &heart[0], &power[0], &north[0], &east[0],
                                            &time[1], &heart[1], &power[1], &north[1], &east[1],
                                            &time[2], &heart[2], &power[2], &north[2], &east[2],
                                            &time[3], &heart[3], &power[3], &north[3], &east[3]);
    if (status == TROUPE_OK)
        status = troupe_fetch (turn, "total", "I", &total);
    if (status != TROUPE_OK && status != TROUPE_NOT_FOUND)
        return status;
    troupe_save (turn, "total", "I", total + BENCH_BATCH);
    troupe_save (turn, "newest", "[I,I,I,f,f]", time[3], heart[3], power[3], north[3], east[3]);
    return troupe_reply (turn, NULL);
}

static troupe_status_t
note (troupe_turn_t *turn)
{
    json_int_t number;
    char key[32];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "n", &number);
    if (status != TROUPE_OK)
        return status;
    snprintf (key, sizeof key, "note/%d", (int) (number % NOTES));
    troupe_store (turn, key, rest, sizeof rest - 1);
    return troupe_reply (turn, NULL);
}

static bool
count_note (void *arg, const char *key, const void *value, size_t size)
{
    (void) key;
    (void) value;
    *(size_t *) arg += size;
    return true;
}

static troupe_status_t
notes (troupe_turn_t *turn)
{
    size_t size = 0;
    troupe_status_t status = troupe_each (turn, "note/", count_note, &size);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:I}", "size", (json_int_t) size) : status;
}

static const troupe_verb_t verbs[] = {
    { "burst", burst, .allow = TROUPE_ANYONE },
    { "look", look, .reads = true, .allow = TROUPE_ANYONE },
    { "change", change, .allow = TROUPE_ANYONE },
    { "samples", samples, .allow = TROUPE_ANYONE },
    { "note", note, .allow = TROUPE_ANYONE },
    { "notes", notes, .reads = true, .allow = TROUPE_ANYONE },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .keep = 100000, .allow = TROUPE_ANYONE },
    { "gauge", .is_volatile = true, .allow = TROUPE_ANYONE },
    { NULL }
};
static const troupe_kind_t stadium = { "stadium", .version = 1, .verbs = verbs, .channels = channels };
const troupe_kind_t *const bench_stadium[] = { &stadium, NULL };
