/*  test_node.c - a node in simulated time for the tests of integrators (troupe_test.h).
 *
 *  DESIGN
 *  The world does what a node does and what befalls it; here stands what a test
 *  wants of it: calls that are sent again by a caller who outlives the process, time
 *  that passes from one due thing to the next, crashes by dice, and texts.
 *  The test's dice are not the world's, so that looking at a run does not change it.
 *  A node is looked at between two steps, when nobody runs its shards.
 */
#include <troupe_test.h>

#include "commands/admission.h"
#include "commands/shown.h"
#include "commands/world.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"
#include "runtime/body/json.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"

#include <stdio.h>
#include <stdlib.h>

#define SHARDS 4
#define SLICE_TURNS 8           /* few: more orders in which things can happen */
#define MEANWHILE_MOST 3
#define CALL_MS 60000           /* a call waits so long */
#define PASS_MOST_MS (1ull << 42)
#define MOMENT_MS 20            /* longest that a frame waits for more */
#define STEPS_MOST 200000       /* of actors that come to rest */
#define CRASHES_MOST 100        /* in one function */
#define DEATH_OPERATIONS 8      /* of the disk, at most, until it dies */

typedef struct text_s {
    struct text_s *next;
    char *text;
} text_t;

struct troupe_test_s {
    world_t *world;
    const troupe_kind_t **kinds;
    dice_t dice;
    char *subject;
    text_t *texts;           /* that the test may still look at */
    bool is_running;
    bool may_fail;           /* disk or state are going to die */
    uint32_t crash_once_in;
    uint32_t crashes_left;   /* in this function */
    uint64_t crashes;
};

