/*  test_kill.c - the real binary under load, killed with SIGKILL at random moments, then its books.
 *
 *  DESIGN. Sessions call one counter each, one call after the other; a call
 *  that got no answer is sent again with the same number after the restart.
 *  The n-th answer of a session must say n: less is a lost call, more a
 *  doubled one. In the end every mirror must have seen 1, 2, 3 ... in order.
 *  KILL_ROUNDS says how often (20); the seed of the moments is printed.
 */

#include "commands/client.h"
#include "runtime/body/answer.h"
#include "runtime/base/clock.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SESSIONS 64
#define CALL_TIME_MS 100000  /* of the not-after time; below twice call_keep_ms */
#define WAIT_MS 20000

typedef struct {
    uint8_t session[16];
    char to[32];
    uint64_t seq;          /* of the call in hand */
    uint64_t not_after_ms;
    uint64_t tag;          /* on this connection; 0: not sent */
    uint64_t acknowledged;
} caller_t;

static caller_t callers[SESSIONS];
static uint64_t wrong, resent, answers;
static char kinds[4096];

static void
die (const char *what, const char *text)
{
    printf ("not ok %s: %s\n", what, text);
    exit (1);
}

static pid_t
start_node (void)
{
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0) {
        if (!freopen ("/dev/null", "w", stdout))
            _exit (126);
        execl (getenv ("TROUPE"), "troupe", "serve", kinds, "--once", "--store", "data", "--segment-bytes", "1M",
               "--ballast-bytes", "0", "--checkpoint-ms", "50ms", "--log-level", "error", (char *) NULL);
        _exit (127);
    }
    if (pid < 0)
        die ("fork", "no process");
    return pid;
}

static client_t *
connect_to (pid_t pid)
{
    troupe_error_t error;
    for (uint64_t until = clock_monotonic_ns () + WAIT_MS * 1000000ull; clock_monotonic_ns () < until;) {
        client_t *client = client_new ("data/control.sock", &error);
        if (client)
            return client;
        if (waitpid (pid, NULL, WNOHANG) == pid)
            die ("start", "the node left before it was ready");
        usleep (1000);
    }
    die ("connect", error.text);
    return NULL;
}

static troupe_status_t
send_call (client_t *client, caller_t *caller, troupe_error_t *error)
{
    troupe_call_t call = { .to = caller->to, .verb = "add", .seq = caller->seq, .not_after_ms = caller->not_after_ms };
    memcpy (call.session, caller->session, 16);
    return client_call (client, &call, &caller->tag, error);
}

static void
next_call (caller_t *caller)
{
    caller->seq += 1;
    caller->tag = 0;
    caller->not_after_ms = clock_wall_ms () + CALL_TIME_MS;
}

/*  What a total says; -1 when the body is something else. */
static json_int_t
field_of (const client_answer_t *answer, const char *name)
{
    json_int_t value = -1;
    troupe_answer_t view = { .status = TROUPE_OK, .body = answer->body, .size = answer->size, .text = "" }, copy;
    if (answer_copy (&copy, &view) != TROUPE_OK)
        die ("answer", "no memory");
    if (troupe_answer_unpack (&copy, NULL, "{s:I}", name, &value) != TROUPE_OK)
        value = -1;
    troupe_answer_clear (&copy);
    return value;
}

static void
take_answer (const client_answer_t *answer)
{
    for (int i = 0; i < SESSIONS; i++) {
        caller_t *caller = &callers[i];
        if (caller->tag != answer->tag)
            continue;
        if (answer->status == TROUPE_OK) {
            answers += 1;
            caller->acknowledged += 1;
            if (field_of (answer, "total") != (json_int_t) caller->acknowledged) {
                wrong += 1;
                printf ("# %s: answer %llu says %lld\n", caller->to, (unsigned long long) caller->acknowledged,
                        (long long) field_of (answer, "total"));
            }
            next_call (caller);
        } else if (answer->status == TROUPE_OVERLOADED || answer->status == TROUPE_STOPPING
                   || (answer->status == TROUPE_UNKNOWN && clock_wall_ms () < caller->not_after_ms))
            caller->tag = 0;
        else
            die ("a call was refused", answer->text);
    }
}

/*  Calls until the time is over or the connection breaks. */
static void
drive (client_t *client, uint64_t until_ns)
{
    troupe_error_t error;
    client_answer_t answer;
    while (clock_monotonic_ns () < until_ns) {
        for (int i = 0; i < SESSIONS; i++) {
            if (callers[i].tag == 0 && send_call (client, &callers[i], &error) != TROUPE_OK)
                return;
        }
        troupe_status_t status = client_receive (client, &answer, 2, &error);
        if (status == TROUPE_OK)
            take_answer (&answer);
        else if (status != TROUPE_TIMEOUT)
            return;
    }
}

static void
forget_tags (void)
{
    for (int i = 0; i < SESSIONS; i++) {
        resent += callers[i].tag != 0;
        callers[i].tag = 0;
    }
}

