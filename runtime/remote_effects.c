/*  remote_effects.c - the effects that a worker asks for, applied through the public API.
 *
 *  DESIGN. The list comes from a stranger. It is checked as bytes first, then each effect against its form in the
 *  table below; what an effect may say beyond its form, the public API decides. The first fault fails the turn, and
 *  what was applied before it is undone with the turn, as after any handler's error. Grammar: runtime/port/remote.h.
 */

#include "runtime/body/packed.h"
#include "runtime/inside.h"

#define ARGUMENTS_MAX 5

typedef struct {
    const char *text;     /* s: NUL-ended, in the turn's arena. o: likewise, or NULL */
    const uint8_t *bytes; /* b, v */
    size_t size;
    uint64_t number;      /* n */
} argument_t;

typedef struct {
    const char *name;
    const char *form;     /* s text, o text or nil, b bytes, n whole number, v value */
    void (*apply) (troupe_turn_t *turn, const argument_t *arguments);
} effect_form_t;

#define BODY(argument) (argument).size ? "v" : NULL, (argument).bytes, (argument).size

/* ---- what each is ---- */

static void
apply_store (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_store (turn, arguments[0].text, arguments[1].bytes, arguments[1].size);
}

static void
apply_append (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_append (turn, arguments[0].text, arguments[1].bytes, arguments[1].size);
}

static void
apply_erase (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_erase (turn, arguments[0].text);
}

static void
apply_erase_all (troupe_turn_t *turn, const argument_t *arguments)
{
    (void) arguments;
    troupe_erase_all (turn);
}

static void
apply_tell (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_tell (turn, arguments[0].text, arguments[1].text, BODY (arguments[2]));
}

static void
apply_cast (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_cast (turn, arguments[0].text, arguments[1].text, BODY (arguments[2]));
}

static void
apply_ask (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_ask (turn, arguments[0].text, arguments[1].text, arguments[2].text, arguments[3].number,
                BODY (arguments[4]));
}

static void
apply_reply (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_reply (turn, BODY (arguments[0]));
}

static void
apply_later (troupe_turn_t *turn, const argument_t *arguments)
{
    (void) arguments;
    troupe_reply_later (turn);
}

static void
apply_answer (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_status_t status = TROUPE_OK;
    while (status <= TROUPE_TOO_LARGE && strcmp (arguments[1].text, troupe_status_name (status)) != 0)
        status += 1;
    if (status > TROUPE_TOO_LARGE)
        turn_poison (turn, TROUPE_INVALID, "an answer is ok or a refusal, not \"%.60s\"", arguments[1].text);
    else
        troupe_answer (turn, arguments[0].text, status, BODY (arguments[2]));
}

static void
apply_timer (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_timer_at (turn, arguments[0].text, arguments[1].text, arguments[2].number, BODY (arguments[3]));
}

static void
apply_every (troupe_turn_t *turn, const argument_t *arguments)
{
    bool is_each = strcmp (arguments[3].text, "each") == 0;
    if (!is_each && strcmp (arguments[3].text, "once") != 0)
        turn_poison (turn, TROUPE_INVALID, "missed ticks come \"once\" or \"each\", not \"%.60s\"", arguments[3].text);
    else
        troupe_timer_every (turn, arguments[0].text, arguments[1].text, arguments[2].number,
                            is_each ? TROUPE_TICK_EACH : TROUPE_TICK_ONCE, BODY (arguments[4]));
}

static void
apply_cancel (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_timer_cancel (turn, arguments[0].text);
}

static void
apply_publish (troupe_turn_t *turn, const argument_t *arguments)
{
    if (arguments[1].text)
        troupe_publish_key (turn, arguments[0].text, arguments[1].text, BODY (arguments[2]));
    else
        troupe_publish (turn, arguments[0].text, BODY (arguments[2]));
}

static void
apply_permit (troupe_turn_t *turn, const argument_t *arguments)
{
    troupe_permit_changed (turn, arguments[0].text);
}

