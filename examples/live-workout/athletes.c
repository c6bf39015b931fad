/*  athletes.c - simulated athletes, whose devices send samples to a node until they are stopped. */

#include "device.h"
#include "rider.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ATHLETES_MAX = 64, HZ_MAX = 4, BATCH_MS = 1000, LATE_MS = 5000, STATS_MS = 5000, LAST_MS = 30000 };
enum { START, SAMPLES };

static const char *const verbs[DEVICE_VERBS] = { "start", "samples" };
static const char *const names[] = { "Anna", "Ben", "Carla", "David", "Emma", "Felix", "Greta", "Hugo",
                                     "Ida", "Jonas", "Karin", "Leo", "Mira", "Nils", "Olga", "Paul" };

typedef struct {
    const char *node, *session;
    uint32_t athletes, hz, seed;
    struct addrinfo *where;
} options_t;

typedef struct {
    rider_t rider;
    device_t *device;
    char name[32], address[48];
    uint64_t next_ms;            /* when its next sample is due, by our clock; 0: not riding yet */
    uint32_t phase_ms;           /* so that not all send in the same moment */
    uint64_t sessions;           /* of the device, when it started */
    bytes_t batch;
    uint32_t batched;
    uint64_t lost;               /* samples for which there was no room */
} athlete_t;

static volatile sig_atomic_t stopped_by;

static void
stop (int signal_number)
{
    stopped_by = signal_number;
}

static uint64_t
now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ *
 *  One athlete
 * ------------------------------------------------------------------ */

static void
athlete_init (athlete_t *athlete, uint32_t index, const options_t *options)
{
    uint32_t known = sizeof names / sizeof names[0];
    char name[sizeof athlete->name];
    *athlete = (athlete_t) { .phase_ms = index * BATCH_MS / options->athletes };
    rider_init (&athlete->rider, options->seed + index);
    if (index < known)
        snprintf (name, sizeof name, "%s", names[index]);
    else
        snprintf (name, sizeof name, "Rider-%u", index + 1);
    memcpy (athlete->name, name, sizeof name);
    snprintf (athlete->address, sizeof athlete->address, "sensor/%s", name);
    char *initial = athlete->address + strlen ("sensor/");
    *initial = (char) (*initial - 'A' + 'a');
    athlete->device = device_new (options->where, options->node, athlete->address, verbs);
}

static void
start (athlete_t *athlete, const char *session)
{
    bytes_t body = { 0 };
    pack_map (&body, 2);
    pack_text (&body, "session");
    pack_text (&body, session);
    pack_text (&body, "name");
    pack_text (&body, athlete->name);
    device_call (athlete->device, START, &body, 0);
    bytes_clear (&body);
    athlete->sessions = device_counts (athlete->device)->sessions;
}

static void
add_sample (athlete_t *athlete, uint64_t t)
{
    const rider_t *rider = &athlete->rider;
    bytes_t *batch = &athlete->batch;
    pack_map (batch, 6);
    pack_text (batch, "t");
    pack_integer (batch, t);
    pack_text (batch, "heart_bpm");
    pack_integer (batch, (uint64_t) (rider->heart_bpm + 0.5));
    pack_text (batch, "power_w");
    pack_integer (batch, (uint64_t) (rider->power_w + 0.5));
    pack_text (batch, "cadence");
    pack_integer (batch, (uint64_t) (rider->cadence + 0.5));
    pack_text (batch, "lat");
    pack_real (batch, rider->lat);
    pack_text (batch, "lon");
    pack_real (batch, rider->lon);
    athlete->batched += 1;
}

static void
send_batch (athlete_t *athlete)
{
    if (athlete->batched == 0)
        return;
    bytes_t body = { 0 };
    pack_map (&body, 1);
    pack_text (&body, "samples");
    pack_array (&body, athlete->batched);
    bytes_add (&body, athlete->batch.bytes, athlete->batch.size);
    if (!device_call (athlete->device, SAMPLES, &body, athlete->batched))
        athlete->lost += athlete->batched;
    bytes_clear (&body);
    athlete->batch.size = 0;
    athlete->batched = 0;
}

