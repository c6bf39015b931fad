/*  json_parse.c - JSON text to a packed body.
 *
 *  DESIGN
 *  Straight from text to bytes, without jansson: the text is a stranger's, and a
 *  tree of "[[],[],[],..." takes a hundred times the memory of its text, while
 *  the packed form is smaller than it, or with many short reals somewhat more
 *  than twice. One pass, as deep as the limit of packed bodies; the head of a
 *  container is patched when its end is seen. Strings without a backslash are
 *  copied as they stand. Any thread.
 */
#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/names.h"
#include "runtime/body/packed.h"
#include "runtime/body/real.h"

typedef json_parser_t parser_t;

/*  Columns count characters, from 1. */
static bool
wrong_at (parser_t *self, const char *place, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *at = self->text; at < place; at++) {
        column += (*at & 0xc0) != 0x80;
        if (*at == '\n') {
            line += 1;
            column = 1;
        }
    }
    self->status = error_set (self->error, TROUPE_INVALID, "JSON line %zu column %zu: %s", line, column, what);
    return false;
}

static bool
wrong (parser_t *self, const char *what)
{
    return wrong_at (self, self->at, self->at == self->end ? "the text ends too early" : what);
}

static bool
settle (parser_t *self, const buffer_t *buffer)
{
    if (!buffer->failed)
        return true;
    self->status = packed_status (buffer, self->error);
    return false;
}

static void
skip_space (parser_t *self)
{
    while (self->at < self->end
           && (*self->at == ' ' || *self->at == '\n' || *self->at == '\r' || *self->at == '\t'))
        self->at += 1;
}

char
json_peek (json_parser_t *self)
{
    skip_space (self);
    return self->at < self->end ? *self->at : '\0';
}

static int
digit_of (char hex)
{
    if (hex >= '0' && hex <= '9')
        return hex - '0';
    if (hex >= 'a' && hex <= 'f')
        return hex - 'a' + 10;
    return hex >= 'A' && hex <= 'F' ? hex - 'A' + 10 : -1;
}