/*  The test is wrong, or Troupe is. */
static _Noreturn void give_up (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

static void
give_up (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fprintf (stderr, "troupe_test: ");
    vfprintf (stderr, format, arguments);
    fprintf (stderr, "\n");
    va_end (arguments);
    abort ();
}

static void *
must_have (void *block)
{
    if (!block)
        give_up ("no memory");
    return block;
}

static void
must_be_ok (troupe_status_t status, const troupe_error_t *error)
{
    if (status != TROUPE_OK)
        give_up ("%s", error->text);
}

/* ------------------------------------------------------------------ *
 *  Its life
 * ------------------------------------------------------------------ */

static const troupe_kind_t **
copy_kinds (const troupe_kind_t *const *kinds)
{
    size_t count = 0;
    while (kinds[count])
        count += 1;
    const troupe_kind_t **copy = must_have (memory_alloc ((count + 1) * sizeof *copy));
    memcpy (copy, kinds, (count + 1) * sizeof *copy);
    return copy;
}

troupe_test_t *
troupe_test_new (const troupe_kind_t *const *kinds, uint64_t seed, troupe_error_t *error)
{
    world_options_t options = {
        .seed = seed,
        .shards = SHARDS,
        .limits = { .slice_turns = SLICE_TURNS },
        .meanwhile_most = MEANWHILE_MOST
    };
    troupe_test_t *self = must_have (memory_zalloc (sizeof *self));
    self->dice = dice_of (seed + 1);
    self->kinds = copy_kinds (kinds);
    self->world = must_have (world_new (&options, error));
    if (world_boot (self->world, kinds, error) != TROUPE_OK)
        troupe_test_destroy (&self);
    return self;
}

static void
forget_texts (troupe_test_t *self)
{
    for (text_t *text = self->texts, *next; text; text = next) {
        next = text->next;
        free (text->text);
        memory_free (text);
    }
    self->texts = NULL;
}

void
troupe_test_destroy (troupe_test_t **self_p)
{
    troupe_test_t *self = *self_p;
    if (!self)
        return;
    CHECK (!self->is_running);
    world_destroy (&self->world);
    forget_texts (self);
    memory_free (self->kinds);
    memory_free (self->subject);
    memory_free (self);
    *self_p = NULL;
}

/* ------------------------------------------------------------------ *
 *  Crashes
 * ------------------------------------------------------------------ */

static void
let_live (troupe_test_t *self)
{
    self->may_fail = false;
    disk_memory_die_after (world_disk (self->world), 0);
    state_memory_die_after (world_state (self->world), 0);
}

static void
let_disk_die (troupe_test_t *self)
{
    self->may_fail = true;
    disk_memory_die_after (world_disk (self->world), 1 + dice_roll (&self->dice, DEATH_OPERATIONS));
}

/*  What the dice of a crash do to recovery, they do once. */
static void
boot (troupe_test_t *self)
{
    troupe_error_t error;
    while (world_boot (self->world, self->kinds, &error) != TROUPE_OK) {
        if (!self->may_fail)
            give_up ("the node does not start again: %s", error.text);
        let_live (self);
        world_halt (self->world, true);
        self->crashes += 1;
    }
}

static void
crash (troupe_test_t *self)
{
    self->crashes += 1;
    world_halt (self->world, dice_once_in (&self->dice, 2));
    let_live (self);
    if (self->crash_once_in && self->crashes_left && dice_once_in (&self->dice, 4))
        let_disk_die (self);
    boot (self);
}

static void
strike (troupe_test_t *self)
{
    if (self->crashes_left == 0 || !dice_once_in (&self->dice, self->crash_once_in))
        return;
    self->crashes_left -= 1;
    switch (dice_roll (&self->dice, 4)) {
    case 0:
        let_disk_die (self);
        break;
    case 1:
        self->may_fail = true;
        state_memory_die_after (world_state (self->world), 1);
        break;
    default:
        crash (self);
    }
}

/* ------------------------------------------------------------------ *
 *  Running
 * ------------------------------------------------------------------ */

static void
begin (troupe_test_t *self)
{
    CHECK (!self->is_running);
    forget_texts (self);
    self->is_running = true;
    self->crashes_left = CRASHES_MOST;
}

static void
end (troupe_test_t *self)
{
    self->is_running = false;
}

static void
pass_to (troupe_test_t *self, uint64_t then_ms)
{
    uint64_t now = world_now (self->world);
    if (then_ms > now)
        world_pass (self->world, then_ms - now);
}

/*  One thing happens, or time goes on to the next that is due. False: neither, until then. */
static bool
advance (troupe_test_t *self, uint64_t until_ms)
{
    const char *text;
    strike (self);
    if (!world_step (self->world) && world_is_up (self->world)) {
        uint64_t due = world_next_due (self->world);
        if (due > until_ms)
            return false;
        pass_to (self, due);
    }
    if (world_is_up (self->world))
        return true;
    if (world_failure (self->world, &text) != TROUPE_IO || !self->may_fail)
        give_up ("the node stopped: %s", text);
    crash (self);
    return true;
}

static void
settle (troupe_test_t *self)
{
    uint32_t steps = 0;
    while (advance (self, world_is_quiet (self->world) ? 0 : world_now (self->world) + MOMENT_MS))
        if (++steps > STEPS_MOST)
            give_up ("the actors do not come to rest: they go on sending messages");
    CHECK (world_is_quiet (self->world));
}

void
troupe_test_settle (troupe_test_t *self)
{
    begin (self);
    settle (self);
    end (self);
}

void
troupe_test_pass (troupe_test_t *self, uint64_t ms)
{
    CHECK (ms <= PASS_MOST_MS);
    uint64_t until = world_now (self->world) + ms;
    begin (self);
    settle (self);
    while (world_next_due (self->world) <= until) {
        pass_to (self, world_next_due (self->world));
        settle (self);
    }
    pass_to (self, until);
    settle (self);
    end (self);
}

uint64_t
troupe_test_now (const troupe_test_t *self)
{
    return world_now (self->world);
}

void
troupe_test_crash (troupe_test_t *self)
{
    begin (self);
    crash (self);
    end (self);
}

void
troupe_test_crash_often (troupe_test_t *self, uint32_t once_in)
{
    self->crash_once_in = once_in;
    if (once_in == 0)
        let_live (self);
}

uint64_t
troupe_test_crashes (const troupe_test_t *self)
{
    return self->crashes;
}

troupe_status_t
troupe_test_restart (troupe_test_t *self, const troupe_kind_t *const *kinds, troupe_error_t *error)
{
    begin (self);
    settle (self);
    let_live (self);
    world_halt (self->world, false);
    troupe_status_t status = kinds ? world_boot (self->world, kinds, error) : TROUPE_OK;
    if (status != TROUPE_OK || !kinds)
        boot (self);
    else {
        memory_free (self->kinds);
        self->kinds = copy_kinds (kinds);
    }
    end (self);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Calls
 * ------------------------------------------------------------------ */

troupe_status_t
troupe_test_submit (troupe_test_t *self, const troupe_call_t *call, troupe_error_t *error)
{
    address_t address;
    troupe_status_t status = admission_check (world_registry (self->world), call, &address, error);
    return status == TROUPE_OK ? world_submit (self->world, call, error) : status;
}

void
troupe_test_subject (troupe_test_t *self, const char *subject)
{
    memory_free (self->subject);
    self->subject = subject ? must_have (memory_strdup (subject)) : NULL;
}

typedef struct {
    troupe_answer_t *answer;
    bool is_over;
} wait_t;

static void
keep_answer (void *arg, const troupe_answer_t *answer)
{
    wait_t *wait = arg;
    wait->is_over = true;
    if (answer_copy (wait->answer, answer) != TROUPE_OK)
        give_up ("no memory");
}

/*  As a client does who has noted what he wants: after a crash he says it again. */
static troupe_status_t
call_until_answered (troupe_test_t *self, troupe_call_t *call, troupe_error_t *error)
{
    const wait_t *wait = call->arg;
    uint64_t sessions[2] = { dice_next (&self->dice), dice_next (&self->dice) | 1 };
    memcpy (call->session, sessions, sizeof call->session);
    call->seq = 1;
    call->not_after_ms = world_now (self->world) + CALL_MS;
    troupe_status_t status = troupe_test_submit (self, call, error);
    uint64_t life = self->crashes;
    for (uint32_t steps = 0; status == TROUPE_OK && !wait->is_over; steps++) {
        if (!advance (self, UINT64_MAX - 1) || steps > STEPS_MOST)
            give_up ("%s of %s is never answered", call->verb, call->to);
        if (self->crashes != life && !wait->is_over)
            status = troupe_test_submit (self, call, error);
        life = self->crashes;
    }
    return status;
}

troupe_status_t
troupe_test_call (troupe_test_t *self, const char *to, const char *verb, troupe_answer_t *answer, const char *format,
                  ...)
{
    troupe_answer_t own;
    troupe_error_t error;
    buffer_t body = { .limit = TROUPE_BODY_MAX };
    wait_t wait = { .answer = answer ? answer : &own };
    troupe_call_t call = { .to = to, .verb = verb, .subject = self->subject, .done = keep_answer, .arg = &wait };
    va_list arguments;
    begin (self);
    va_start (arguments, format);
    troupe_status_t status = pack_append (&body, &error, format, arguments);
    va_end (arguments);
    call.body = body.data;
    call.size = body.size;
    if (status == TROUPE_OK)
        status = call_until_answered (self, &call, &error);
    if (status != TROUPE_OK)
        keep_answer (&wait, &(troupe_answer_t) { .status = status, .text = error.text });
    buffer_clear (&body);
    end (self);
    status = wait.answer->status;
    if (!answer)
        troupe_answer_clear (&own);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Looking
 * ------------------------------------------------------------------ */

/*  Takes the tree. */
static const char *
show (troupe_test_t *self, json_t *tree, size_t flags)
{
    text_t *text = must_have (memory_alloc (sizeof *text));
    *text = (text_t) { self->texts, json_dumps (must_have (tree), JSON_COMPACT | flags) };
    json_decref (tree);
    must_have (text->text);
    self->texts = text;
    return text->text;
}

static shard_t *
shard_of (troupe_test_t *self, const char *address)
{
    uint16_t shard;
    troupe_error_t error;
    must_be_ok (world_shard_of (self->world, address, &shard, &error), &error);
    return world_shard (self->world, shard);
}

/*  Takes the bytes. */
static json_t *
tree_of (buffer_t *packed)
{
    troupe_error_t error;
    json_t *tree = json_tree_from_packed (packed->data, packed->size, &error);
    must_be_ok (tree ? TROUPE_OK : error.status, &error);
    buffer_clear (packed);
    return tree;
}

static buffer_t
inspect (troupe_test_t *self, const char *address)
{
    buffer_t packed = { 0 };
    troupe_error_t error;
    must_be_ok (shard_inspect (shard_of (self, address), address, UINT32_MAX, &packed, &error), &error);
    return packed;
}

const char *
troupe_test_inspect (troupe_test_t *self, const char *address)
{
    buffer_t packed = inspect (self, address);
    return show (self, tree_of (&packed), 0);
}

/*  The values of an inspected actor, one after the other; false at the end. */
static bool
next_value (packed_reader_t *rows, packed_value_t *key, packed_value_t *value)
{
    const uint8_t *row = rows->at;
    packed_reader_t field;
    if (!packed_skip (rows))
        return false;
    size_t size = (size_t) (rows->at - row);
    return packed_find (row, size, "key", &field) && packed_next (&field, key)
           && packed_find (row, size, "value", &field) && packed_next (&field, value);
}

static packed_reader_t
values_of (const buffer_t *packed)
{
    packed_reader_t rows, field;
    packed_value_t head;
    CHECK (packed_find (packed->data, packed->size, "state", &rows));
    field = rows;
    CHECK (packed_next (&field, &head) && head.type == PACKED_ARRAY);
    rows.at = field.at;
    return rows;
}

const char *
troupe_test_state (troupe_test_t *self, const char *address)
{
    json_t *state = must_have (json_object ());
    buffer_t packed = inspect (self, address);
    packed_reader_t rows = values_of (&packed);
    packed_value_t key, value;
    while (next_value (&rows, &key, &value)) {
        char name[TROUPE_KEY_MAX + 1] = "";
        memcpy (name, key.string.bytes, key.string.size);
        if (json_object_set_new (state, name, shown_value (value.string.bytes, value.string.size)) != 0)
            give_up ("a key of %s is no UTF-8: troupe_test_load reads its value", address);
    }
    buffer_clear (&packed);
    return show (self, state, JSON_SORT_KEYS);
}

troupe_status_t
troupe_test_load (troupe_test_t *self, const char *address, const char *name, void *to, size_t size)
{
    troupe_status_t status = TROUPE_NOT_FOUND;
    buffer_t packed = inspect (self, address);
    packed_reader_t rows = values_of (&packed);
    packed_value_t key, value;
    while (status == TROUPE_NOT_FOUND && next_value (&rows, &key, &value)) {
        if (key.string.size != strlen (name) || memcmp (key.string.bytes, name, key.string.size) != 0)
            continue;
        status = value.string.size <= size ? TROUPE_OK : TROUPE_TOO_LARGE;
        if (status == TROUPE_OK && value.string.size)
            memcpy (to, value.string.bytes, value.string.size);
    }
    buffer_clear (&packed);
    return status;
}

const char *
troupe_test_events (troupe_test_t *self, const char *address, const char *channel, uint64_t from)
{
    buffer_t packed = { 0 };
    troupe_error_t error;
    shard_t *shard = shard_of (self, address);
    must_be_ok (shard_read_feed (shard, address, channel, from, UINT32_MAX, &packed, &error), &error);
    json_t *feed = tree_of (&packed), *bodies = must_have (json_array ());
    const json_t *events = json_object_get (feed, "events");
    for (size_t i = 0; i < json_array_size (events); i++)
        json_array_append (bodies, json_object_get (json_array_get (events, i), "body"));
    json_decref (feed);
    return show (self, bodies, 0);
}

const char *
troupe_test_dead (troupe_test_t *self)
{
    json_t *all = must_have (json_array ());
    for (uint16_t i = 0; i < SHARDS; i++) {
        buffer_t packed = { 0 };
        troupe_error_t error;
        must_be_ok (shard_dead_list (world_shard (self->world, i), 0, UINT32_MAX, &packed, &error), &error);
        json_t *letters = tree_of (&packed);
        json_array_extend (all, letters);
        json_decref (letters);
    }
    return show (self, all, 0);
}