/*  Rides up to now, sample by sample; a batch is full after a second. */
static void
ride (athlete_t *athlete, uint64_t now, const options_t *options)
{
    int64_t ahead_ms;
    if (!device_clock (athlete->device, &ahead_ms))
        return;
    if (athlete->next_ms == 0 || athlete->sessions != device_counts (athlete->device)->sessions)
        start (athlete, options->session);
    if (athlete->next_ms + LATE_MS < now)
        athlete->next_ms = now + athlete->phase_ms;  /* at first, and when this program had stood still */
    for (; athlete->next_ms <= now; athlete->next_ms += 1000 / options->hz) {
        rider_ride (&athlete->rider, 1.0 / options->hz);
        add_sample (athlete, (uint64_t) ((int64_t) athlete->next_ms + ahead_ms));
        if (athlete->batched * 1000 / options->hz >= BATCH_MS)
            send_batch (athlete);
    }
}

/* ------------------------------------------------------------------ *
 *  All of them
 * ------------------------------------------------------------------ */

static void
print_sums (const athlete_t *athletes, uint32_t count)
{
    device_counts_t sum = { 0 };
    uint64_t waiting = 0, lost = 0, reconnects = 0;
    for (uint32_t i = 0; i < count; i++) {
        const device_counts_t *one = device_counts (athletes[i].device);
        sum.sent += one->sent;
        sum.answered += one->answered;
        sum.resent += one->resent;
        sum.refused += one->refused;
        sum.unknown += one->unknown;
        sum.samples += one->samples;
        reconnects += one->opened > 0 ? one->opened - 1 : 0;
        waiting += device_waiting (athletes[i].device);
        lost += athletes[i].lost;
    }
    printf ("sent=%llu answered=%llu resent=%llu reconnects=%llu waiting=%llu refused=%llu unknown=%llu lost=%llu "
            "samples=%llu\n", (unsigned long long) sum.sent, (unsigned long long) sum.answered,
            (unsigned long long) sum.resent, (unsigned long long) reconnects, (unsigned long long) waiting,
            (unsigned long long) sum.refused, (unsigned long long) sum.unknown, (unsigned long long) lost,
            (unsigned long long) sum.samples);
    fflush (stdout);
}

static bool
turn (athlete_t *athletes, uint32_t count, const options_t *options, bool rides)
{
    struct pollfd polled[ATHLETES_MAX];
    bool is_idle = true;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t now = now_ms ();
        if (rides)
            ride (&athletes[i], now, options);
        device_turn (athletes[i].device, now);
        polled[i] = (struct pollfd) { .fd = device_fd (athletes[i].device),
                                      .events = device_events (athletes[i].device) };
        is_idle = is_idle && device_waiting (athletes[i].device) == 0;
    }
    if (rides || !is_idle)
        poll (polled, count, 50);
    return is_idle;
}

/*  Until it is stopped; then only until what was sent is answered, for which SIGINT does not wait. */
static bool
run (athlete_t *athletes, const options_t *options)
{
    uint64_t shown_ms = now_ms ();
    while (!stopped_by) {
        turn (athletes, options->athletes, options, true);
        if (now_ms () < shown_ms + STATS_MS)
            continue;
        shown_ms = now_ms ();
        print_sums (athletes, options->athletes);
    }
    for (uint32_t i = 0; i < options->athletes; i++)
        send_batch (&athletes[i]);
    uint64_t last_ms = now_ms () + (stopped_by == SIGINT ? 0 : LAST_MS);
    bool is_idle = false;
    while (!is_idle && now_ms () < last_ms)
        is_idle = turn (athletes, options->athletes, options, false);
    return is_idle;
}

/* ------------------------------------------------------------------ *
 *  The command line
 * ------------------------------------------------------------------ */