/*  Four hex digits; -1 when they are not there. */
static int32_t
take_hex (parser_t *self)
{
    int32_t unit = 0;
    if (self->end - self->at < 4)
        return -1;
    for (int index = 0; index < 4; index++) {
        int digit = digit_of (self->at[index]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    self->at += 4;
    return unit;
}

static void
put_utf8 (buffer_t *to, uint32_t character)
{
    if (character < 0x80)
        buffer_byte (to, (uint8_t) character);
    else if (character < 0x800) {
        buffer_byte (to, (uint8_t) (0xc0 | character >> 6));
        buffer_byte (to, (uint8_t) (0x80 | (character & 63)));
    } else {
        if (character < 0x10000)
            buffer_byte (to, (uint8_t) (0xe0 | character >> 12));
        else {
            buffer_byte (to, (uint8_t) (0xf0 | character >> 18));
            buffer_byte (to, (uint8_t) (0x80 | (character >> 12 & 63)));
        }
        buffer_byte (to, (uint8_t) (0x80 | (character >> 6 & 63)));
        buffer_byte (to, (uint8_t) (0x80 | (character & 63)));
    }
}

/*  From behind \u. A character beyond 16 bits is written as two of them, a high and a low half. */
static bool
take_unicode (parser_t *self)
{
    const char *begin = self->at - 2;
    int32_t unit = take_hex (self);
    if (unit < 0)
        return wrong (self, "four hex digits are wanted");
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return wrong_at (self, begin, "the second half of a pair without the first");
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (self->end - self->at < 2 || self->at[0] != '\\' || self->at[1] != 'u')
            return wrong_at (self, begin, "the first half of a pair without the second");
        self->at += 2;
        int32_t low = take_hex (self);
        if (low < 0xdc00 || low > 0xdfff)
            return wrong_at (self, begin, "the first half of a pair without the second");
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8 (&self->scratch, (uint32_t) unit);
    return settle (self, &self->scratch);
}

/*  From behind the backslash. */
static bool
take_escape (parser_t *self)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (self->at == self->end)
        return wrong (self, NULL);
    char name = *self->at++;
    if (name == 'u')
        return take_unicode (self);
    const char *found = name ? strchr (names, name) : NULL;
    if (!found)
        return wrong_at (self, self->at - 2, "no such escape");
    buffer_byte (&self->scratch, (uint8_t) meant[found - names]);
    return settle (self, &self->scratch);
}

/*  Moves to the next quote, backslash or control character; false when what was passed is no UTF-8. */
static bool
pass_plain (parser_t *self)
{
    self->at += utf8_plain_prefix (self->at, (size_t) (self->end - self->at));
    if (self->at == self->end || (uint8_t) *self->at < 0x80)
        return true;
    const char *begin = self->at;
    while (self->at < self->end && *self->at != '"' && *self->at != '\\' && (uint8_t) *self->at >= 0x20)
        self->at += 1;
    size_t size = (size_t) (self->at - begin), good = utf8_prefix (begin, size);
    return good == size || wrong_at (self, begin + good, "this is no UTF-8");
}

/*  From the quote. Returns the characters, in the text or in the scratch buffer, until the next string. */
static const char *
take_string (parser_t *self, size_t *size)
{
    bool escaped = false;
    const char *begin = ++self->at;
    self->scratch.size = 0;
    for (;;) {
        const char *run = self->at;
        if (!pass_plain (self))
            return NULL;
        if (self->at == self->end || (uint8_t) *self->at < 0x20) {
            wrong (self, "a control character in a string must be escaped");
            return NULL;
        }
        size_t length = (size_t) (self->at - run);
        if (*self->at == '"' && !escaped) {
            *size = length;
            self->at += 1;
            return begin;
        }
        escaped = true;
        buffer_append (&self->scratch, run, length);
        if (!settle (self, &self->scratch))
            return NULL;
        if (*self->at++ == '"') {
            *size = self->scratch.size;
            return self->scratch.data ? (const char *) self->scratch.data : "";
        }
        if (!take_escape (self))
            return NULL;
    }
}

static bool
parse_string (parser_t *self)
{
    size_t size;
    const char *string = take_string (self, &size);
    if (!string)
        return false;
    packed_put_string (self->to, string, size);
    return settle (self, self->to);
}

static size_t
pass_digits (parser_t *self)
{
    const char *begin = self->at;
    while (self->at < self->end && *self->at >= '0' && *self->at <= '9')
        self->at += 1;
    return (size_t) (self->at - begin);
}

static bool
put_integer (parser_t *self, const char *begin)
{
    bool negative = *begin == '-';
    int64_t integer = 0;
    for (const char *at = begin + negative; at < self->at; at++) {  /* downwards: there is one more below zero */
        if (__builtin_mul_overflow (integer, 10, &integer) || __builtin_sub_overflow (integer, *at - '0', &integer))
            return wrong_at (self, begin, "the integer is beyond 64 bits");
    }
    if (!negative && __builtin_sub_overflow ((int64_t) 0, integer, &integer))
        return wrong_at (self, begin, "the integer is beyond 64 bits");
    packed_put_int (self->to, integer);
    return settle (self, self->to);
}

static bool
put_real (parser_t *self, const char *begin)
{
    double real;
    if (!real_parse (begin, (size_t) (self->at - begin), &real))
        return wrong_at (self, begin, "the number is too large or too long");
    packed_put_real (self->to, real);
    return settle (self, self->to);
}

static bool
parse_number (parser_t *self)
{
    const char *begin = self->at;
    bool is_real = false;
    self->at += *self->at == '-';
    const char *first = self->at;
    size_t digits = pass_digits (self);
    if (digits == 0)
        return wrong (self, "a value is wanted");
    if (digits > 1 && *first == '0')
        return wrong_at (self, first, "a number may not begin with 0");
    if (self->at < self->end && *self->at == '.') {
        is_real = true;
        self->at += 1;
        if (pass_digits (self) == 0)
            return wrong (self, "a digit is wanted");
    }
    if (self->at < self->end && (*self->at == 'e' || *self->at == 'E')) {
        is_real = true;
        self->at += 1;
        self->at += self->at < self->end && (*self->at == '+' || *self->at == '-');
        if (pass_digits (self) == 0)
            return wrong (self, "a digit is wanted");
    }
    return is_real ? put_real (self, begin) : put_integer (self, begin);
}

static bool
take_word (parser_t *self, const char *word)
{
    size_t length = strlen (word);
    if ((size_t) (self->end - self->at) < length || memcmp (self->at, word, length) != 0)
        return wrong_at (self, self->at, "a value is wanted");
    self->at += length;
    return true;
}

static bool parse_value (parser_t *self, unsigned depth);

/*  After an element: whether another one follows. `good` is false when neither a comma nor the end does. */
static bool
take_comma (parser_t *self, char close, bool *good)
{
    char next = json_peek (self);
    *good = next == ',' || next == close;
    if (!*good)
        return wrong (self, close == ']' ? "a comma or ] is wanted" : "a comma or } is wanted");
    self->at += 1;
    return next == ',';
}

static bool
parse_array (parser_t *self, unsigned depth)
{
    size_t place = packed_open (self->to);
    uint32_t count = 0;
    bool good = true;
    self->at += 1;
    if (json_peek (self) == ']')
        self->at += 1;
    else
        do {
            if (!parse_value (self, depth))
                return false;
            count += 1;
        } while (take_comma (self, ']', &good));
    if (!good)
        return false;
    packed_close (self->to, place, PACKED_ARRAY, count);
    return settle (self, self->to);
}

static bool
parse_key (parser_t *self)
{
    size_t size;
    if (json_peek (self) != '"')
        return wrong (self, "a key in quotes is wanted");
    const char *begin = self->at;
    const char *name = take_string (self, &size);
    if (!name)
        return false;
    if (memchr (name, '\0', size))
        return wrong_at (self, begin, "a key may not hold a NUL");
    if (!names_push (&self->names, name, size))
        return settle (self, &self->names);
    packed_put_string (self->to, name, size);
    if (json_peek (self) != ':')
        return wrong (self, "a colon is wanted");
    self->at += 1;
    return settle (self, self->to);
}

static bool
parse_object (parser_t *self, unsigned depth)
{
    size_t place = packed_open (self->to), base = self->names.size;
    uint32_t count = 0;
    bool good = true;
    const char *begin = self->at++;
    if (json_peek (self) == '}')
        self->at += 1;
    else
        do {
            if (!parse_key (self) || !parse_value (self, depth))
                return false;
            count += 1;
        } while (take_comma (self, '}', &good));
    if (!good)
        return false;
    if (!names_pop (&self->names, base))
        return wrong_at (self, begin, "a key of this object stands in it twice");
    packed_close (self->to, place, PACKED_OBJECT, count);
    return settle (self, self->to);
}

/*  `depth`: how many levels may still open. */
static bool
parse_value (parser_t *self, unsigned depth)
{
    char first = json_peek (self);
    if ((first == '{' || first == '[') && depth == 0)
        return wrong (self, "nested too deeply");
    switch (first) {
    case '{': return parse_object (self, depth - 1);
    case '[': return parse_array (self, depth - 1);
    case '"': return parse_string (self);
    case 't':
        if (!take_word (self, "true"))
            return false;
        packed_put_bool (self->to, true);
        break;
    case 'f':
        if (!take_word (self, "false"))
            return false;
        packed_put_bool (self->to, false);
        break;
    case 'n':
        if (!take_word (self, "null"))
            return false;
        packed_put_null (self->to);
        break;
    default:
        if (self->at == self->end)
            return wrong (self, NULL);
        return parse_number (self);
    }
    return settle (self, self->to);
}

void
json_open (json_parser_t *self, const char *text, size_t length)
{
    self->text = self->at = text;
    self->end = text + length;
}

void
json_close (json_parser_t *self)
{
    buffer_clear (&self->names);
    buffer_clear (&self->scratch);
}

troupe_status_t
json_wrong (json_parser_t *self, const char *what, troupe_error_t *error)
{
    self->error = error;
    wrong (self, what);
    return self->status;
}

troupe_status_t
json_next (json_parser_t *self, unsigned depth, buffer_t *to, troupe_error_t *error)
{
    size_t start = to->size;
    self->to = to;
    self->error = error;
    buffer_reset (&self->names);
    buffer_reset (&self->scratch);
    if (parse_value (self, depth))
        return TROUPE_OK;
    packed_cut (to, start);
    return self->status;
}

troupe_status_t
json_to_packed (const char *text, size_t length, buffer_t *to, troupe_error_t *error)
{
    size_t start = to->size;
    parser_t self = { 0 };
    json_open (&self, text, length);
    troupe_status_t status = json_next (&self, PACKED_DEPTH_MAX, to, error);
    if (status == TROUPE_OK && (json_peek (&self), self.at < self.end)) {
        status = json_wrong (&self, "only one value is wanted", error);
        packed_cut (to, start);
    }
    json_close (&self);
    return status;
}