static const effect_form_t forms[] = {
    { "store", "sb", apply_store },   { "append", "sb", apply_append },
    { "erase", "s", apply_erase },    { "erase_all", "", apply_erase_all },
    { "tell", "ssv", apply_tell },    { "cast", "ssv", apply_cast },
    { "ask", "sssnv", apply_ask },    { "reply", "v", apply_reply },
    { "later", "", apply_later },     { "answer", "ssv", apply_answer },
    { "timer", "ssnv", apply_timer }, { "every", "ssnsv", apply_every },
    { "cancel", "s", apply_cancel },  { "publish", "sov", apply_publish },
    { "permit", "s", apply_permit },
};

/* ---- how they are read ---- */

static const char *
form_name (char form)
{
    return form == 's'   ? "a text without NUL"
           : form == 'o' ? "a text without NUL, or nil"
           : form == 'b' ? "bytes"
                         : "a whole number that is not negative";
}

/*  False: it is of another form, or there is no memory for it. */
static bool
read_argument (troupe_turn_t *turn, packed_reader_t *reader, char form, argument_t *argument)
{
    packed_value_t value;
    *argument = (argument_t) { .bytes = reader->at };
    if (form == 'v') {
        bool is_good = packed_skip (reader);
        argument->size = (size_t) (reader->at - argument->bytes);
        if (argument->size == 1 && argument->bytes[0] == 0xc0)  /* nil */
            argument->size = 0;
        return is_good;
    }
    if (!packed_next (reader, &value))
        return false;
    bool is_text = value.type == PACKED_STRING;
    if (form == 'n') {
        argument->number = (uint64_t) value.integer;
        return value.type == PACKED_INT && value.integer >= 0;
    }
    if (form == 'b') {
        argument->bytes = value.string.bytes;
        argument->size = value.string.size;
        return is_text || value.type == PACKED_BYTES;
    }
    if (form == 'o' && value.type == PACKED_NULL)
        return true;
    if (!is_text || memchr (value.string.bytes, 0, value.string.size))
        return false;
    argument->text = arena_string (&turn->arena, value.string.bytes, value.string.size);
    return argument->text != NULL;
}

static const effect_form_t *
find_form (const packed_value_t *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (name->type == PACKED_STRING && strlen (forms[i].name) == name->string.size
            && memcmp (forms[i].name, name->string.bytes, name->string.size) == 0)
            return &forms[i];
    return NULL;
}

static troupe_status_t
apply_one (troupe_turn_t *turn, packed_reader_t *reader, uint32_t number)
{
    packed_value_t list, name;
    argument_t arguments[ARGUMENTS_MAX];
    if (!packed_next (reader, &list) || list.type != PACKED_ARRAY || list.count == 0 || !packed_next (reader, &name))
        return turn_poison (turn, TROUPE_INVALID, "effect %u is no array that begins with a name", number);
    const effect_form_t *form = find_form (&name);
    if (!form)
        return turn_poison (turn, TROUPE_INVALID, "effect %u: there is no such effect", number);
    if (list.count != 1 + strlen (form->form))
        return turn_poison (turn, TROUPE_INVALID, "effect %u, \"%s\": it has %zu arguments, not %u", number, form->name,
                            strlen (form->form), list.count - 1);
    for (uint32_t i = 0; form->form[i]; i++)
        if (!read_argument (turn, reader, form->form[i], &arguments[i]))
            return turn_poison (turn, TROUPE_INVALID, "effect %u, \"%s\": its argument %u must be %s", number,
                                form->name, i + 1, form_name (form->form[i]));
    form->apply (turn, arguments);
    return turn->poisoned ? turn->error.status : TROUPE_OK;
}

troupe_status_t
remote_apply (troupe_turn_t *turn, const void *effects, size_t size)
{
    packed_reader_t reader = { effects, (const uint8_t *) effects + size };
    packed_value_t list;
    if (size == 0)
        return TROUPE_OK;
    troupe_status_t status = packed_check (effects, size, PACKED_DEPTH_MAX);
    if (status != TROUPE_OK)
        return turn_poison (turn, status, "the effects are no good MessagePack");
    if (!packed_next (&reader, &list) || list.type != PACKED_ARRAY || list.count > TROUPE_EFFECTS_MAX)
        return turn_poison (turn, TROUPE_INVALID, "the effects are no array of at most %u", TROUPE_EFFECTS_MAX);
    for (uint32_t i = 0; i < list.count && status == TROUPE_OK; i++)
        status = apply_one (turn, &reader, i + 1);
    return status;
}
