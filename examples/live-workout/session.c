/*  session.c - a workout that several athletes ride together: the board.
 *
 *  Each athlete is a key of the state; the rows of an awake session are in
 *  its cache, in the order of their ranks. An event of the board is one row.
 *  Whoever comes so late that events are gone gets all rows as a snapshot.
 */

#include "workout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATHLETES_MAX 64

typedef struct {
    char athlete[TROUPE_ID_MAX + 1];
    char name[64];
    json_int_t samples, laps;
    double distance_m, power_w, heart_bpm;
    size_t rank;           /* from 1, by distance; not stored */
} row_t;

typedef struct {
    row_t rows[ATHLETES_MAX];
    size_t count;
} board_t;

static int
by_distance (const void *left, const void *right)
{
    const row_t *one = left, *other = right;
    if (one->distance_m != other->distance_m)
        return one->distance_m > other->distance_m ? -1 : 1;
    return strcmp (one->athlete, other->athlete);
}

/*  To the decimeter: more is noise. */
static json_t *
row_json (const row_t *row)
{
    return json_pack ("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f}", "athlete", row->athlete, "name", row->name,
                      "rank", (json_int_t) row->rank, "laps", row->laps, "samples", row->samples,
                      "distance_m", round (row->distance_m * 10) / 10, "power_w", row->power_w,
                      "heart_bpm", row->heart_bpm);
}

/*  New ranks; tells of each athlete whose rank is another one now, and of the one that is named. */
static void
rank (troupe_turn_t *turn, board_t *board, const char *athlete)
{
    qsort (board->rows, board->count, sizeof (row_t), by_distance);
    for (size_t i = 0; i < board->count; i++) {
        row_t *row = &board->rows[i];
        if (row->rank == i + 1 && strcmp (row->athlete, athlete) != 0)
            continue;
        row->rank = i + 1;
        json_t *event = row_json (row);
        troupe_publish_key (turn, "board", row->athlete, "o", event);
        json_decref (event);
    }
}

static row_t *
row_of (board_t *board, const char *athlete)
{
    for (size_t i = 0; i < board->count; i++)
        if (strcmp (board->rows[i].athlete, athlete) == 0)
            return &board->rows[i];
    if (board->count == ATHLETES_MAX || strlen (athlete) > TROUPE_ID_MAX)
        return NULL;
    row_t *row = &board->rows[board->count++];
    *row = (row_t) { .rank = 0 };
    snprintf (row->athlete, sizeof row->athlete, "%s", athlete);
    return row;
}

static void
save_row (troupe_turn_t *turn, const row_t *row)
{
    troupe_save (turn, row->athlete, "{s:s, s:I, s:I, s:f, s:f, s:f}", "name", row->name, "samples", row->samples,
                 "laps", row->laps, "distance_m", row->distance_m, "power_w", row->power_w,
                 "heart_bpm", row->heart_bpm);
}

static troupe_status_t
progress (troupe_turn_t *turn)
{
    const char *name, *athlete = strchr (troupe_sender (turn), '/');
    if (!athlete++)
        return troupe_refuse (turn, "progress comes from a sensor");
    row_t told = { .rank = 0 };
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I, s:I, s:F, s?:F, s?:F}", "name", &name,
                                            "samples", &told.samples, "laps", &told.laps,
                                            "distance_m", &told.distance_m, "power_w", &told.power_w,
                                            "heart_bpm", &told.heart_bpm);
    if (status != TROUPE_OK)
        return status;
    board_t *board = troupe_cache (turn);
    row_t *row = row_of (board, athlete);
    if (!row)
        return troupe_refuse (turn, "the session is full: %d athletes", ATHLETES_MAX);
    row->samples = told.samples;
    row->laps = told.laps;
    row->distance_m = told.distance_m;
    row->power_w = told.power_w;
    row->heart_bpm = told.heart_bpm;
    snprintf (row->name, sizeof row->name, "%s", name);
    save_row (turn, row);
    rank (turn, board, athlete);
    return TROUPE_OK;
}

static troupe_status_t
board (troupe_turn_t *turn)
{
    const board_t *board = troupe_cache (turn);
    json_t *rows = json_array ();
    for (size_t i = 0; i < board->count; i++)
        json_array_append_new (rows, row_json (&board->rows[i]));
    troupe_status_t status = troupe_reply (turn, "{s:o}", "athletes", rows);
    json_decref (rows);
    return status;
}

static bool
add_row (void *board, const char *key, const void *value, size_t size)
{
    (void) value;
    (void) size;
    return row_of (board, key) != NULL;
}

static troupe_status_t
wake (troupe_turn_t *turn)
{
    board_t *board = troupe_cache (turn);
    troupe_status_t status = troupe_each (turn, "", add_row, board);
    for (size_t i = 0; status == TROUPE_OK && i < board->count; i++) {
        row_t *row = &board->rows[i];
        const char *name = "";
        status = troupe_fetch (turn, row->athlete, "{s:s, s:I, s:I, s:F, s:F, s:F}", "name", &name,
                               "samples", &row->samples, "laps", &row->laps, "distance_m", &row->distance_m,
                               "power_w", &row->power_w, "heart_bpm", &row->heart_bpm);
        snprintf (row->name, sizeof row->name, "%s", name);
    }
    qsort (board->rows, board->count, sizeof (row_t), by_distance);
    for (size_t i = 0; i < board->count; i++)
        board->rows[i].rank = i + 1;
    return status;
}

static const troupe_verb_t verbs[] = {
    { "progress", progress,
      .args = "name:string samples:int laps:int distance_m:number power_w?:number heart_bpm?:number",
      .doc = "A sensor tells how far its athlete is." },
    { "board", board, .reads = true, .allow = TROUPE_ANYONE, .args = "", .gives = "athletes:array",
      .doc = "All rows of the board in the order of their ranks, as its events have them." },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "board", .keep = 1000, .snapshot = "board", .allow = TROUPE_ANYONE,
      .doc = "A row whenever it changes: {athlete, name, rank, laps, samples, distance_m, power_w, heart_bpm}." },
    { NULL }
};
const troupe_kind_t session = { "session", .version = 1, .verbs = verbs, .channels = channels,
                                .cache_size = sizeof (board_t), .wake = wake,
                                .doc = "A workout of up to 64 athletes, and its board." };