static void
usage (FILE *to)
{
    fprintf (to,
             "athletes [OPTION...]: simulated athletes on bicycles, who send samples until they are stopped\n"
             "    --node HOST:PORT     where the node listens (127.0.0.1:7317)\n"
             "    --session ADDRESS    the workout that they take part in (session/{1})\n"
             "    --athletes N         how many, 1 to %d (8)\n"
             "    --hz N               samples a second, 1 to %d (2); a batch is sent each second\n"
             "    --seed N             the same seed gives the same rides (1)\n", ATHLETES_MAX, HZ_MAX);
}

static uint32_t
number (const char *name, const char *text, uint32_t low, uint32_t high)
{
    char *end;
    unsigned long value = strtoul (text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high) {
        fprintf (stderr, "athletes: --%s wants a number from %u to %u, not \"%s\"\n", name, low, high, text);
        exit (2);
    }
    return (uint32_t) value;
}

static struct addrinfo *
look_up (const char *node)
{
    char host[256];
    const char *colon = strrchr (node, ':');
    if (!colon || colon == node || !colon[1] || (size_t) (colon - node) >= sizeof host) {
        fprintf (stderr, "athletes: --node wants HOST:PORT, not \"%s\"\n", node);
        exit (2);
    }
    bool is_bracketed = node[0] == '[' && colon[-1] == ']';
    snprintf (host, sizeof host, "%.*s", (int) (colon - node) - 2 * is_bracketed, node + is_bracketed);
    struct addrinfo *where, wanted = { .ai_socktype = SOCK_STREAM };
    int error = getaddrinfo (host, colon + 1, &wanted, &where);
    if (error != 0) {
        fprintf (stderr, "athletes: %s: %s\n", node, gai_strerror (error));
        exit (2);
    }
    return where;
}

static void
read_options (int argc, char **argv, options_t *options)
{
    static const struct option known[] = {
        { "node", required_argument, NULL, 'n' }, { "session", required_argument, NULL, 's' },
        { "athletes", required_argument, NULL, 'a' }, { "hz", required_argument, NULL, 'z' },
        { "seed", required_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' }, { 0 }
    };
    *options = (options_t) { .node = "127.0.0.1:7317", .session = "session/{1}", .athletes = 8, .hz = 2, .seed = 1 };
    for (int option; (option = getopt_long (argc, argv, "h", known, NULL)) != -1;)
        switch (option) {
            case 'n': options->node = optarg; break;
            case 's': options->session = optarg; break;
            case 'a': options->athletes = number ("athletes", optarg, 1, ATHLETES_MAX); break;
            case 'z': options->hz = number ("hz", optarg, 1, HZ_MAX); break;
            case 'd': options->seed = number ("seed", optarg, 0, UINT32_MAX); break;
            case 'h': usage (stdout); exit (0);
            default: usage (stderr); exit (2);
        }
    if (optind < argc) {
        fprintf (stderr, "athletes: \"%s\" is no option\n", argv[optind]);
        exit (2);
    }
    options->where = look_up (options->node);
}

int
main (int argc, char **argv)
{
    static athlete_t athletes[ATHLETES_MAX];
    options_t options;
    read_options (argc, argv, &options);
    struct sigaction action = { .sa_handler = stop };
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    for (uint32_t i = 0; i < options.athletes; i++)
        athlete_init (&athletes[i], i, &options);
    bool is_idle = run (athletes, &options);
    for (uint32_t i = 0; i < options.athletes; i++)
        printf ("athlete=%s samples=%llu\n", athletes[i].address + strlen ("sensor/"),
                (unsigned long long) device_counts (athletes[i].device)->samples);
    print_sums (athletes, options.athletes);
    for (uint32_t i = 0; i < options.athletes; i++) {
        device_destroy (&athletes[i].device);
        bytes_clear (&athletes[i].batch);
    }
    freeaddrinfo (options.where);
    return is_idle ? 0 : 1;
}
