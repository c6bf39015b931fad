/*  sensor.c - what one athlete wears: it adds up what the devices send, and tells its session.
 *
 *  A batch of samples is one turn: newest sample, totals, the event with the
 *  batch and the message to the session are committed together. A device that
 *  heard no answer sends the batch again, as the same call, and it counts once.
 *
 *  Batches are kept for as long as charts go back: whoever was away, or comes
 *  late, draws the same as who was there all the time.
 */

#include "workout.h"

#include <math.h>
#include <string.h>

#define BATCH_MAX 1000
#define KEEP_MS (5 * 60 * 1000) /* of samples: what the page draws, */
#define KEEP_MOST 1200          /* also when each comes alone, at 4 Hz */
#define NAME_MAX_BYTES 63
#define PAUSE_MS 10000     /* between two samples: what was ridden meanwhile is not known */
#define AT_START_M 30.0    /* so near, it is back where it began: a lap, */
#define AWAY_M 200.0       /* if it was so far away meanwhile */

typedef struct {
    json_int_t samples;
    json_int_t laps;
    double distance_m;
    double work_kj;
    double start_lat, start_lon;
    int has_start;         /* it knows where it began */
    int away;              /* it was far from there since the last lap */
} totals_t;

typedef struct {
    json_int_t t;
    double heart_bpm, power_w, cadence;
    double lat, lon;
    bool has_place;
} sample_t;

#define TOTALS "{s:I, s:I, s:F, s:F, s:F, s:F, s:b, s:b}"
#define SAVED_TOTALS "{s:I, s:I, s:f, s:f, s:f, s:f, s:b, s:b}"

static void
load_totals (troupe_turn_t *turn, totals_t *totals)
{
    *totals = (totals_t) { 0 };
    if (troupe_fetch (turn, "totals", TOTALS, "samples", &totals->samples, "laps", &totals->laps,
                      "distance_m", &totals->distance_m, "work_kj", &totals->work_kj,
                      "start_lat", &totals->start_lat, "start_lon", &totals->start_lon,
                      "has_start", &totals->has_start, "away", &totals->away) != TROUPE_OK)
        *totals = (totals_t) { 0 };
}

static void
save_totals (troupe_turn_t *turn, const totals_t *totals)
{
    troupe_save (turn, "totals", SAVED_TOTALS, "samples", totals->samples, "laps", totals->laps,
                 "distance_m", totals->distance_m, "work_kj", totals->work_kj,
                 "start_lat", totals->start_lat, "start_lon", totals->start_lon,
                 "has_start", totals->has_start, "away", totals->away);
}

/* ---- samples ---- */

static bool
number (const json_t *sample, const char *name, double low, double high, double *value, const char **wrong)
{
    const json_t *given = json_object_get (sample, name);
    if (!given)
        return false;
    *value = json_number_value (given);
    if (!json_is_number (given) || *value < low || *value > high)
        *wrong = name;
    return true;
}

/*  What is absent stays as it was. Returns the name of the field that does not fit, or NULL. */
static const char *
read_sample (const json_t *object, sample_t *sample)
{
    const char *wrong = NULL;
    double t;
    if (!number (object, "t", 0, (double) TROUPE_TIME_MAX, &t, &wrong))
        return "t";
    number (object, "heart_bpm", 0, 300, &sample->heart_bpm, &wrong);
    number (object, "power_w", 0, 5000, &sample->power_w, &wrong);
    number (object, "cadence", 0, 300, &sample->cadence, &wrong);
    bool has_lat = number (object, "lat", -90, 90, &sample->lat, &wrong);
    bool has_lon = number (object, "lon", -180, 180, &sample->lon, &wrong);
    if (has_lat != has_lon)
        return has_lat ? "lon" : "lat";
    sample->has_place = has_lat;
    sample->t = (json_int_t) t;
    return wrong;
}

/*  Over some meters, where the earth is flat. */
static double
distance_m (double lat, double lon, double to_lat, double to_lon)
{
    const double meters_per_degree = 111320, degree = M_PI / 180;
    double east = (to_lon - lon) * cos (lat * degree);
    return hypot (east, to_lat - lat) * meters_per_degree;
}

static void
count_lap (totals_t *totals, const sample_t *sample)
{
    if (!totals->has_start) {
        totals->has_start = true;
        totals->start_lat = sample->lat;
        totals->start_lon = sample->lon;
    }
    double from_start_m = distance_m (totals->start_lat, totals->start_lon, sample->lat, sample->lon);
    if (from_start_m > AWAY_M)
        totals->away = true;
    if (from_start_m > AT_START_M || !totals->away)
        return;
    totals->away = false;
    totals->laps += 1;
}

static void
count_sample (totals_t *totals, const sample_t *before, const sample_t *sample)
{
    json_int_t ms = sample->t - before->t;
    totals->samples += 1;
    if (ms > 0 && ms <= PAUSE_MS) {
        totals->work_kj += sample->power_w * (double) ms / 1e6;
        if (before->has_place && sample->has_place)
            totals->distance_m += distance_m (before->lat, before->lon, sample->lat, sample->lon);
    }
    if (sample->has_place)
        count_lap (totals, sample);
}