static void
kill_rounds (int rounds)
{
    for (int round = 0; round < rounds; round++) {
        pid_t pid = start_node ();
        client_t *client = connect_to (pid);
        uint64_t run_ns = (uint64_t) (rand () % 120000) * 1000u;
        pid_t killer = fork ();
        if (killer == 0) {
            usleep ((useconds_t) (run_ns / 1000));
            kill (pid, SIGKILL);
            _exit (0);
        }
        drive (client, clock_monotonic_ns () + run_ns + 50000000u);
        waitpid (killer, NULL, 0);
        waitpid (pid, NULL, 0);
        client_destroy (&client);
        forget_tags ();
    }
}

/*  Every call that is still open is settled, so that the books can be read. */
static void
settle (client_t *client)
{
    troupe_error_t error;
    client_answer_t answer;
    for (int i = 0; i < SESSIONS; i++) {
        uint64_t wanted = callers[i].acknowledged + 1;
        while (callers[i].acknowledged < wanted) {
            if (callers[i].tag == 0 && send_call (client, &callers[i], &error) != TROUPE_OK)
                die ("settle", error.text);
            if (client_receive (client, &answer, WAIT_MS, &error) != TROUPE_OK)
                die ("settle", error.text);
            take_answer (&answer);
        }
    }
}

static json_int_t
read_total (client_t *client, const char *to, const char *field)
{
    troupe_error_t error;
    client_answer_t answer;
    uint64_t tag;
    troupe_call_t call = { .to = to, .verb = "total" };
    if (client_call (client, &call, &tag, &error) != TROUPE_OK
        || client_receive (client, &answer, WAIT_MS, &error) != TROUPE_OK)
        die ("read", error.text);
    if (answer.tag != tag || answer.status != TROUPE_OK)
        die ("read", answer.text);
    return field_of (&answer, field);
}

/*  Messages between shards are on their way for a moment: asked until they are there. */
static void
check_mirror (client_t *client, const caller_t *caller)
{
    char mirror[64];
    json_int_t seen = -1;
    snprintf (mirror, sizeof mirror, "mirror/of-%s", strchr (caller->to, '/') + 1);
    for (uint64_t until = clock_monotonic_ns () + WAIT_MS * 1000000ull; clock_monotonic_ns () < until;) {
        seen = read_total (client, mirror, "total");
        if (seen >= (json_int_t) caller->acknowledged)
            break;
    }
    if (seen != (json_int_t) caller->acknowledged || read_total (client, mirror, "disorder") != 0) {
        wrong += 1;
        printf ("# %s saw %lld of %llu, disorder %lld\n", mirror, (long long) seen,
                (unsigned long long) caller->acknowledged, (long long) read_total (client, mirror, "disorder"));
    }
}

static void
check_books (void)
{
    pid_t pid = start_node ();
    client_t *client = connect_to (pid);
    settle (client);
    for (int i = 0; i < SESSIONS; i++) {
        caller_t *caller = &callers[i];
        json_int_t total = read_total (client, caller->to, "total");
        if (total != (json_int_t) caller->acknowledged) {
            wrong += 1;
            printf ("# %s has %lld, acknowledged %llu\n", caller->to, (long long) total,
                    (unsigned long long) caller->acknowledged);
        }
        check_mirror (client, caller);
    }
    client_destroy (&client);
    kill (pid, SIGTERM);
    int state = 0;
    waitpid (pid, &state, 0);
    if (!WIFEXITED (state) || WEXITSTATUS (state) != 0)
        die ("stop", "the node did not leave as asked");
}

int
main (void)
{
    const char *rounds_text = getenv ("KILL_ROUNDS"), *seed_text = getenv ("KILL_SEED");
    int rounds = rounds_text ? atoi (rounds_text) : 20;
    unsigned seed = seed_text ? (unsigned) atoi (seed_text) : (unsigned) clock_wall_ms ();
    srand (seed);
    snprintf (kinds, sizeof kinds, "%s/tests/crash/kill_kinds.so", getenv ("TROUPE_BUILD"));
    for (int i = 0; i < SESSIONS; i++) {
        snprintf (callers[i].to, sizeof callers[i].to, "counter/%d", i);
        callers[i].session[0] = 0x5e;
        callers[i].session[1] = (uint8_t) i;
        memcpy (callers[i].session + 2, &seed, sizeof seed);
        next_call (&callers[i]);
    }
    printf ("# seed %u, %d rounds\n", seed, rounds);
    kill_rounds (rounds);
    check_books ();
    printf ("# %llu calls acknowledged, %llu sent again after a kill, %llu lost or doubled\n",
            (unsigned long long) answers, (unsigned long long) resent, (unsigned long long) wrong);
    printf ("%s acknowledged calls are neither lost nor doubled\n", wrong ? "not ok" : "ok");
    return wrong ? 1 : 0;
}
