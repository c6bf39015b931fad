/*  death_kinds.c - handlers that die, each in its own way, and one that counts. */

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <troupe.h>
#include <unistd.h>

static troupe_status_t
count (troupe_turn_t *turn)
{
    uint64_t total = 0;
    troupe_load (turn, "total", &total, sizeof total);
    total += 1;
    troupe_store (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static troupe_status_t
fault (troupe_turn_t *turn)
{
    volatile int *nowhere = NULL;
    (void) turn;
    *nowhere = 1;
    return TROUPE_OK;
}

static troupe_status_t
give_up (troupe_turn_t *turn)
{
    (void) turn;
    abort ();
}

static troupe_status_t
spin (troupe_turn_t *turn)
{
    volatile bool forever = true;
    while (forever)
        ;
    return troupe_fail (turn, "forever is over");
}

/*  As the system's killer does it: no thread of the process gets to say why. */
static troupe_status_t
be_killed (troupe_turn_t *turn)
{
    kill (getpid (), SIGKILL);
    for (;;)
        pause ();
    return troupe_fail (turn, "killed and still here");
}

static int
deeper (volatile char *above)
{
    volatile char much[4096];
    much[0] = above[0];
    return above[0] == 2 ? 0 : deeper (much) + much[0];
}

static troupe_status_t
overflow (troupe_turn_t *turn)
{
    volatile char top[1] = { 1 };
    return deeper (top) == 0 ? TROUPE_OK : troupe_fail (turn, "the stack has no end");
}

/*  Leaks a megabyte a turn, which the turn itself never notices. */
static troupe_status_t
leak (troupe_turn_t *turn)
{
    volatile char *lost = malloc (1 << 20);
    if (lost)
        memset ((char *) lost, 1, 1 << 20);
    return count (turn);
}

/*  Tells another actor to die: that message was never called from outside. */
static troupe_status_t
order (troupe_turn_t *turn)
{
    const char *to, *verb;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:s}", "to", &to, "verb", &verb);
    count (turn);
    return status == TROUPE_OK ? troupe_tell (turn, to, verb, NULL) : status;
}

static troupe_status_t
fill (troupe_turn_t *turn)
{
    static char bytes[64 << 10];
    json_int_t key;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "key", &key);
    if (status != TROUPE_OK)
        return status;
    char name[32] = "k";
    for (int i = 1; key > 0; i++, key /= 10)
        name[i] = (char) ('0' + key % 10);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char) (troupe_now (turn) + i * 31);
    troupe_store (turn, name, bytes, sizeof bytes);
    return count (turn);
}

static const troupe_verb_t verbs[] = {
    { "count", count }, { "fault", fault }, { "abort", give_up }, { "spin", spin }, { "overflow", overflow },
    { "leak", leak },   { "order", order }, { "fill", fill },     { "killed", be_killed }, { NULL }
};
static const troupe_kind_t mortal = { "mortal", .version = 1, .verbs = verbs };

TROUPE_KINDS (&mortal)