static void
load_newest (troupe_turn_t *turn, sample_t *sample)
{
    json_t *newest = NULL;
    *sample = (sample_t) { 0 };
    if (troupe_fetch (turn, "newest", "o", &newest) == TROUPE_OK)
        read_sample (newest, sample);
    json_decref (newest);
}

static troupe_status_t
take_samples (troupe_turn_t *turn, const json_t *list, totals_t *totals, sample_t *newest)
{
    size_t index;
    json_t *object;
    json_array_foreach (list, index, object) {
        sample_t sample = *newest;
        const char *wrong = read_sample (object, &sample);
        if (wrong)
            return troupe_refuse (turn, "samples[%zu]: \"%s\" is missing or out of range", index, wrong);
        count_sample (totals, newest, &sample);
        if (sample.t < newest->t)
            continue;
        *newest = sample;
        troupe_save (turn, "newest", "o", object);
    }
    return TROUPE_OK;
}

static troupe_status_t
samples (troupe_turn_t *turn)
{
    const char *to, *name;
    totals_t totals;
    sample_t newest;
    if (troupe_fetch (turn, "session", "{s:s, s:s}", "session", &to, "name", &name) != TROUPE_OK)
        return troupe_refuse (turn, "%s is in no session: call start first", troupe_self (turn));
    json_t *list = NULL;
    troupe_status_t status = troupe_unpack (turn, "{s:o}", "samples", &list);
    if (status == TROUPE_OK && (json_array_size (list) == 0 || json_array_size (list) > BATCH_MAX))
        status = troupe_refuse (turn, "a batch is 1 to %d samples", BATCH_MAX);
    if (status == TROUPE_OK) {
        load_totals (turn, &totals);
        load_newest (turn, &newest);
        status = take_samples (turn, list, &totals, &newest);
    }
    if (status == TROUPE_OK)
        troupe_publish (turn, "samples", "{s:o}", "samples", list);
    json_decref (list);
    if (status != TROUPE_OK)
        return status;
    save_totals (turn, &totals);
    troupe_tell (turn, to, "progress", "{s:s, s:I, s:I, s:f, s:f, s:f}", "name", name, "samples", totals.samples,
                 "laps", totals.laps, "distance_m", totals.distance_m, "power_w", newest.power_w,
                 "heart_bpm", newest.heart_bpm);
    return troupe_reply (turn, "{s:I}", "samples", totals.samples);
}

/* ---- the rest ---- */

static troupe_status_t
start (troupe_turn_t *turn)
{
    const char *to, *name = troupe_id (turn);
    troupe_status_t status = troupe_unpack (turn, "{s:s, s?:s}", "session", &to, "name", &name);
    if (status != TROUPE_OK)
        return status;
    if (strlen (name) > NAME_MAX_BYTES)
        return troupe_refuse (turn, "a name is at most %d bytes", NAME_MAX_BYTES);
    totals_t totals;
    load_totals (turn, &totals);
    if (troupe_tell (turn, to, "progress", "{s:s, s:I, s:I, s:f}", "name", name, "samples", totals.samples,
                     "laps", totals.laps, "distance_m", totals.distance_m) != TROUPE_OK)
        return troupe_refuse (turn, "there is no session %s", to);
    return troupe_save (turn, "session", "{s:s, s:s}", "session", to, "name", name);
}

static troupe_status_t
totals (troupe_turn_t *turn)
{
    totals_t totals;
    load_totals (turn, &totals);
    return troupe_reply (turn, "{s:I, s:I, s:f, s:f}", "samples", totals.samples, "laps", totals.laps,
                         "distance_m", totals.distance_m, "work_kj", totals.work_kj);
}

static const troupe_verb_t verbs[] = {
    { "start", start, .allow = TROUPE_ANYONE, .args = "session:string name?:string",
      .doc = "Take part in a session, \"session/{1}\", under this name (else the id). Totals go on." },
    { "samples", samples, .allow = TROUPE_ANYONE, .args = "samples:array", .gives = "samples:int",
      .doc = "A batch of {t, heart_bpm, power_w, cadence, lat, lon}, at most 1000, oldest first. t is in ms since "
             "1970, all others may be absent. The reply counts the samples of all batches." },
    { "totals", totals, .reads = true, .allow = TROUPE_ANYONE, .args = "",
      .gives = "samples:int laps:int distance_m:number work_kj:number", .doc = "All that was sent, added up." },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "samples", .keep = KEEP_MOST, .keep_ms = KEEP_MS, .allow = TROUPE_ANYONE,
      .doc = "Every batch as it came, {samples}. Those of the last five minutes are kept." },
    { NULL }
};
const troupe_kind_t sensor = { "sensor", .version = 1, .verbs = verbs, .channels = channels,
                               .doc = "The devices of one athlete: heart-rate strap, power meter, GPS." };
